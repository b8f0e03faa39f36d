//! When what is shown.
//!
//! ```text
//! photo 1 stands | fade | photo 2 stands | fade | photo 3 stands
//! ```

use crate::Settings;

/// The most pixels of all frames of a film together: about 12 minutes of 1280x720 at 25 frames a
/// second.
pub const FILM_PIXELS_MAX: u64 = 1 << 34;

/// The frames of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// Photos, above zero.
    pub photos: u64,
    /// Frames for which each of them stands, above zero.
    pub still: u64,
    /// Frames between two of them.
    pub faded: u64,
    /// Frames a second.
    pub fps: u32,
}

impl Timeline {
    /// The frames of a film of `photos` photos.
    pub fn new(settings: &Settings, photos: usize) -> Timeline {
        let frames = |seconds: f64| (seconds * f64::from(settings.fps)).round() as u64;
        Timeline {
            photos: photos as u64,
            still: frames(settings.seconds).max(1),
            faded: frames(settings.fade),
            fps: settings.fps,
        }
    }

    /// How many there are.
    pub fn frames(&self) -> u64 {
        self.photos * self.still + self.fades() * self.faded
    }

    /// How often one photo fades into another.
    pub fn fades(&self) -> u64 {
        self.photos.saturating_sub(1)
    }

    /// How long the film is.
    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.fps)
    }
}
