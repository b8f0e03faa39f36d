//! Random ray-tracing requests and what they truly cost: every pixel traced, nothing sampled.

use crate::learning::Random;

type Vector = [f64; 3];

enum Shape {
    Sphere(Vector, f64),
    Plane(Vector, f64),
    Triangle([Vector; 3]),
}

/// A random scene and window.
pub(crate) struct Render {
    eye: Vector,
    fovy: f64,
    lights: Vec<Vector>,
    /// Shape, reflection, transmission.
    shapes: Vec<(Shape, f64, f64)>,
    scols: u64,
    srows: u64,
    wcols: u64,
    wrows: u64,
    coff: u64,
    roff: u64,
}

/// What rendering takes.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) pixels: u64,
    pub(crate) intersections: u64,
    pub(crate) hits: u64,
}

impl Render {
    pub(crate) fn random(random: &mut Random) -> Render {
        let mut point = |spread: f64| -> Vector {
            [random.between(-spread, spread), random.between(-spread, spread), 0.0]
        };
        let eye = point(3.0);
        let mut shapes = Vec::new();
        for _ in 0..random.whole(1, 16) {
            let mut side = |spread: f64| random.between(-spread, spread);
            let center = [side(9.0), side(7.0), -16.0 + side(7.0)];
            let corners = [(); 3].map(|()| [side(9.0), side(9.0), -14.0 + side(6.0)]);
            let (tilt, offset) = (side(0.3), 4.0 + side(1.5));
            let shape = match random.whole(0, 5) {
                0 => Shape::Plane([tilt, 1.0, 0.0], offset),
                1 | 2 => Shape::Triangle(corners),
                _ => Shape::Sphere(center, random.between(0.5, 4.0)),
            };
            let [reflection, transmission] =
                [0.4, 0.2].map(|share| if random.between(0.0, 1.0) < share { 0.5 } else { 0.0 });
            shapes.push((shape, reflection, transmission));
        }
        let mut side = |spread: f64| random.between(-spread, spread);
        let lights = (0..4).map(|_| [side(60.0), 60.0 + side(40.0), side(60.0)]);
        let mut lights: Vec<Vector> = lights.collect();
        lights.truncate(random.whole(1, 4) as usize);
        let (scols, srows) = (random.whole(24, 60), random.whole(18, 40));
        let (wcols, wrows) = (random.whole(12, scols), random.whole(9, srows));
        Render {
            eye,
            fovy: random.between(25.0, 60.0),
            lights,
            shapes,
            scols,
            srows,
            wcols,
            wrows,
            coff: random.whole(0, scols - wcols),
            roff: random.whole(0, srows - wrows),
        }
    }

    pub(crate) fn query(&self) -> String {
        let Render { scols, srows, wcols, wrows, coff, roff, .. } = self;
        format!("scols={scols}&srows={srows}&wcols={wcols}&wrows={wrows}&coff={coff}&roff={roff}")
    }

    /// Every shape has its own finish.
    pub(crate) fn body(&self) -> Vec<u8> {
        let text =
            |numbers: &[f64]| numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
        let [x, y, z] = self.eye;
        let eye = text(&[x, y, z, x, y, z - 1.0]);
        let mut lines = vec![format!("{eye} 0 1 0 {}", self.fovy), self.lights.len().to_string()];
        lines.extend(self.lights.iter().map(|light| format!("{} 1 1 1 1 0 0", text(light))));
        lines.push(format!("1 solid 1 0 0\n{}", self.shapes.len()));
        lines.extend(self.shapes.iter().map(|(_, reflection, transmission)| {
            format!("0.2 0.6 0.5 50 {reflection} {transmission} 1.5")
        }));
        lines.push(self.shapes.len().to_string());
        for (finish, (shape, ..)) in self.shapes.iter().enumerate() {
            let shape = match shape {
                Shape::Sphere(center, radius) => format!("sphere {} {radius}", text(center)),
                Shape::Plane(normal, offset) => format!("plane {} {offset}", text(normal)),
                Shape::Triangle(corners) => format!("triangle {}", text(corners.as_flattened())),
            };
            lines.push(format!("0 {finish} {shape}"));
        }
        let scene = lines.join("\n");
        serde_json::to_vec(&serde_json::json!({ "scene": scene, "texmap": [] })).unwrap()
    }

    pub(crate) fn count(&self) -> Counts {
        let mut counts = Counts { pixels: self.wcols * self.wrows, ..Counts::default() };
        let height = 2.0 * (self.fovy.to_radians() / 2.0).sin();
        let fovx = self.fovy.to_radians() * self.scols as f64 / self.srows as f64;
        let width = 2.0 * (fovx / 2.0).sin();
        for pixel in 0..counts.pixels {
            let column = (pixel % self.wcols + self.coff) as f64;
            let row = self.wrows as f64 - 1.0 - (pixel / self.wcols + self.roff) as f64;
            let x = (column + 0.5) / self.scols as f64 * width - width / 2.0;
            let y = (row + 0.5) / self.srows as f64 * height - height / 2.0;
            self.trace(self.eye, unit([x, y, -1.0]), 0, &mut counts);
        }
        counts
    }

    fn trace(&self, from: Vector, direction: Vector, depth: u32, counts: &mut Counts) {
        let origin = along(from, direction, 0.001);
        let Some((distance, index)) = self.nearest(origin, direction, counts) else { return };
        counts.hits += 1;
        let point = along(origin, direction, distance);
        let (shape, reflection, transmission) = &self.shapes[index];
        for light in &self.lights[1..] {
            let to_light = unit(along(*light, point, -1.0));
            self.nearest(along(point, to_light, 0.001), to_light, counts);
        }
        if depth == 6 {
            return;
        }
        let normal = match shape {
            Shape::Sphere(center, _) => unit(along(point, *center, -1.0)),
            Shape::Plane(normal, _) => unit(*normal),
            Shape::Triangle([a, b, c]) => unit(cross(along(*b, *a, -1.0), along(*c, *a, -1.0))),
        };
        let cosine = dot(direction, normal);
        if 0.0 < *reflection {
            self.trace(point, along(direction, normal, -2.0 * cosine), depth + 1, counts);
        }
        if 0.0 < *transmission {
            // Only a sphere has an inside: a ray enters what is flat from either side.
            let leaves = 0.0 <= cosine && matches!(shape, Shape::Sphere(..));
            let (normal, ratio) =
                if leaves { (normal.map(|side| -side), 1.5) } else { (normal, 1.0 / 1.5) };
            let inwards = -dot(direction, normal);
            let bent = (1.0 - ratio * ratio * (1.0 - inwards * inwards)).sqrt();
            let next = along(direction.map(|side| side * ratio), normal, ratio * inwards - bent);
            self.trace(point, next, depth + 1, counts);
        }
    }

    fn nearest(
        &self,
        origin: Vector,
        direction: Vector,
        counts: &mut Counts,
    ) -> Option<(f64, usize)> {
        counts.intersections += self.shapes.len() as u64;
        let mut nearest = None;
        for (index, (shape, ..)) in self.shapes.iter().enumerate() {
            let distance = match shape {
                Shape::Sphere(center, radius) => {
                    let apart = along(origin, *center, -1.0);
                    let b = dot(apart, direction);
                    let root = (b * b - dot(apart, apart) + radius * radius).sqrt();
                    if 0.0 < -b - root { -b - root } else { root - b }
                }
                Shape::Plane(normal, offset) => {
                    -(dot(*normal, origin) + offset) / dot(*normal, direction)
                }
                Shape::Triangle([a, b, c]) => {
                    let normal = cross(along(*b, *a, -1.0), along(*c, *a, -1.0));
                    let distance = dot(normal, along(*a, origin, -1.0)) / dot(normal, direction);
                    let point = along(origin, direction, distance);
                    let inside = [(a, b), (b, c), (c, a)].iter().all(|(one, other)| {
                        let edge = along(**other, **one, -1.0);
                        0.0 <= dot(normal, cross(edge, along(point, **one, -1.0)))
                    });
                    if inside { distance } else { -1.0 }
                }
            };
            let is_nearer = nearest.is_none_or(|(least, _)| distance < least);
            if 0.0 < distance && distance.is_finite() && is_nearer {
                nearest = Some((distance, index));
            }
        }
        nearest
    }
}

/// `from` plus `by` times `direction`.
fn along(from: Vector, direction: Vector, by: f64) -> Vector {
    [0, 1, 2].map(|side| from[side] + by * direction[side])
}

fn dot(one: Vector, other: Vector) -> f64 {
    one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
}

fn cross(one: Vector, other: Vector) -> Vector {
    [[1, 2], [2, 0], [0, 1]].map(|[a, b]| one[a] * other[b] - one[b] * other[a])
}

fn unit(one: Vector) -> Vector {
    let length = dot(one, one).sqrt();
    one.map(|side| side / length)
}
