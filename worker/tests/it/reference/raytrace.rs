//! Ray tracing by its definition: one list of shapes, in the order of the scene.

#![expect(clippy::many_single_char_names, reason = "these are the names in the formulas")]
#![expect(clippy::manual_midpoint, reason = "these are the formulas")]

use std::str::{FromStr, SplitWhitespace};

use weighbridge_worker::operations::codec::Raster;

type Vector = [f64; 3];
type Colour = [f32; 3];

/// What the query says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) scols: i32,
    pub(crate) srows: i32,
    pub(crate) wcols: i32,
    pub(crate) wrows: i32,
    pub(crate) coff: i32,
    pub(crate) roff: i32,
    pub(crate) aa: bool,
}

enum Pigment {
    Solid(Colour),
    Checker(Colour, Colour, f64),
    Texture([f64; 8]),
}

enum Shape {
    Sphere(Vector, f64),
    Plane(Vector, f64),
    Triangle(Vector, Vector, Vector),
    Invisible,
}

struct Scene {
    eye: Vector,
    center: Vector,
    up: Vector,
    fovy: f64,
    lights: Vec<(Vector, Colour, [f32; 3])>,
    pigments: Vec<Pigment>,
    finishes: Vec<[f32; 7]>,
    shapes: Vec<(usize, usize, Shape)>,
    texture: Option<Raster>,
}

struct Ray {
    origin: Vector,
    direction: Vector,
}

struct Hit {
    distance: f64,
    point: Vector,
    normal: Vector,
    entering: bool,
}

/// The BMP file of a scene.
pub(crate) fn render(text: &str, texture: Option<Raster>, view: View) -> Vec<u8> {
    let scene = parse(text, texture);
    let row_bytes = (3 * view.wcols as usize).next_multiple_of(4);
    let pixel_bytes = row_bytes * view.wrows as usize;
    let mut file = b"BM".to_vec();
    file.extend((54 + pixel_bytes as u32).to_le_bytes());
    file.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    file.extend(view.wcols.to_le_bytes());
    file.extend(view.wrows.to_le_bytes());
    file.extend([1, 0, 24, 0, 0, 0, 0, 0]);
    file.extend((pixel_bytes as u32).to_le_bytes());
    file.extend([0; 16]);
    for r in (0..view.wrows).rev() {
        for c in 0..view.wcols {
            let colour = scene.pixel(view, c, r);
            let byte = |channel: f32| (f64::from(channel * 255.0) + 0.5) as i32 as u8;
            file.extend([byte(colour[2]), byte(colour[1]), byte(colour[0])]);
        }
        file.resize(file.len() + row_bytes - 3 * view.wcols as usize, 0);
    }
    file
}

fn next<T: FromStr>(tokens: &mut SplitWhitespace<'_>) -> T {
    tokens.next().and_then(|token| token.parse().ok()).unwrap()
}

fn vector(tokens: &mut SplitWhitespace<'_>) -> Vector {
    [next(tokens), next(tokens), next(tokens)]
}

fn colour(tokens: &mut SplitWhitespace<'_>) -> Colour {
    [next(tokens), next(tokens), next(tokens)].map(clamp)
}

fn parse(text: &str, texture: Option<Raster>) -> Scene {
    let tokens = &mut text.split_whitespace();
    let (eye, center, up, fovy) = (vector(tokens), vector(tokens), vector(tokens), next(tokens));
    let mut scene = Scene {
        eye,
        center,
        up,
        fovy,
        lights: vec![],
        pigments: vec![],
        finishes: vec![],
        shapes: vec![],
        texture,
    };
    for _ in 0..next(tokens) {
        let light = (vector(tokens), colour(tokens), [next(tokens), next(tokens), next(tokens)]);
        scene.lights.push(light);
    }
    for _ in 0..next(tokens) {
        scene.pigments.push(match tokens.next().unwrap() {
            "solid" => Pigment::Solid(colour(tokens)),
            "checker" => Pigment::Checker(colour(tokens), colour(tokens), next(tokens)),
            "gradient" => {
                vector(tokens);
                vector(tokens);
                let first = colour(tokens);
                colour(tokens);
                Pigment::Solid(first)
            }
            _ => {
                tokens.next();
                Pigment::Texture([0; 8].map(|_| next(tokens)))
            }
        });
    }
    for _ in 0..next(tokens) {
        scene.finishes.push([0; 7].map(|_| next(tokens)));
    }
    for _ in 0..next(tokens) {
        let (pigment, finish) = (next(tokens), next(tokens));
        let shape = shape(tokens);
        scene.shapes.push((pigment, finish, shape));
    }
    scene
}

fn shape(tokens: &mut SplitWhitespace<'_>) -> Shape {
    let skipped = match tokens.next().unwrap() {
        "sphere" => return Shape::Sphere(vector(tokens), next(tokens)),
        "plane" => return Shape::Plane(vector(tokens), next(tokens)),
        "triangle" => return Shape::Triangle(vector(tokens), vector(tokens), vector(tokens)),
        "parallelogram" => 9,
        "bezier" => 48,
        "polyhedron" => 4 * next::<usize>(tokens),
        _ => 7,
    };
    for _ in 0..skipped {
        next::<f64>(tokens);
    }
    Shape::Invisible
}

fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

fn subtract(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn times(a: Vector, factor: f64) -> Vector {
    a.map(|x| x * factor)
}

fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn length(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

fn normalize(a: Vector) -> Vector {
    times(a, 1.0 / length(a))
}

fn clamp(x: f32) -> f32 {
    x.clamp(0.0, 1.0)
}

fn blend(a: Colour, b: Colour) -> Colour {
    [clamp(a[0] + b[0]), clamp(a[1] + b[1]), clamp(a[2] + b[2])]
}

fn multiply(a: Colour, b: Colour) -> Colour {
    [a[0] * b[0], a[1] * b[1], a[2] * b[2]]
}

fn ray(origin: Vector, towards: Vector) -> Ray {
    let direction = normalize(towards);
    Ray { origin: add(origin, times(direction, 0.001)), direction }
}

impl Shape {
    fn hit(&self, ray: &Ray) -> Option<Hit> {
        match self {
            Shape::Sphere(center, radius) => sphere_hit(ray, *center, *radius),
            Shape::Plane(factors, offset) => plane_hit(ray, *factors, *offset),
            Shape::Triangle(a, b, c) => triangle_hit(ray, *a, *b, *c),
            Shape::Invisible => None,
        }
    }
}

fn sphere_hit(ray: &Ray, center: Vector, radius: f64) -> Option<Hit> {
    let v = subtract(ray.origin, center);
    let b = 2.0 * dot(v, ray.direction);
    let c = dot(v, v) - radius * radius;
    let discriminant = b * b - 4.0 * c;
    if discriminant < 0.0 {
        return None;
    }
    let near = (-b - discriminant.sqrt()) / 2.0;
    let far = (-b + discriminant.sqrt()) / 2.0;
    if near < 0.0 && far < 0.0 {
        return None;
    }
    let inside = near < 0.0 && 0.0 < far;
    let point = add(ray.origin, times(ray.direction, if inside { far } else { near }));
    let normal = if inside { subtract(center, point) } else { subtract(point, center) };
    Some(Hit {
        distance: length(subtract(point, ray.origin)),
        point,
        normal: normalize(normal),
        entering: !inside,
    })
}

fn plane_hit(ray: &Ray, factors: Vector, offset: f64) -> Option<Hit> {
    let denominator = dot(factors, ray.direction);
    let distance = -(dot(factors, ray.origin) + offset) / denominator;
    if denominator == 0.0 || distance < 0.0 {
        return None;
    }
    let point = add(ray.origin, times(ray.direction, distance));
    Some(Hit { distance, point, normal: normalize(normalize(factors)), entering: true })
}

fn triangle_hit(ray: &Ray, a: Vector, b: Vector, c: Vector) -> Option<Hit> {
    let (u, v) = (subtract(b, a), subtract(c, a));
    let normal = normalize(cross(u, v));
    let mut hit = plane_hit(ray, normal, -dot(a, normal))?;
    let w = subtract(hit.point, a);
    let (uu, uv, vv, wu, wv) = (dot(u, u), dot(u, v), dot(v, v), dot(w, u), dot(w, v));
    let d = uv * uv - uu * vv;
    let s = (uv * wv - vv * wu) / d;
    let t = (uv * wu - uu * wv) / d;
    if s.min(t) < 0.0 || 1.0 < s || 1.0 < s + t {
        return None;
    }
    hit.distance = length(subtract(hit.point, ray.origin));
    hit.normal = normalize(hit.normal);
    Some(hit)
}

impl Pigment {
    fn colour(&self, p: Vector, texture: Option<&Raster>) -> Colour {
        match self {
            Pigment::Solid(colour) => *colour,
            Pigment::Checker(even, odd, scale) => {
                let n: i64 = p.iter().map(|x| (x / scale).floor().abs() as i64).sum();
                if n % 2 == 0 { *even } else { *odd }
            }
            Pigment::Texture(f) => {
                let texture = texture.unwrap();
                let mut s = f[0] * p[0] + f[1] * p[1] + f[2] * p[2] + f[3];
                let mut t = f[4] * p[0] + f[5] * p[1] + f[6] * p[2] + f[7];
                for x in [&mut s, &mut t] {
                    while *x < 0.0 {
                        *x += 1.0;
                    }
                    while 1.0 <= *x {
                        *x -= 1.0;
                    }
                }
                let x = (s * texture.width as f64).floor() as usize;
                let y = (t * texture.height as f64).floor() as usize;
                let pixel = &texture.samples[(y * texture.width + x) * texture.bands..];
                [pixel[0], pixel[1], pixel[2]].map(|channel| f32::from(channel) / 255.0)
            }
        }
    }
}

impl Scene {
    fn pixel(&self, view: View, c: i32, r: i32) -> Colour {
        let (col, row) = (f64::from(c + view.coff), f64::from(view.wrows - 1 - (r + view.roff)));
        if !view.aa {
            return self.trace(&self.camera_ray(view, col + 0.5, row + 0.5), 0);
        }
        let mut sum = [0.0; 3];
        for (x, y) in [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)] {
            let colour = self.trace(&self.camera_ray(view, col + x, row + y), 0);
            for i in 0..3 {
                sum[i] += colour[i] * 0.25;
            }
        }
        sum
    }

    fn camera_ray(&self, view: View, col: f64, row: f64) -> Ray {
        let (scols, srows) = (f64::from(view.scols), f64::from(view.srows));
        let fovy = self.fovy.to_radians();
        let fovx = fovy * scols / srows;
        let (width, height) = (2.0 * (fovx / 2.0).sin(), 2.0 * (fovy / 2.0).sin());
        let x = (col / scols) * width - width / 2.0;
        let y = (row / srows) * height - height / 2.0;
        let vz = times(normalize(subtract(self.center, self.eye)), -1.0);
        let vx = normalize(cross(self.up, vz));
        let vy = cross(vz, vx);
        let local = add(add(times(vx, x), times(vy, y)), times(vz, -1.0));
        ray(self.eye, subtract(add(local, self.eye), self.eye))
    }

    fn nearest(&self, ray: &Ray, within: f64) -> Option<(usize, Hit)> {
        let mut nearest = None;
        let mut distance = within;
        for (i, (_, _, shape)) in self.shapes.iter().enumerate() {
            if let Some(hit) = shape.hit(ray)
                && hit.distance < distance
            {
                distance = hit.distance;
                nearest = Some((i, hit));
            }
        }
        nearest
    }

    fn trace(&self, ray: &Ray, depth: u32) -> Colour {
        match self.nearest(ray, f64::INFINITY) {
            Some((i, hit)) => self.shade(ray, i, &hit, depth),
            None => [128.0 / 255.0; 3],
        }
    }

    fn shade(&self, from: &Ray, shape: usize, hit: &Hit, depth: u32) -> Colour {
        let (pigment, finish, _) = &self.shapes[shape];
        let [ambient, diffuse, specular, shininess, reflection, transmission, ior] =
            self.finishes[*finish];
        let pigment = self.pigments[*pigment].colour(hit.point, self.texture.as_ref());
        let mut colour = [0.0; 3];
        if 0.0 < ambient {
            let light = multiply(self.lights[0].1, [clamp(ambient); 3]);
            colour = blend(colour, multiply(pigment, light));
        }
        for (position, intensity, [a, b, c]) in self.lights.iter().skip(1) {
            let towards = subtract(*position, hit.point);
            let shadow = ray(hit.point, towards);
            if self.nearest(&shadow, length(towards)).is_some() {
                continue;
            }
            let d = length(subtract(*position, shadow.origin));
            let attenuation =
                1.0 / (f64::from(*a) + f64::from(*b) * d + f64::from(*c) * (d * d)) as f32;
            let ds = diffuse * dot(hit.normal, shadow.direction).max(0.0) as f32;
            let half = normalize(subtract(shadow.direction, from.direction));
            let shine = dot(hit.normal, half).max(0.0).powf(f64::from(shininess));
            let ss = specular * shine as f32;
            let lit: Vec<f32> = (0..3)
                .map(|i| clamp(intensity[i] * attenuation * (pigment[i] * ds + ss)))
                .collect();
            colour = blend(colour, [lit[0], lit[1], lit[2]]);
        }
        if depth <= 5 && 0.0 < reflection {
            let n = hit.normal;
            let direction = subtract(from.direction, times(n, 2.0 * dot(from.direction, n)));
            let seen = self.trace(&ray(hit.point, direction), depth + 1);
            colour = blend(colour, multiply(seen, [clamp(reflection); 3]));
        }
        if depth <= 5 && 0.0 < transmission {
            let v = times(from.direction, -1.0);
            let cosi = dot(v, hit.normal);
            let ratio = if hit.entering { 1.0 / f64::from(ior) } else { f64::from(ior) };
            let cost = (1.0 - ratio * ratio * (1.0 - cosi * cosi)).sqrt();
            let direction = subtract(times(hit.normal, ratio * cosi - cost), times(v, ratio));
            let seen = self.trace(&ray(hit.point, direction), depth + 1);
            colour = blend(colour, multiply(seen, [clamp(transmission); 3]));
        }
        colour
    }
}
