//! Random scenes for the ray tracer, and random windows of them.

use std::fmt::Write;

use fastrand::Rng;
use image::{ImageFormat, RgbImage};

use super::{between, spread};

/// How many shapes at the most.
const SHAPES_MAX: f64 = 60.0;

/// The least and most rows and columns of a picture.
const SIDES: (f64, f64) = (60.0, 600.0);

/// The query of a random window: mostly all of a picture, else a part of it.
pub(crate) fn random_view(random: &mut Rng) -> String {
    let [scols, srows] = [(); 2].map(|()| spread(random, SIDES.0, SIDES.1).round());
    let (wcols, wrows, coff, roff) = if random.u8(0..3) == 0 {
        let [across, down] = [(); 2].map(|()| between(random, 0.2, 1.0));
        let (wcols, wrows) = ((scols * across).ceil(), (srows * down).ceil());
        let [coff, roff] =
            [scols - wcols, srows - wrows].map(|room| (between(random, 0.0, room)).floor());
        (wcols, wrows, coff, roff)
    } else {
        (scols, srows, 0.0, 0.0)
    };
    let aa = if random.u8(0..4) == 0 { "&aa=true" } else { "" };
    format!("scols={scols}&srows={srows}&wcols={wcols}&wrows={wrows}&coff={coff}&roff={roff}{aa}")
}

/// The body with a random scene.
pub(crate) fn random(random: &mut Rng) -> Vec<u8> {
    let has_texture = random.u8(0..5) == 0;
    let mut scene = String::new();
    // Writing to a string cannot fail.
    let _ = write_scene(&mut scene, random, has_texture);
    let texture = if has_texture { texture(random) } else { Vec::new() };
    let body = serde_json::json!({ "scene": scene, "texmap": texture });
    body.to_string().into_bytes()
}

fn write_scene(scene: &mut String, random: &mut Rng, has_texture: bool) -> std::fmt::Result {
    let n_lights = 1 + random.u32(0..4);
    let n_finishes = 1 + random.u32(0..4);
    let n_pigments = 1 + random.u32(0..4);
    let n_shapes = spread(random, 1.0, SHAPES_MAX).round() as u32;
    let eye = [between(random, -4.0, 4.0), between(random, 0.0, 5.0), between(random, 8.0, 14.0)];
    let fovy = between(random, 25.0, 70.0);
    writeln!(scene, "{} 0 0 -8 0 1 0 {fovy:.1}", triple(eye))?;
    writeln!(scene, "{n_lights}\n0 0 0 .9 .9 .9 1 0 0")?;
    for _ in 1..n_lights {
        let place = [
            between(random, -25.0, 25.0),
            between(random, 3.0, 40.0),
            between(random, -20.0, 25.0),
        ];
        writeln!(scene, "{} .8 .8 .7 1 0 {:.5}", triple(place), between(random, 0.0, 0.001))?;
    }
    writeln!(scene, "{n_pigments}")?;
    for index in 0..n_pigments {
        write_pigment(scene, random, has_texture && index == 0)?;
    }
    writeln!(scene, "{n_finishes}")?;
    for _ in 0..n_finishes {
        write_finish(scene, random)?;
    }
    writeln!(scene, "{n_shapes}")?;
    let (spheres, has_floor) = (between(random, 0.0, 1.0), random.bool());
    for index in 0..n_shapes {
        write!(scene, "{} {} ", random.u32(0..n_pigments), random.u32(0..n_finishes))?;
        if index == 0 && has_floor {
            writeln!(scene, "plane 0 1 0 {:.2}", between(random, 2.0, 5.0))?;
        } else {
            write_shape(scene, random, spheres)?;
        }
    }
    Ok(())
}

fn write_pigment(scene: &mut String, random: &mut Rng, is_texture: bool) -> std::fmt::Result {
    if is_texture {
        return writeln!(scene, "texmap texture.png .1 0 .05 0 0 .1 .05 .3");
    }
    let [one, other] = [(); 2].map(|()| triple([random.f64(), random.f64(), random.f64()]));
    match random.u8(0..4) {
        0 => writeln!(scene, "checker {one} {other} {:.1}", between(random, 0.5, 4.0)),
        1 => writeln!(scene, "gradient 0 0 0 1 0 0 {one} {other}"),
        _ => writeln!(scene, "solid {one}"),
    }
}

fn write_finish(scene: &mut String, random: &mut Rng) -> std::fmt::Result {
    let mut sometimes = |share: f64, most: f64| {
        if random.f64() < share { random.f64() * most } else { 0.0 }
    };
    let (ambient, diffuse) = (sometimes(0.9, 0.5), sometimes(0.9, 0.8));
    let (specular, reflection, transmission) =
        (sometimes(0.6, 0.9), sometimes(0.35, 0.7), sometimes(0.2, 0.8));
    let (shininess, ior) = (spread(random, 2.0, 600.0), between(random, 1.0, 1.6));
    writeln!(
        scene,
        "{ambient:.2} {diffuse:.2} {specular:.2} {shininess:.0} {reflection:.2} {transmission:.2} {ior:.2}"
    )
}

/// A shape before the eye; `spheres` is the share of spheres.
fn write_shape(scene: &mut String, random: &mut Rng, spheres: f64) -> std::fmt::Result {
    let place =
        [between(random, -9.0, 9.0), between(random, -5.0, 6.0), between(random, -25.0, 0.0)];
    if random.f64() < spheres {
        return writeln!(scene, "sphere {} {:.2}", triple(place), spread(random, 0.3, 3.5));
    }
    match random.u8(0..10) {
        0 => writeln!(
            scene,
            "plane {:.2} 1 {:.2} {:.2}",
            between(random, -0.4, 0.4),
            between(random, -0.4, 0.4),
            between(random, 3.0, 9.0)
        ),
        1 => writeln!(scene, "cylinder {} 0 1 0 1", triple(place)),
        _ => {
            let mut corner = || place.map(|side| side + between(random, -3.5, 3.5));
            let corners = [corner(), corner(), corner()].map(triple);
            writeln!(scene, "triangle {}", corners.join(" "))
        }
    }
}

fn triple([x, y, z]: [f64; 3]) -> String {
    format!("{x:.2} {y:.2} {z:.2}")
}

/// The file of a texture.
fn texture(random: &mut Rng) -> Vec<u8> {
    let [width, height] = [(); 2].map(|()| spread(random, 16.0, 200.0) as u32);
    let shift = random.u32(1..40);
    let texture = RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([(x * shift) as u8, (y * 5) as u8, (x ^ y) as u8])
    });
    let mut file = std::io::Cursor::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = texture.write_to(&mut file, ImageFormat::Png);
    file.into_inner()
}
