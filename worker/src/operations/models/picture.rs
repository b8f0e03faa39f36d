//! A decoded photo, the right way up.

use std::borrow::Cow;

use crate::operations::codec::{self, Raster, Source};
use crate::operations::exif::{self, Orientation};
use crate::operations::form::{FormError, ImageRequest};
use crate::operations::{Limits, OperationError, OperationRequest};

/// A photo. Its alpha band is not looked at.
#[derive(Debug)]
pub(in crate::operations) struct Picture {
    raster: Raster,
    orientation: Orientation,
}

impl Picture {
    /// Decodes the body: a data URL, or an image whatever it is announced as.
    pub(in crate::operations) fn read(
        request: &OperationRequest<'_>,
        limits: &Limits,
    ) -> Result<Picture, OperationError> {
        let file = match ImageRequest::parse(request) {
            Ok(image) => image.bytes,
            Err(FormError::NotAnImage) => Cow::Borrowed(request.body),
            Err(error) => return Err(error.into()),
        };
        let raster = Source::open(&file, limits).map_err(codec::failed)?.decode()?;
        Ok(Picture::new(raster, exif::orientation(&file)))
    }

    fn new(raster: Raster, orientation: Orientation) -> Picture {
        Picture { raster, orientation }
    }

    /// Columns and rows, as it is seen.
    pub(in crate::operations) fn size(&self) -> (usize, usize) {
        self.orientation.turned((self.raster.width, self.raster.height))
    }

    /// Red, green and blue of a pixel inside.
    pub(in crate::operations) fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let Raster { width, height, bands, ref samples } = self.raster;
        let (column, row) = self.orientation.stored((x, y), (width, height));
        match samples[(row * width + column) * bands..][..bands] {
            [gray] | [gray, _] => [gray; 3],
            [red, green, blue, ..] => [red, green, blue],
            [] => [0; 3],
        }
    }
}

#[cfg(test)]
pub(super) fn picture(
    width: usize,
    height: usize,
    pixel: impl Fn(usize, usize) -> [u8; 3],
) -> Picture {
    let samples = (0..width * height).flat_map(|i| pixel(i % width, i / width)).collect();
    Picture::new(Raster { width, height, bands: 3, samples }, Orientation::default())
}
