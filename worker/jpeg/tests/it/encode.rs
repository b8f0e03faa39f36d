//! Bytes of libjpeg.

use weighbridge_jpeg::{EncodeError, Image, Quality, encode};

use super::{decode, hash};

/// Columns, rows, bands, quality; and the file that libjpeg-turbo 3 writes, but for its version.
pub(crate) const FILES: [(usize, usize, usize, u8, u64); 16] = [
    (1, 1, 1, 75, 0xdefc_0095_2adb_b5e9),
    (1, 1, 3, 75, 0x737a_3a03_dbc3_fbec),
    (8, 8, 1, 75, 0x2d51_57ce_edbf_be15),
    (8, 8, 3, 75, 0xf232_2e69_0d68_0cd9),
    (16, 16, 3, 75, 0x61a2_d637_08b5_ab3b),
    (17, 15, 3, 75, 0x14da_20cc_ac90_8b4c),
    (31, 33, 3, 75, 0xa74e_43d8_eee8_7762),
    (24, 9, 3, 75, 0x1f92_e628_96b3_ea41),
    (9, 24, 3, 75, 0xbdc5_934e_b83f_253f),
    (40, 50, 1, 75, 0xacbf_d4c7_0612_5a39),
    (50, 40, 3, 1, 0xe2dd_4915_1407_ae10),
    (50, 40, 3, 25, 0x412f_6625_702d_bd39),
    (50, 40, 3, 50, 0x0ec8_12a1_8c39_a7a9),
    (50, 40, 3, 51, 0x65a3_6b85_068d_752b),
    (50, 40, 3, 95, 0x9ca1_97cf_a8aa_84cf),
    (50, 40, 3, 100, 0xec2f_6bce_9349_dffb),
];

/// Smooth on the left, noise on the right.
pub(crate) fn image(width: usize, height: usize, bands: usize) -> Image {
    let mut noise = 1_u32;
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for band in 0..bands {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let level = (3 * x + 5 * y + 40 * band) as u32 % 256;
                let share = if 2 * x < width { 16 } else { 2 };
                samples.push((level - level / share + (noise >> 24) / share) as u8);
            }
        }
    }
    Image { width, height, bands, samples }
}

#[test]
fn bytes_are_those_of_libjpeg() {
    for (width, height, bands, quality, expected) in FILES {
        let file =
            encode(&image(width, height, bands), Quality::new(quality), &mut || Ok(())).unwrap();
        assert_eq!(hash(&file), expected, "{width}x{height}, {bands} bands, quality {quality}");
        let decoded = decode(&file).unwrap();
        assert_eq!((decoded.width, decoded.height, decoded.bands), (width, height, bands));
    }
}

#[test]
fn the_quality_has_a_range() {
    let file = |quality| encode(&image(9, 9, 3), Quality::new(quality), &mut || Ok(())).unwrap();
    assert_eq!(file(0), file(1));
    assert_eq!(file(255), file(100));
    assert_eq!(Quality::default(), Quality::new(75));
}

#[test]
fn what_no_file_has_is_refused() {
    let refused = |image: &Image| encode(image, Quality::default(), &mut || Ok(())).unwrap_err();
    for (width, height) in [(0, 1), (1, 0), (65_536, 1), (1, 65_536)] {
        let image = Image { width, height, bands: 1, samples: vec![0; width * height] };
        assert_eq!(refused(&image), EncodeError::Size { width, height });
    }
    for (bands, samples) in [(1, 3), (1, 5), (2, 8), (3, 4), (4, 16)] {
        let image = Image { width: 2, height: 2, bands, samples: vec![0; samples] };
        assert_eq!(refused(&image), EncodeError::Samples { bands, samples });
    }
    let longest = Image { width: 65_535, height: 1, bands: 1, samples: vec![9; 65_535] };
    assert_eq!(decode(&encode(&longest, Quality::default(), &mut || Ok(())).unwrap()), Ok(longest));
}
