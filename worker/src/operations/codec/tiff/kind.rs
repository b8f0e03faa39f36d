//! What the tags say of the samples.

use tiff::tags::Tag;

use super::{CodecError, Reader, error, unsupported};
use crate::operations::OperationError;

/// What an image consists of.
pub(super) struct Kind {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) colours: Colours,
    pub(super) alpha: Option<Alpha>,
    /// Samples of a pixel, those included that mean nothing.
    pub(super) samples: usize,
    /// Bits of a sample.
    pub(super) bits: u32,
    /// Whether samples are floating point numbers.
    pub(super) is_float: bool,
    /// Whether each sample has a plane of its own.
    pub(super) is_planar: bool,
    pub(super) compression: Compression,
    /// Whether the first pixel is in the last bit of a byte.
    pub(super) bits_reversed: bool,
}

/// What the samples mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Colours {
    /// Gray, where the largest is black.
    White,
    /// Gray, where the largest is white.
    Black,
    Rgb,
    /// Numbers of colours.
    Palette(Vec<[u8; 3]>),
    Cmyk,
    /// Brightness and two colour differences, as JFIF has them.
    Ycc,
}

/// A sample that says how opaque a pixel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alpha {
    /// The colours are multiplied by it.
    Associated,
    /// They are not.
    Unassociated,
}

/// How the samples are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Jpeg,
    /// One for which the order of bits is clear.
    Fax,
    Other,
}

// === impl Kind ===

impl Kind {
    /// Reads the tags; `photometric` is what they say the samples mean.
    pub(super) fn read(reader: &mut Reader<'_>, photometric: u16) -> Result<Kind, OperationError> {
        let mut tags = Tags(reader);
        let compression = Compression::of(tags.number(Tag::Compression, 1)?)?;
        let samples = usize::from(tags.number(Tag::SamplesPerPixel, 1)?);
        let bits = tags.numbers(Tag::BitsPerSample)?.first().copied().unwrap_or(1);
        let is_float = match tags.numbers(Tag::SampleFormat)?.first() {
            // Nothing is said, or that they mean numbers.
            None | Some(1 | 4) => false,
            Some(3) => true,
            Some(2) => return Err(unsupported("with signed samples").into()),
            Some(other) => {
                return Err(unsupported(format!("with samples of format `{other}`")).into());
            }
        };
        let colours = Colours::read(&mut tags, photometric, (bits, compression))?;
        let alpha = match tags.numbers(Tag::ExtraSamples)?.first() {
            Some(1) => Some(Alpha::Associated),
            Some(2) => Some(Alpha::Unassociated),
            // Some programs do not say what the fourth one is.
            None if colours == Colours::Rgb && samples == 4 => Some(Alpha::Unassociated),
            _ => None,
        };
        if alpha == Some(Alpha::Associated) && !matches!(colours, Colours::Black | Colours::Rgb) {
            let kind = format!("of {} that are multiplied by alpha", colours.name());
            return Err(unsupported(kind).into());
        }
        let n_colours = colours.samples();
        if samples < n_colours + usize::from(alpha.is_some()) {
            return Err(unsupported(format!(
                "with `{samples}` samples a pixel where `{n_colours}` are needed"
            ))
            .into());
        }
        if !colours.come_in(bits, is_float) {
            let float = if is_float { " in floating point" } else { "" };
            let kind = format!("of {} with `{bits}` bits a sample{float}", colours.name());
            return Err(unsupported(kind).into());
        }
        let bits_reversed = tags.number(Tag::FillOrder, 1)? == 2;
        if bits_reversed && compression == Compression::Other {
            return Err(unsupported("compressed with the first bit last (fill order `2`)").into());
        }
        let is_planar = 1 < samples && tags.number(Tag::PlanarConfiguration, 1)? == 2;
        let (width, height) = reader.dimensions().map_err(error)?;
        Ok(Kind {
            width: width as usize,
            height: height as usize,
            colours,
            alpha,
            samples,
            bits: bits.into(),
            is_float,
            is_planar,
            compression,
            // Its samples are no bits.
            bits_reversed: bits_reversed && compression != Compression::Jpeg,
        })
    }

    /// Bands of the raster.
    pub(super) fn bands(&self) -> usize {
        let colours = match self.colours {
            Colours::White | Colours::Black => 1,
            Colours::Rgb | Colours::Palette(_) | Colours::Cmyk | Colours::Ycc => 3,
        };
        colours + usize::from(self.alpha.is_some())
    }
}

// === impl Colours ===

impl Colours {
    fn read(
        tags: &mut Tags<'_, '_>,
        photometric: u16,
        (bits, compression): (u16, Compression),
    ) -> Result<Colours, OperationError> {
        match photometric {
            0 => Ok(Colours::White),
            1 => Ok(Colours::Black),
            2 => Ok(Colours::Rgb),
            3 => {
                let map = tags.numbers(Tag::ColorMap)?;
                let n = 1_usize.checked_shl(bits.into()).unwrap_or(0);
                if n == 0 || map.len() != 3 * n {
                    return Err(
                        unsupported(format!("with a palette of `{}` numbers", map.len())).into()
                    );
                }
                // Some programs write eight bits where sixteen are asked for.
                let wide = map.iter().any(|&number| 255 < number);
                let eight = |number: u16| if wide { eight(number) } else { number as u8 };
                let colour = |i: usize| [0, n, 2 * n].map(|band| eight(map[band + i]));
                Ok(Colours::Palette((0..n).map(colour).collect()))
            }
            5 => match tags.number(Tag::Unknown(INK_SET), 1)? {
                1 => Ok(Colours::Cmyk),
                _ => Err(unsupported("with inks other than CMYK").into()),
            },
            6 => {
                let halved = tags.numbers(Tag::ChromaSubsampling)?;
                let is_jpeg = compression == Compression::Jpeg;
                if !is_jpeg && halved != [1, 1] {
                    return Err(
                        unsupported("of YCbCr with fewer colour differences than pixels").into()
                    );
                }
                if !is_jpeg
                    && (tags.has(Tag::Unknown(COEFFICIENTS))?
                        || tags.has(Tag::Unknown(REFERENCE))?)
                {
                    return Err(unsupported("of YCbCr with coefficients of their own").into());
                }
                Ok(Colours::Ycc)
            }
            4 => Err(unsupported("of transparency masks").into()),
            8..=10 => Err(unsupported("of L*a*b* colours").into()),
            32_803 => Err(unsupported("of a colour filter array").into()),
            32_844 | 32_845 => Err(unsupported("of logarithmic brightness").into()),
            34_892 => Err(unsupported("of raw samples of a camera").into()),
            other => {
                Err(unsupported(format!("of the photometric interpretation `{other}`")).into())
            }
        }
    }

    /// Samples of a pixel that make its colour.
    pub(super) fn samples(&self) -> usize {
        match self {
            Colours::White | Colours::Black | Colours::Palette(_) => 1,
            Colours::Rgb | Colours::Ycc => 3,
            Colours::Cmyk => 4,
        }
    }

    /// Whether samples of `bits` bits are read.
    fn come_in(&self, bits: u16, is_float: bool) -> bool {
        match (self, is_float) {
            (Colours::White | Colours::Black, false) => matches!(bits, 1 | 2 | 4 | 8 | 16),
            (Colours::Palette(_), false) => matches!(bits, 1 | 2 | 4 | 8),
            (Colours::Rgb | Colours::Cmyk, false) => matches!(bits, 8 | 16),
            (Colours::Ycc, false) => bits == 8,
            (Colours::White | Colours::Black | Colours::Rgb, true) => bits == 32,
            (Colours::Palette(_) | Colours::Cmyk | Colours::Ycc, true) => false,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Colours::White | Colours::Black => "gray",
            Colours::Rgb => "RGB",
            Colours::Palette(_) => "palettes",
            Colours::Cmyk => "CMYK",
            Colours::Ycc => "YCbCr",
        }
    }
}

const INK_SET: u16 = 332;
const COEFFICIENTS: u16 = 529;
const REFERENCE: u16 = 532;

/// Sixteen bits in eight.
fn eight(number: u16) -> u8 {
    ((u32::from(number) + 128) / 257) as u8
}

// === impl Compression ===

impl Compression {
    fn of(number: u16) -> Result<Compression, CodecError> {
        match number {
            1 => Ok(Compression::None),
            7 => Ok(Compression::Jpeg),
            4 => Ok(Compression::Fax),
            // LZW, Deflate by two numbers, PackBits.
            5 | 8 | 32_946 | 32_773 => Ok(Compression::Other),
            2 => Err(unsupported("compressed by CCITT run lengths")),
            3 => Err(unsupported("compressed by CCITT group 3")),
            6 => Err(unsupported("compressed by JPEG in its old style")),
            34_712 => Err(unsupported("compressed by JPEG 2000")),
            34_925 => Err(unsupported("compressed by LZMA")),
            50_000 => Err(unsupported("compressed by Zstandard")),
            50_001 => Err(unsupported("compressed by WebP")),
            other => Err(unsupported(format!("of the compression `{other}`"))),
        }
    }
}

/// The tags of a file.
struct Tags<'a, 'b>(&'a mut Reader<'b>);

impl Tags<'_, '_> {
    fn number(&mut self, tag: Tag, default: u16) -> Result<u16, OperationError> {
        Ok(self.0.find_tag_unsigned(tag).map_err(error)?.unwrap_or(default))
    }

    /// None where the tag is not there.
    fn numbers(&mut self, tag: Tag) -> Result<Vec<u16>, OperationError> {
        Ok(self.0.find_tag_unsigned_vec(tag).map_err(error)?.unwrap_or_default())
    }

    fn has(&mut self, tag: Tag) -> Result<bool, OperationError> {
        Ok(self.0.find_tag(tag).map_err(error)?.is_some())
    }
}
