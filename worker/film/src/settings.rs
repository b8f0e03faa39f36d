//! What can be chosen of a film, within which range, and what it is where nobody chooses.

use std::fmt;

/// The range of a number, its default, and whether it is a whole one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The part of the form that has it.
    pub name: &'static str,
    /// What it is where the form does not say.
    pub default: f64,
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Whole,
    Even,
}

/// How long each photo stands still, in seconds.
pub const SECONDS: Range =
    Range { name: "seconds", default: 2.0, min: 0.1, max: 60.0, kind: Kind::Any };

/// How long one photo fades into the next, in seconds. It comes between the times that they stand.
pub const FADE: Range = Range { name: "fade", default: 0.5, min: 0.0, max: 10.0, kind: Kind::Any };

/// Columns of a frame.
pub const WIDTH: Range =
    Range { name: "width", default: 1280.0, min: 16.0, max: 3840.0, kind: Kind::Even };

/// Rows of a frame.
pub const HEIGHT: Range =
    Range { name: "height", default: 720.0, min: 16.0, max: 3840.0, kind: Kind::Even };

/// Frames a second.
pub const FPS: Range = Range { name: "fps", default: 25.0, min: 1.0, max: 60.0, kind: Kind::Whole };

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// See [`SECONDS`].
    pub seconds: f64,
    /// See [`FADE`].
    pub fade: f64,
    /// See [`WIDTH`].
    pub width: u32,
    /// See [`HEIGHT`].
    pub height: u32,
    /// See [`FPS`].
    pub fps: u32,
}

// === impl Range ===

impl Range {
    /// All that can be chosen.
    pub const ALL: [Range; 5] = [SECONDS, FADE, WIDTH, HEIGHT, FPS];

    /// The number that `text` is, where it is one of these.
    pub fn read(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        // As people write numbers: neither `inf` nor `1e1`.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let value: f64 = is_plain.then(|| text.parse().ok())??;
        let is_kind = match self.kind {
            Kind::Any => true,
            Kind::Whole => value.fract() == 0.0,
            Kind::Even => value % 2.0 == 0.0,
        };
        (is_kind && self.min <= value && value <= self.max).then_some(value)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Any => "a number",
            Kind::Whole => "a whole number",
            Kind::Even => "an even number",
        };
        write!(f, "{kind} from {} to {}", self.min, self.max)
    }
}

// === impl Settings ===

impl Settings {
    /// Sets what `range` is the range of to `value`, which is in it.
    pub(crate) fn set(&mut self, range: &Range, value: f64) {
        match range.name {
            "seconds" => self.seconds = value,
            "fade" => self.fade = value,
            "width" => self.width = value as u32,
            "height" => self.height = value as u32,
            _ => self.fps = value as u32,
        }
    }

    /// Pixels of a frame.
    pub fn frame_pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// The columns and rows that a picture of `width` by `height` is fitted into.
    pub fn fitted(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let [width, height] = [width, height].map(|side| f64::from(side.max(1)));
        let scale = (f64::from(self.width) / width).min(f64::from(self.height) / height);
        let side = |of: f64, most: u32| ((of * scale).round() as u32).clamp(1, most);
        (side(width, self.width), side(height, self.height))
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seconds: SECONDS.default,
            fade: FADE.default,
            width: WIDTH.default as u32,
            height: HEIGHT.default as u32,
            fps: FPS.default as u32,
        }
    }
}
