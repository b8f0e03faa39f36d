//! The corners of the eyes, and the nose: dlib's shape predictor (Kazemi and Sullivan 2014, "One
//! Millisecond Face Alignment with an Ensemble of Regression Trees").
//!
//! It begins with the mean face and moves its points, round by round. A tree of a round compares
//! the brightness of pairs of pixels, which move with the points, and its leaf says how far to move
//! them.
//!
//! The file, in little endian: `wbshape1`; points, rounds, trees of a round, splits of a tree and
//! pixels of a round, as u32; the mean face. Then of each round its pixels, each with the point
//! that it moves with (u32) and how far it is from there (2 f32), and its trees: their splits, each
//! with the two pixels (u32) and the threshold (f32), and their leaves. A face is x and y of each
//! point, as parts of the detected face's sides.

use std::path::Path;

use weighbridge_instrument::checkpoint;

use super::super::OperationError;
use super::super::models::{ModelError, Picture, missing, read};
use super::detect::Face;

/// Points of the face.
pub(super) const POINTS: usize = 5;

/// A point, or how far it moves: x and y.
pub(super) type Point = [f32; 2];

/// A face, as parts of its sides.
type Shape = [Point; POINTS];

/// Finds points in faces.
#[derive(Debug)]
pub(super) struct Landmarks {
    mean: Shape,
    rounds: Vec<Round>,
}

#[derive(Debug)]
struct Round {
    pixels: Vec<Pixel>,
    trees: Vec<Tree>,
}

#[derive(Debug)]
struct Pixel {
    point: usize,
    away: Point,
}

#[derive(Debug)]
struct Tree {
    splits: Vec<Split>,
    leaves: Vec<Shape>,
}

#[derive(Debug)]
struct Split {
    pixels: [usize; 2],
    threshold: f32,
}

/// Reads the file, from its beginning to its end.
struct File<'a>(&'a [u8]);

const FILE: &str = "landmarks.bin";

impl Landmarks {
    pub(super) fn read(folder: &Path) -> Result<Landmarks, ModelError> {
        let file = read(super::NAME, folder, FILE)?;
        let landmarks = Landmarks::parse(&file);
        landmarks.ok_or_else(|| missing(super::NAME, &folder.join(FILE), "it is damaged"))
    }

    fn parse(file: &[u8]) -> Option<Landmarks> {
        let mut file = File(file.strip_prefix(b"wbshape1")?);
        let head = [file.count()?, file.count()?, file.count()?, file.count()?, file.count()?];
        let [points, n_rounds, n_trees, n_splits, n_pixels] = head;
        if points != POINTS {
            return None;
        }
        let mean = file.shape()?;
        let mut rounds = Vec::new();
        for _ in 0..n_rounds {
            rounds.push(file.round(n_pixels, n_trees, n_splits)?);
        }
        file.0.is_empty().then_some(Landmarks { mean, rounds })
    }

    /// The points of `face`, in pixels of `picture`: the outer and the inner corner of the eye on
    /// the right, of the eye on the left, and what is under the nose.
    pub(super) fn find(&self, picture: &Picture, face: &Face) -> Result<Shape, OperationError> {
        let mut shape = self.mean;
        for round in &self.rounds {
            checkpoint()?;
            let turn = Turn::between(&self.mean, &shape);
            let look = |pixel: &Pixel| {
                let [x, y] = turn.apply(pixel.away);
                let [left, top] = shape[pixel.point];
                brightness(picture, placed(face, [left + x, top + y]))
            };
            let pixels: Vec<f32> = round.pixels.iter().map(look).collect();
            for tree in &round.trees {
                for (point, by) in shape.iter_mut().zip(tree.leaf(&pixels)) {
                    *point = [point[0] + by[0], point[1] + by[1]];
                }
            }
        }
        Ok(shape.map(|point| placed(face, point)))
    }
}

/// From parts of the sides of `face` to pixels.
fn placed(face: &Face, [x, y]: Point) -> Point {
    let (width, height) = (face.right - face.left - 1.0, face.bottom - face.top - 1.0);
    [face.left + x * width, face.top + y * height]
}

/// The mean of the colours of the nearest pixel; 0 outside of the photo.
fn brightness(picture: &Picture, [x, y]: Point) -> f32 {
    let (width, height) = picture.size();
    let (x, y) = ((x + 0.5).floor(), (y + 0.5).floor());
    if x < 0.0 || y < 0.0 || width as f32 <= x || height as f32 <= y {
        return 0.0;
    }
    let sum: u16 = picture.rgb(x as usize, y as usize).into_iter().map(u16::from).sum();
    f32::from(sum / 3)
}

// === impl Tree ===

impl Tree {
    fn leaf(&self, pixels: &[f32]) -> &Shape {
        let mut at = 0;
        while let Some(Split { pixels: [one, other], threshold }) = self.splits.get(at) {
            let left = *threshold < pixels[*one] - pixels[*other];
            at = 2 * at + if left { 1 } else { 2 };
        }
        &self.leaves[at - self.splits.len()]
    }
}

/// A rotation and a scale, as a complex number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn {
    cos: f32,
    sin: f32,
}

// === impl Turn ===

impl Turn {
    /// What brings `from` nearest to `to`, in least squares, where both may be moved (Umeyama
    /// 1991).
    pub(super) fn between(from: &Shape, to: &Shape) -> Turn {
        let (a, b) = (centre(from), centre(to));
        let (mut cos, mut sin, mut size) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let p = [p[0] - a[0], p[1] - a[1]];
            let q = [q[0] - b[0], q[1] - b[1]];
            cos += p[0] * q[0] + p[1] * q[1];
            sin += p[0] * q[1] - p[1] * q[0];
            size += p[0] * p[0] + p[1] * p[1];
        }
        Turn { cos: cos / size, sin: sin / size }
    }

    pub(super) fn apply(self, [x, y]: Point) -> Point {
        [self.cos * x - self.sin * y, self.sin * x + self.cos * y]
    }

    /// How much larger things become.
    pub(super) fn scale(self) -> f32 {
        self.cos.hypot(self.sin)
    }
}

/// The mean of all points.
pub(super) fn centre(shape: &Shape) -> Point {
    let sum = shape.iter().fold([0.0, 0.0], |sum, point| [sum[0] + point[0], sum[1] + point[1]]);
    sum.map(|sum| sum / POINTS as f32)
}

// === impl File ===

impl File<'_> {
    fn word(&mut self) -> Option<[u8; 4]> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*word)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.word()?)).ok()
    }

    /// A place in a list of `length`.
    fn index(&mut self, length: usize) -> Option<usize> {
        self.count().filter(|index| *index < length)
    }

    fn number(&mut self) -> Option<f32> {
        Some(f32::from_le_bytes(self.word()?)).filter(|number| number.is_finite())
    }

    fn point(&mut self) -> Option<Point> {
        Some([self.number()?, self.number()?])
    }

    fn shape(&mut self) -> Option<Shape> {
        let mut shape = [[0.0; 2]; POINTS];
        for point in &mut shape {
            *point = self.point()?;
        }
        Some(shape)
    }

    fn round(&mut self, n_pixels: usize, n_trees: usize, n_splits: usize) -> Option<Round> {
        let mut round = Round { pixels: Vec::new(), trees: Vec::new() };
        for _ in 0..n_pixels {
            round.pixels.push(Pixel { point: self.index(POINTS)?, away: self.point()? });
        }
        for _ in 0..n_trees {
            round.trees.push(self.tree(n_pixels, n_splits)?);
        }
        Some(round)
    }

    /// A tree whose every way down ends at a leaf has one less split than leaves.
    fn tree(&mut self, n_pixels: usize, n_splits: usize) -> Option<Tree> {
        let mut tree = Tree { splits: Vec::new(), leaves: Vec::new() };
        for _ in 0..n_splits {
            let pixels = [self.index(n_pixels)?, self.index(n_pixels)?];
            tree.splits.push(Split { pixels, threshold: self.number()? });
        }
        for _ in 0..=n_splits {
            tree.leaves.push(self.shape()?);
        }
        Some(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN: Shape = [[0.8, 0.3], [0.6, 0.3], [0.2, 0.3], [0.4, 0.3], [0.5, 0.7]];

    /// A predictor of one round with one tree, whose split compares two pixels.
    fn file() -> Vec<u8> {
        let mut file = b"wbshape1".to_vec();
        for number in [5_u32, 1, 1, 1, 2] {
            file.extend(number.to_le_bytes());
        }
        file.extend(MEAN.as_flattened().iter().flat_map(|number| number.to_le_bytes()));
        for point in [0_u32, 4] {
            file.extend([point.to_le_bytes(), [0; 4], [0; 4]].concat());
        }
        file.extend([0_u32.to_le_bytes(), 1_u32.to_le_bytes(), 10_f32.to_le_bytes()].concat());
        for by in [0.25_f32, -0.25] {
            file.extend(by.to_le_bytes().repeat(2 * POINTS));
        }
        file
    }

    #[test]
    fn a_turn_is_found_again() {
        let turn = Turn { cos: 1.5, sin: -0.5 };
        let to = MEAN.map(|point| {
            let [x, y] = turn.apply(point);
            [x + 7.0, y - 3.0]
        });
        let found = Turn::between(&MEAN, &to);
        assert!((found.cos - 1.5).abs() < 1e-5 && (found.sin + 0.5).abs() < 1e-5, "{found:?}");
        assert!((found.scale() - 2.5_f32.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn a_split_sends_what_is_brighter_to_the_left() {
        let landmarks = Landmarks::parse(&file()).expect("it is whole");
        let tree = &landmarks.rounds[0].trees[0];
        assert!(0.0 < tree.leaf(&[50.0, 30.0])[0][0]);
        assert!(tree.leaf(&[50.0, 40.0])[0][0] < 0.0, "10 is not more than 10");
    }

    #[test]
    fn a_damaged_file_is_refused_not_believed() {
        let whole = file();
        assert!(Landmarks::parse(&whole).is_some());
        for length in 0..whole.len() {
            assert!(Landmarks::parse(&whole[..length]).is_none(), "{length}");
        }
        assert!(Landmarks::parse(&[&whole[..], &[0]].concat()).is_none(), "there is more");
        let mut wrong = whole.clone();
        wrong[8 + 20 + 40] = 5;
        assert!(Landmarks::parse(&wrong).is_none(), "there is no point 5");
        wrong.clone_from(&whole);
        wrong[8 + 20..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(Landmarks::parse(&wrong).is_none(), "no point is at NaN");
    }
}
