//! JPEG, by a crate of ours.

use weighbridge_instrument::checkpoint;
use weighbridge_jpeg::{DecodeError, EncodeError, Image, Limits, Quality, Stopped};

use super::{CodecError, Raster, Source};
use crate::operations::OperationError;

/// The quality of the files that we write. Files of the systems before us have the same tables.
const QUALITY: u8 = 75;

/// Scans of a file that we read.
const SCANS_MAX: usize = 100;

pub(super) fn decode(source: &Source<'_>) -> Result<Raster, OperationError> {
    decode_file(source.bytes, source.limits.image_pixels)
}

/// Decodes a file of up to `pixels` pixels.
pub(super) fn decode_file(file: &[u8], pixels: u64) -> Result<Raster, OperationError> {
    let limits = Limits { pixels, scans: SCANS_MAX };
    let Image { width, height, bands, samples } =
        weighbridge_jpeg::decode(file, &limits, &mut go_on)?;
    Ok(Raster { width, height, bands, samples })
}

/// Encodes an image that is gray or RGB.
pub(super) fn encode(raster: Raster) -> Result<Vec<u8>, OperationError> {
    let Raster { width, height, bands, samples } = raster;
    let image = Image { width, height, bands, samples };
    weighbridge_jpeg::encode(&image, Quality::new(QUALITY), &mut go_on).map_err(|error| match error
    {
        EncodeError::Stopped(_) => OperationError::Abandoned,
        error => CodecError::EncodeJpeg(error).into(),
    })
}

fn go_on() -> Result<(), Stopped> {
    checkpoint().map_err(|_| Stopped)
}

impl From<DecodeError> for OperationError {
    fn from(error: DecodeError) -> OperationError {
        match error {
            DecodeError::Stopped(_) => OperationError::Abandoned,
            DecodeError::TooManyPixels { width, height, limit } => {
                let (width, height) = (width.into(), height.into());
                CodecError::TooManyPixels { width, height, limit }.into()
            }
            error => CodecError::Jpeg(error).into(),
        }
    }
}
