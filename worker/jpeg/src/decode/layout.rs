//! What the components are.

use super::error::{DecodeError, Unsupported};
use super::frame::Frame;
use weighbridge_image_header::jpeg::markers::{APP0, APP14};

/// What applications said about colours.
#[derive(Default)]
pub(super) struct Layout {
    jfif: bool,
    adobe_transform: Option<u8>,
}

/// What the components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Gray,
    Rgb,
    /// Brightness and two colour differences.
    Ycc,
    /// Inks. Inverted, 0 is the most of an ink.
    Cmyk {
        inverted: bool,
    },
    /// As inks, but cyan, magenta and yellow are brightness and colour differences of what is left.
    Ycck {
        inverted: bool,
    },
}

// === impl Layout ===

impl Layout {
    /// Reads what JFIF and Adobe say.
    pub(super) fn note(&mut self, marker: u8, segment: &[u8]) {
        // Whether it is long enough, libjpeg asks too.
        if marker == APP0 && segment.starts_with(b"JFIF\0") && 14 <= segment.len() {
            self.jfif = true;
        }
        if marker == APP14 && segment.starts_with(b"Adobe") && 12 <= segment.len() {
            self.adobe_transform = Some(segment[11]);
        }
    }

    /// What the components are, by the rules of libjpeg.
    pub(super) fn colours(&self, frame: &Frame) -> Result<Colours, DecodeError> {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        match (ids.len(), self.jfif, self.adobe_transform) {
            (1, ..) => Ok(Colours::Gray),
            (3, false, Some(0)) => Ok(Colours::Rgb),
            (3, false, None) if ids == *b"RGB" => Ok(Colours::Rgb),
            (3, ..) => Ok(Colours::Ycc),
            (4, _, None) => Ok(Colours::Cmyk { inverted: false }),
            (4, _, Some(0)) => Ok(Colours::Cmyk { inverted: true }),
            (4, _, Some(_)) => Ok(Colours::Ycck { inverted: true }),
            (n, ..) => Err(Unsupported::Components(n as u8).into()),
        }
    }
}

impl Colours {
    /// Bands of the image.
    pub(super) fn bands(self) -> usize {
        match self {
            Colours::Gray => 1,
            Colours::Rgb | Colours::Ycc | Colours::Cmyk { .. } | Colours::Ycck { .. } => 3,
        }
    }
}
