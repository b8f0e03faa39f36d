//! The face, upright and in the size that the descriptor sees: dlib's chips.
//!
//! The five points of a mean face, with a quarter of its side around, are laid onto those of the
//! photo by a turn, a scale and a move, in least squares. Each pixel of the chip is the mean of so
//! many places of the photo, each between four pixels, that none is skipped.

use weighbridge_instrument::checkpoint;

use super::super::OperationError;
use super::super::models::Picture;
use super::landmarks::{POINTS, Point, Turn, centre};

/// Columns and rows of a chip.
pub(super) const SIDE: usize = 150;

/// What is around the face, in sides of the face.
const PADDING: f32 = 0.25;

/// Where the points of the mean face are, as parts of its side.
const MEAN: [Point; POINTS] = [
    [0.859_567_46, 0.213_498_15],
    [0.646_060_5, 0.228_967_44],
    [0.120_575_06, 0.213_727_45],
    [0.334_085_06, 0.229_064_24],
    [0.490_112_3, 0.627_797_53],
];

/// Places of the photo for each pixel, along a side; more would not be seen.
const PLACES_MAX: usize = 16;

/// The chip around `points`: red, then green, then blue, rows from the top.
pub(super) fn cut(picture: &Picture, points: &[Point; POINTS]) -> Result<Vec<f32>, OperationError> {
    let side = SIDE as f32;
    let mean = MEAN.map(|point| point.map(|at| (PADDING + at) / (2.0 * PADDING + 1.0) * side));
    let turn = Turn::between(&mean, points);
    let (from, to) = (centre(&mean), centre(points));
    let place = |x: f32, y: f32| {
        let [x, y] = turn.apply([x - from[0], y - from[1]]);
        [to[0] + x, to[1] + y]
    };
    let places = (turn.scale().round() as usize).clamp(1, PLACES_MAX);
    let part = |i: usize| (i as f32 + 0.5) / places as f32 - 0.5;
    let area = SIDE * SIDE;
    let mut chip = vec![0.0; 3 * area];
    for y in 0..SIDE {
        checkpoint()?;
        for x in 0..SIDE {
            let mut sum = [0.0; 3];
            for i in 0..places * places {
                let (right, down) = (part(i % places), part(i / places));
                let colour = between(picture, place(x as f32 + right, y as f32 + down));
                sum = [0, 1, 2].map(|band| sum[band] + colour[band]);
            }
            for (band, sum) in sum.into_iter().enumerate() {
                chip[band * area + y * SIDE + x] = sum / (places * places) as f32;
            }
        }
    }
    Ok(chip)
}

/// The colour between four pixels; black outside of the photo.
fn between(picture: &Picture, [x, y]: Point) -> [f32; 3] {
    let (width, height) = picture.size();
    let (left, top) = (x.floor(), y.floor());
    let pixel = |x: f32, y: f32| {
        let inside = 0.0 <= x && 0.0 <= y && x < width as f32 && y < height as f32;
        if inside { picture.rgb(x as usize, y as usize) } else { [0; 3] }.map(f32::from)
    };
    let (right, down) = (x - left, y - top);
    let upper = (pixel(left, top), pixel(left + 1.0, top));
    let lower = (pixel(left, top + 1.0), pixel(left + 1.0, top + 1.0));
    [0, 1, 2].map(|band| {
        let upper = upper.0[band] * (1.0 - right) + upper.1[band] * right;
        let lower = lower.0[band] * (1.0 - right) + lower.1[band] * right;
        upper * (1.0 - down) + lower * down
    })
}
