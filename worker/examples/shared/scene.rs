//! The scene that the examples render.

use std::fmt::Write;

/// Spheres over a chequered plane, some of them mirrors.
pub(crate) fn scene(spheres: usize) -> Vec<u8> {
    let mut scene = String::from(
        "0 30 -200  0 10 -100  0 1 0  40
         3
         0 0 0  1 1 1  1 0 0
         60 160 -200  1 1 1  1 0 0
         -80 160 -200  1 1 1  1 0 0
         2
         checker .08 .25 .20  .93 .83 .82  40
         solid 1 .5 .2
         2
         .8 0 0  1  0 0 0
         .2 .4 .4  500  .4 0 0\n",
    );
    // Writing to a string cannot fail.
    let _ = writeln!(scene, "         {}\n         0 0 plane 0 1 0 60", spheres + 1);
    for nth in (0_i32..).take(spheres) {
        let angle = f64::from(nth) * 0.6;
        let (x, y) = (30.0 * angle.cos(), 25.0 * angle.sin());
        let _ = writeln!(scene, "{} 1 sphere {x:.2} {y:.2} {} 9", nth % 2, nth * 4 - 24);
    }
    format!("{{\"scene\":\"{}\"}}", scene.replace('\n', " ")).into_bytes()
}
