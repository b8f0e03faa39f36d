//! Decoded images.

use image::{ColorType, DynamicImage, ExtendedColorType};
use weighbridge_instrument::{Abandoned, checkpoint};

use super::Format;
use crate::operations::OperationError;

/// Pixels between two checkpoints.
const PIXELS: usize = 1 << 14;

/// Pixels: rows from the top, bands interleaved, 8 bits each.
///
/// The bands are gray, gray and alpha, RGB, or RGBA; `samples` has `width * height * bands`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Columns, above zero.
    pub width: usize,
    /// Rows, above zero.
    pub height: usize,
    /// Samples of a pixel, 1 to 4.
    pub bands: usize,
    /// The samples.
    pub samples: Vec<u8>,
}

impl Raster {
    pub(super) fn from_image(image: DynamicImage) -> Raster {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (bands, samples) = match image.color() {
            ColorType::L8 | ColorType::L16 => (1, image.into_luma8().into_raw()),
            ColorType::La8 | ColorType::La16 => (2, image.into_luma_alpha8().into_raw()),
            ColorType::Rgba8 | ColorType::Rgba16 | ColorType::Rgba32F => {
                (4, image.into_rgba8().into_raw())
            }
            _ => (3, image.into_rgb8().into_raw()),
        };
        Raster { width, height, bands, samples }
    }

    /// The same without its alpha band, where that hides nothing.
    pub(super) fn without_opaque_alpha(self) -> Result<Raster, OperationError> {
        let opaque = |pixel: &[u8]| pixel.last() == Some(&u8::MAX);
        if self.bands == 4 && self.samples.chunks_exact(4).all(opaque) {
            Ok(self.keep_bands(3)?)
        } else {
            Ok(self)
        }
    }

    /// The same in bands that `format` has. JPEG has no alpha; only PNG has gray with alpha.
    pub(super) fn for_format(self, format: Format) -> Result<Raster, Abandoned> {
        match (format, self.bands) {
            (Format::Jpeg, 2 | 4) => {
                let kept = self.bands - 1;
                self.keep_bands(kept)
            }
            (Format::Bmp | Format::Gif | Format::Tiff, 2) => {
                self.remap(|pixel: &[u8]| [pixel[0], pixel[0], pixel[0], pixel[1]])
            }
            (Format::Gif, 1) => self.remap(|pixel: &[u8]| [pixel[0]; 3]),
            _ => Ok(self),
        }
    }

    pub(super) fn color(&self) -> ExtendedColorType {
        match self.bands {
            1 => ExtendedColorType::L8,
            2 => ExtendedColorType::La8,
            3 => ExtendedColorType::Rgb8,
            _ => ExtendedColorType::Rgba8,
        }
    }

    /// The first `kept` bands of every pixel, 1 or 3.
    fn keep_bands(self, kept: usize) -> Result<Raster, Abandoned> {
        debug_assert!(kept <= self.bands, "bands are only dropped");
        if kept == 1 {
            self.remap(|pixel: &[u8]| [pixel[0]])
        } else {
            self.remap(|pixel: &[u8]| [pixel[0], pixel[1], pixel[2]])
        }
    }

    /// Every pixel made into one of `BANDS` bands.
    fn remap<const BANDS: usize>(
        self,
        change: impl Fn(&[u8]) -> [u8; BANDS],
    ) -> Result<Raster, Abandoned> {
        let mut samples = Vec::with_capacity(self.width * self.height * BANDS);
        for part in self.samples.chunks(PIXELS * self.bands) {
            checkpoint()?;
            samples.extend(part.chunks_exact(self.bands).flat_map(&change));
        }
        Ok(Raster { bands: BANDS, samples, ..self })
    }
}
