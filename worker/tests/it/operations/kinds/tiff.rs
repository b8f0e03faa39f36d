//! TIFF files.

use weighbridge_jpeg::{Image, Quality};
use weighbridge_worker::operations::Limits;
use weighbridge_worker::operations::codec::decode;

use super::{check_refused, check_row, pixels};

/// A file of one row, in one strip.
struct Page {
    little: bool,
    width: u16,
    height: u16,
    bits: Vec<u16>,
    photometric: u16,
    /// Further tags of 16-bit numbers, or of bytes.
    tags: Vec<(u16, Vec<u16>)>,
    bytes: Vec<(u16, Vec<u8>)>,
    strip: Vec<u8>,
}

const COMPRESSION: u16 = 259;
const FILL_ORDER: u16 = 266;
const PLANAR: u16 = 284;
const PREDICTOR: u16 = 317;
const COLOUR_MAP: u16 = 320;
const EXTRA: u16 = 338;
const FORMAT: u16 = 339;
const JPEG_TABLES: u16 = 347;
const SUBSAMPLING: u16 = 530;
const COEFFICIENTS: u16 = 529;

impl Page {
    fn new(width: u16, bits: &[u16], photometric: u16, strip: &[u8]) -> Page {
        Page {
            little: true,
            width,
            height: 1,
            bits: bits.to_vec(),
            photometric,
            tags: Vec::new(),
            bytes: Vec::new(),
            strip: strip.to_vec(),
        }
    }

    fn with(mut self, tag: u16, numbers: &[u16]) -> Page {
        self.tags.push((tag, numbers.to_vec()));
        self
    }

    fn file(&self) -> Vec<u8> {
        let short = |n: u16| if self.little { n.to_le_bytes() } else { n.to_be_bytes() };
        let long = |n: u32| if self.little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut tags = vec![
            (256, vec![self.width]),
            (257, vec![self.height]),
            (258, self.bits.clone()),
            (262, vec![self.photometric]),
            (273, vec![8]),
            (277, vec![self.bits.len() as u16]),
            (278, vec![self.height]),
            (279, vec![self.strip.len() as u16]),
        ];
        tags.extend(self.tags.clone());
        // By number, each with its type, how many there are and their bytes.
        let numbers = tags.into_iter().map(|(tag, numbers)| {
            let bytes = numbers.iter().flat_map(|&number| short(number)).collect::<Vec<u8>>();
            (tag, 3, numbers.len(), bytes)
        });
        let bytes = self.bytes.iter().map(|(tag, bytes)| (*tag, 7, bytes.len(), bytes.clone()));
        let mut entries: Vec<_> = numbers.chain(bytes).collect();
        entries.sort();
        let mut body = self.strip.clone();
        body.resize(body.len().next_multiple_of(2), 0);
        let mut directory = short(entries.len() as u16).to_vec();
        for (tag, kind, n, mut bytes) in entries {
            directory.extend([short(tag), short(kind)].concat());
            directory.extend(long(n as u32));
            if 4 < bytes.len() {
                directory.extend(long(8 + body.len() as u32));
                bytes.resize(bytes.len().next_multiple_of(2), 0);
                body.extend(bytes);
            } else {
                bytes.resize(4, 0);
                directory.extend(bytes);
            }
        }
        directory.extend([0; 4]);
        let mut file = if self.little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        file.extend(long(8 + body.len() as u32));
        [file, body, directory].concat()
    }
}

#[test]
fn gray_has_any_usual_number_of_bits() {
    let [black, white] = [0, 255].map(|level| [level]);
    let page = |bits, strip: &[u8]| Page::new(4, &[bits], 1, strip);
    check_row("1 bit", &page(1, &[0b0101_0000]).file(), &[black, white, black, white]);
    check_row("2 bits", &page(2, &[0b0001_1011]).file(), &[[0], [85], [170], [255]]);
    check_row("4 bits", &page(4, &[0x05, 0xAF]).file(), &[[0], [85], [170], [255]]);
    check_row("8 bits", &page(8, &[0, 1, 254, 255]).file(), &[[0], [1], [254], [255]]);
    let wide = [0, 0, 129, 0, 0, 128, 255, 255];
    check_row("16 bits", &page(16, &wide).file(), &[[0], [1], [128], [255]]);
    let white_first = Page { photometric: 0, ..page(4, &[0x05, 0xAF]) };
    check_row("white first", &white_first.file(), &[[255], [170], [85], [0]]);
    let big = Page { little: false, ..page(16, &[0, 0, 0, 129, 128, 0, 255, 255]) };
    check_row("big-endian", &big.file(), &[[0], [1], [128], [255]]);
}

#[test]
fn floating_point_is_cut_to_its_range() {
    let strip: Vec<u8> =
        [-1.0_f32, 0.25, 1.0, 9.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let page = Page::new(4, &[32], 1, &strip).with(FORMAT, &[3]);
    check_row("floating point", &page.file(), &[[0], [64], [255], [255]]);
}

#[test]
fn palettes_become_colours() {
    let map = |scale: u16| -> Vec<u16> {
        let band = |levels: [u16; 4]| levels.map(|level| level * scale);
        [band([1, 2, 3, 4]), band([10, 20, 30, 40]), band([200, 210, 220, 230])].concat()
    };
    let expected = [[4, 40, 230], [1, 10, 200], [2, 20, 210], [3, 30, 220]];
    for scale in [257, 1] {
        let page = Page::new(4, &[2], 3, &[0b1100_0110]).with(COLOUR_MAP, &map(scale));
        check_row("a palette", &page.file(), &expected);
    }
}

#[test]
fn alpha_is_told_by_a_tag() {
    let strip = [100, 50, 0, 200, 10, 20, 30, 0];
    let page = |extra| Page::new(2, &[8; 4], 2, &strip).with(EXTRA, &[extra]).file();
    check_row("by itself", &page(2), &[[100, 50, 0, 200], [10, 20, 30, 0]]);
    check_row("multiplied", &page(1), &[[128, 64, 0, 200], [0; 4]]);
    check_row("anything", &page(0), &[[100, 50, 0], [10, 20, 30]]);
    let silent = Page::new(2, &[8; 4], 2, &strip).file();
    check_row("not told", &silent, &[[100, 50, 0, 200], [10, 20, 30, 0]]);
    let gray = Page::new(2, &[8; 2], 1, &[9, 7, 30, 60]);
    check_row("gray", &gray.with(EXTRA, &[2]).file(), &[[9, 7], [30, 60]]);
    let gray = Page::new(2, &[8; 2], 1, &[9, 90, 30, 60]);
    check_row("gray, multiplied", &gray.with(EXTRA, &[1]).file(), &[[26, 90], [128, 60]]);
}

#[test]
fn samples_have_planes_of_their_own_or_not() {
    let page = Page::new(2, &[8; 3], 2, &[1, 2, 11, 12, 21, 22]).with(PLANAR, &[2]);
    // A strip for each plane.
    let mut file = page.file();
    for (tag, values) in [(273_u16, [8_u8, 10, 12]), (279, [2, 2, 2])] {
        let entry =
            file.windows(4).position(|at| at[..2] == tag.to_le_bytes() && at[2..] == [3, 0]);
        let entry = entry.unwrap();
        let at = file.len() as u32;
        file[entry + 4] = 3;
        file[entry + 8..entry + 12].copy_from_slice(&at.to_le_bytes());
        file.extend(values.into_iter().flat_map(|value| [value, 0]));
    }
    check_row("planes", &file, &[[1, 11, 21], [2, 12, 22]]);
}

#[test]
fn a_predictor_counts_the_samples_that_mean_nothing() {
    // The second pixel is told by its difference to the first.
    let strip = [10, 20, 30, 40, 1, 2, 3, 4];
    let page = Page::new(2, &[8; 4], 2, &strip);
    let page = page.with(EXTRA, &[0]).with(COMPRESSION, &[32_773]).with(PREDICTOR, &[2]);
    let packed = [&[7][..], &strip].concat();
    check_row("a predictor", &Page { strip: packed, ..page }.file(), &[[10, 20, 30], [11, 22, 33]]);
}

#[test]
fn inks_and_colour_differences_become_colours() {
    let cmyk = Page::new(2, &[8; 4], 5, &[0, 255, 51, 0, 0, 0, 0, 255]).file();
    check_row("CMYK", &cmyk, &[[255, 0, 204], [0, 0, 0]]);
    let ycc = Page::new(2, &[8; 3], 6, &[0x60, 0x70, 0xA0, 128, 128, 128]);
    let ycc = ycc.with(SUBSAMPLING, &[1, 1]).file();
    check_row("YCbCr", &ycc, &[[141, 79, 68], [128, 128, 128]]);
}

#[test]
fn the_first_pixel_may_be_in_the_last_bit() {
    let rows = [0x0F, 0xFF];
    let page = |order, strip: &[u8]| Page::new(16, &[1], 1, strip).with(FILL_ORDER, &[order]);
    let expected = pixels(&page(1, &rows).file());
    assert_eq!(expected.samples[..8], [0, 0, 0, 0, 255, 255, 255, 255]);
    assert_eq!(pixels(&page(2, &rows.map(u8::reverse_bits)).file()), expected);
    let packed = page(2, &[1, 0xF0, 0xFF]).with(COMPRESSION, &[32_773]);
    check_refused(&packed.file(), "TIFF files compressed with the first bit last (fill order `2`)");
}

/// A gray image in a JPEG file, and in one whose tables stand elsewhere.
#[test]
fn jpeg_within_tiff_is_decoded_as_jpeg() {
    for (bands, photometric) in [(1, 1), (3, 6)] {
        let samples = (0..19 * 9 * bands).map(|i| (i * 37 % 251) as u8).collect();
        let image = Image { width: 19, height: 9, bands, samples };
        let file = weighbridge_jpeg::encode(&image, Quality::new(90), &mut || Ok(())).unwrap();
        let expected = pixels(&file);
        let page = |strip: Vec<u8>| Page {
            height: 9,
            ..Page::new(19, &vec![8; bands], photometric, &strip).with(COMPRESSION, &[7])
        };
        assert_eq!(pixels(&page(file.clone()).file()), expected);
        // The tables are in front of the frame.
        let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
        let tables = [&file[..frame], &[0xFF, 0xD9]].concat();
        let strip = [&[0xFF, 0xD8], &file[frame..]].concat();
        let shared = Page { bytes: vec![(JPEG_TABLES, tables)], ..page(strip) };
        assert_eq!(pixels(&shared.file()), expected);
    }
}

#[test]
fn tiles_are_not_larger_than_the_limit() {
    let page = Page::new(1, &[8], 1, &[0; 16]);
    let mut file = page.with(322, &[65_520]).with(323, &[65_520]).file();
    for (strip, tile) in [(273_u16, 324_u16), (279, 325)] {
        let entry =
            file.windows(4).position(|at| at[..2] == strip.to_le_bytes() && at[2..] == [3, 0]);
        let entry = entry.unwrap();
        file[entry..entry + 2].copy_from_slice(&tile.to_le_bytes());
    }
    let error = decode(&file, &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the image has `65520x65520` pixels, the limit is `67108864` in all"
    );
}

#[test]
fn what_is_not_supported_says_what_it_is() {
    let gray = |bits| Page::new(1, &[bits], 1, &[0; 64]);
    let refused =
        |page: Page, kind: &str| check_refused(&page.file(), &format!("TIFF files {kind}"));
    refused(gray(12), "of gray with `12` bits a sample");
    refused(gray(32), "of gray with `32` bits a sample");
    refused(gray(64).with(FORMAT, &[3]), "of gray with `64` bits a sample in floating point");
    refused(gray(8).with(FORMAT, &[2]), "with signed samples");
    refused(gray(8).with(COMPRESSION, &[2]), "compressed by CCITT run lengths");
    refused(gray(8).with(COMPRESSION, &[6]), "compressed by JPEG in its old style");
    refused(gray(8).with(COMPRESSION, &[34_712]), "compressed by JPEG 2000");
    refused(gray(8).with(COMPRESSION, &[777]), "of the compression `777`");
    refused(Page { photometric: 4, ..gray(1) }, "of transparency masks");
    refused(Page::new(1, &[8; 3], 8, &[0; 3]), "of L*a*b* colours");
    refused(Page::new(1, &[8; 3], 99, &[0; 3]), "of the photometric interpretation `99`");
    refused(Page::new(1, &[8; 2], 2, &[0; 3]), "with `2` samples a pixel where `3` are needed");
    refused(Page::new(1, &[8], 3, &[0; 3]), "with a palette of `0` numbers");
    refused(
        Page::new(2, &[8; 3], 6, &[0; 6]),
        "of YCbCr with fewer colour differences than pixels",
    );
    let own = Page::new(1, &[8; 3], 6, &[0; 6]).with(SUBSAMPLING, &[1, 1]);
    refused(own.with(COEFFICIENTS, &[1, 2, 3]), "of YCbCr with coefficients of their own");
    let inks = Page::new(1, &[8; 4], 5, &[0; 4]).with(332, &[2]);
    refused(inks, "with inks other than CMYK");
}
