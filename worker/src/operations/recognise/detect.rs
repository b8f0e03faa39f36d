//! Where faces are: dlib's detector with the max-margin loss (King 2015, arXiv:1502.00046).
//!
//! A network says of each eighth pixel how much the 80 by 80 pixels around it look like a face. It
//! is shown the photo in ever smaller sizes, each five sixths of the one before, so that every face
//! has about that size once. The photo is brought to [`SIDE`] pixels on its longer side first,
//! smaller ones too: so the cost hardly depends on the photo, and a face is found from about a
//! sixth of that side on. Of detections that overlap, the surest stays.

use std::path::Path;

use super::super::OperationError;
use super::super::models::{Area, Filter, ModelError, Net, Picture, Planes, resized};

/// Finds faces.
#[derive(Debug)]
pub(super) struct Detector(Net);

/// A face, in pixels of the photo: its left, upper, right and lower edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Face {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
    score: f32,
}

/// Longer side of the photo as it is searched, in pixels.
const SIDE: usize = 480;

/// Side of what looks like a face.
const WINDOW: f32 = 80.0;

/// A size whose longer side is less has no face.
const SIDE_MIN: usize = 60;

/// Zeros around the photo, so that a face may reach its edge.
const MARGIN: usize = 11;

/// Pixels between two places, and the first: what the strides and margins of the network come to.
const STEP: f32 = 8.0;
const FIRST: f32 = 14.0 - MARGIN as f32;

/// Less than this on a side is too small for the strides of the network.
const FRAME_MIN: usize = 32;

/// A face is what has more.
const SCORE_MIN: f32 = 0.0;

/// Two detections that share more of what both cover are one: as the detector was trained.
const SHARED_MAX: f32 = 0.338;

/// The surest detections, so that the comparison of all with all is bounded.
const DETECTIONS_MAX: usize = 1000;

/// What the networks see as 0: the mean of the colours that they were trained on.
pub(super) const MEAN: [f32; 3] = [122.782, 117.001, 104.298];

impl Detector {
    pub(super) fn read(folder: &Path) -> Result<Detector, ModelError> {
        Net::read(super::NAME, folder, "detect.onnx").map(Detector)
    }

    /// All faces, the surest first.
    pub(super) fn find(&self, picture: &Picture) -> Result<Vec<Face>, OperationError> {
        let size = picture.size();
        let area = Area { columns: 0..size.0, rows: 0..size.1 };
        let mut level = resized(picture, &area, fitted(size), Filter::Linear)?;
        let mut found = Vec::new();
        while SIDE_MIN <= level.width.max(level.height) {
            self.search(&level, size, &mut found)?;
            let smaller = (smaller(level.width), smaller(level.height));
            level = level.resized(smaller, Filter::Linear)?;
        }
        Ok(surest(found))
    }

    /// Adds the faces that have the window's size in `level` of a photo of `size`.
    fn search(
        &self,
        level: &Planes,
        (width, height): (usize, usize),
        found: &mut Vec<Face>,
    ) -> Result<(), OperationError> {
        let (input, shape) = framed(level);
        let (scores, [_, columns]) = self.0.run(shape, input)?;
        let scale = (width as f32 / level.width as f32, height as f32 / level.height as f32);
        for (at, &score) in scores.iter().enumerate().filter(|(_, score)| SCORE_MIN < **score) {
            let place = |n: usize| STEP * n as f32 + FIRST;
            let (x, y) = (place(at % columns) + 0.5, place(at / columns) + 0.5);
            found.push(Face {
                left: (x - WINDOW / 2.0) * scale.0,
                top: (y - WINDOW / 2.0) * scale.1,
                right: (x + WINDOW / 2.0) * scale.0,
                bottom: (y + WINDOW / 2.0) * scale.1,
                score,
            });
        }
        Ok(())
    }
}

/// The size in which a photo is searched first.
fn fitted((width, height): (usize, usize)) -> (usize, usize) {
    let longer = width.max(height);
    let side = |side: usize| (side * SIDE / longer).max(1);
    (side(width), side(height))
}

fn smaller(side: usize) -> usize {
    (side * 5 / 6).max(1)
}

/// What the network is shown: `(sample - mean) / 256`, with zeros around, and its shape.
fn framed(level: &Planes) -> (Vec<f32>, [usize; 4]) {
    let framed = |side: usize| (side + 2 * MARGIN).max(FRAME_MIN);
    let (width, height) = (framed(level.width), framed(level.height));
    let mut framed = vec![0.0; 3 * width * height];
    for (band, mean) in MEAN.into_iter().enumerate() {
        for y in 0..level.height {
            let from = &level.samples[(band * level.height + y) * level.width..][..level.width];
            let to = &mut framed[(band * height + y + MARGIN) * width + MARGIN..][..level.width];
            for (to, from) in to.iter_mut().zip(from) {
                *to = (from - mean) / 256.0;
            }
        }
    }
    (framed, [1, 3, height, width])
}

fn surest(mut found: Vec<Face>) -> Vec<Face> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(DETECTIONS_MAX);
    let mut kept: Vec<Face> = Vec::new();
    for face in found {
        if kept.iter().all(|other| face.shared(other) <= SHARED_MAX) {
            kept.push(face);
        }
    }
    kept
}

// === impl Face ===

impl Face {
    /// In pixels of the photo.
    pub(super) fn area(&self) -> f32 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    /// What both cover, over what any of them covers.
    fn shared(&self, other: &Face) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        let both = width.max(0.0) * height.max(0.0);
        both / (self.area() + other.area() - both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(left: f32, score: f32) -> Face {
        Face { left, top: 0.0, right: left + 80.0, bottom: 80.0, score }
    }

    #[test]
    fn of_detections_that_overlap_the_surest_stays() {
        let found = vec![face(0.0, 1.0), face(20.0, 3.0), face(30.0, 2.0), face(90.0, 0.5)];
        assert_eq!(surest(found), [face(20.0, 3.0), face(90.0, 0.5)]);
        let many = (0..5000).map(|i| face(i as f32 * 100.0, i as f32)).collect();
        assert_eq!(surest(many).len(), DETECTIONS_MAX);
    }

    #[test]
    fn every_photo_is_searched_in_about_the_same_size() {
        assert_eq!(fitted((4000, 3000)), (480, 360));
        assert_eq!(fitted((64, 64)), (480, 480));
        assert_eq!(fitted((1, 10_000)), (1, 480));
    }
}
