//! A photo of a request, before and after it is decoded.

use weighbridge_film::form::Part;
use weighbridge_film::{Mistake, Settings};

use super::VideoError;
use super::frame::Frame;
use crate::operations::codec::{CodecError, Source};
use crate::operations::exif::{self, Orientation};
use crate::operations::{Limits, OperationError};

/// A photo whose header was read.
pub(super) struct Photo<'a> {
    source: Source<'a>,
    orientation: Orientation,
    /// Which photo it is, for messages.
    called: String,
}

impl<'a> Photo<'a> {
    /// Reads the header of the photo that came as `nth`.
    pub(super) fn open(
        part: &Part<'a>,
        nth: usize,
        limits: &'a Limits,
    ) -> Result<Photo<'a>, Mistake> {
        let called = match part.file_name.as_deref() {
            None | Some("") => format!("photo {nth}"),
            Some(name) => format!("photo {nth}, `{}`", name.escape_debug()),
        };
        match Source::open(part.content, limits) {
            Ok(source) => {
                Ok(Photo { source, orientation: exif::orientation(part.content), called })
            }
            Err(error) => Err(mistake(&called, &error)),
        }
    }

    /// How many pixels it has, by its header.
    pub(super) fn pixels(&self) -> u64 {
        self.source.pixels()
    }

    /// Decodes it and fits it into a frame.
    pub(super) fn frame(self, settings: &Settings) -> Result<Frame, OperationError> {
        let Photo { source, orientation, called } = self;
        let raster = source.decode().map_err(|error| match error {
            OperationError::Codec(error) => VideoError::from(mistake(&called, &error)).into(),
            error => error,
        })?;
        Ok(Frame::of(&raster, orientation, settings)?)
    }
}

fn mistake(called: &str, error: &CodecError) -> Mistake {
    Mistake {
        field: "photos".to_owned(),
        detail: format!("{called}: {error}"),
        is_limit: error.status() == 413,
    }
}
