//! Every layout in every order of scans, with and without restarts.
//!
//! How a file is cut into scans does not change its pixels. So each layout has one expected hash:
//! that of the pixels of libjpeg-turbo 3, which gives it for each of the files here.

use weighbridge_jpeg::{DecodeError, Unsupported};

use super::writer::{Picture, Script};
use super::{decode, hash};

/// Sampling factors of three components.
type Sampling = [(usize, usize); 3];

/// Layouts; and the hashes of 37 by 29 pixels and of 3 by 50.
const LAYOUTS: [(Sampling, [u64; 2]); 18] = [
    ([(1, 1), (1, 1), (1, 1)], [0xe649_5176_1271_9cb6, 0x6de0_ecbd_ceca_5048]),
    ([(2, 1), (1, 1), (1, 1)], [0x39f6_aab2_4e9f_b881, 0xf036_596a_1699_6009]),
    ([(2, 2), (1, 1), (1, 1)], [0xbdb6_c775_6bc8_def0, 0xe982_7331_2680_f486]),
    ([(1, 2), (1, 1), (1, 1)], [0xe2ca_b348_f199_b609, 0x1f9d_670a_8771_2139]),
    ([(4, 1), (1, 1), (1, 1)], [0x1036_bd9a_38a9_b2a2, 0xe9b7_4f57_6cec_30d3]),
    ([(1, 4), (1, 1), (1, 1)], [0xa27b_36b7_28bf_aa03, 0xda3e_0458_3082_7bed]),
    ([(4, 2), (1, 1), (1, 1)], [0x3e61_a443_0e6a_a805, 0x3485_051d_9106_4d2c]),
    ([(3, 1), (1, 1), (1, 1)], [0xa33a_c89c_65d5_80e2, 0xa552_9c74_d6f8_5277]),
    ([(3, 2), (1, 1), (1, 2)], [0xb1c6_4c58_3a3c_9e83, 0x3432_c307_2247_b678]),
    ([(3, 3), (1, 1), (3, 1)], [0x51d1_604c_027b_9d56, 0xbae8_a448_24c9_2bc7]),
    ([(2, 2), (2, 1), (1, 2)], [0xf99d_27d9_d33d_3814, 0x86ba_cc7c_f26e_cd95]),
    ([(2, 2), (2, 1), (2, 1)], [0x6fcd_f2cf_2e53_33a6, 0x7de4_5ee3_fd30_a42d]),
    ([(2, 2), (1, 1), (2, 2)], [0x381b_85c8_67de_3506, 0x1300_397e_c5ee_2cd9]),
    ([(2, 1), (2, 1), (1, 1)], [0x8293_0d94_e0d3_a605, 0xd2c8_0f98_f2cb_8ff9]),
    ([(1, 1), (2, 1), (1, 1)], [0xbac2_0d89_0d31_c28e, 0x5ba9_13d7_db32_d094]),
    ([(1, 1), (2, 2), (2, 2)], [0x9dd8_2ecc_47e6_20e0, 0xb8f1_c10c_1f35_d097]),
    ([(1, 2), (2, 1), (2, 2)], [0xf1f7_cbdf_7420_ea6d, 0xc97a_a875_02fa_42ac]),
    ([(2, 2), (4, 1), (1, 2)], [0xa8b8_f96b_e455_37f2, 0xfe47_5c9a_1dfa_0d56]),
];

const SIZES: [(usize, usize); 2] = [(37, 29), (3, 50)];

/// Groups of components that share a scan, in the order of the scans.
const GROUPS: [&[&[usize]]; 12] = [
    &[&[0, 1, 2]],
    &[&[0], &[1], &[2]],
    &[&[0], &[2], &[1]],
    &[&[1], &[0], &[2]],
    &[&[1], &[2], &[0]],
    &[&[2], &[0], &[1]],
    &[&[2], &[1], &[0]],
    &[&[0], &[1, 2]],
    &[&[1, 2], &[0]],
    &[&[0, 1], &[2]],
    &[&[2], &[0, 1]],
    &[&[0, 2], &[1]],
];

const RESTARTS: [usize; 3] = [0, 1, 3];

/// Blocks of a unit, over which there is no such scan.
const BLOCKS_MAX: usize = 10;

#[test]
fn the_order_of_scans_and_restarts_do_not_change_a_pixel() {
    for (sampling, hashes) in LAYOUTS {
        for (size, expected) in SIZES.into_iter().zip(hashes) {
            let picture = Picture::new(1, size, &sampling, 6);
            for groups in GROUPS {
                for restart in RESTARTS {
                    let file = picture.file(&Script::sequential(groups, restart));
                    check(
                        &file,
                        blocks_of_unit(&sampling, groups),
                        expected,
                        &format!("{sampling:?} {size:?} {groups:?} {restart}"),
                    );
                }
            }
        }
    }
}

#[test]
fn bit_by_bit_the_pixels_are_the_same() {
    for (sampling, hashes) in LAYOUTS {
        for (size, expected) in SIZES.into_iter().zip(hashes) {
            let mut picture = Picture::new(1, size, &sampling, 6);
            picture.progressive = true;
            for groups in [GROUPS[0], GROUPS[1], GROUPS[8]] {
                for restart in RESTARTS {
                    let file = picture.file(&Script::progressive(groups, restart));
                    check(
                        &file,
                        blocks_of_unit(&sampling, groups),
                        expected,
                        &format!("{sampling:?} {size:?} {groups:?} {restart}"),
                    );
                }
            }
        }
    }
}

/// A scan with too many blocks in a unit is refused, as by libjpeg.
fn check(file: &[u8], blocks: usize, expected: u64, what: &str) {
    match decode(file) {
        Ok(image) => {
            assert!(blocks <= BLOCKS_MAX, "{what}");
            assert_eq!(hash(&image.samples), expected, "{what}");
        }
        Err(error) => {
            assert!(BLOCKS_MAX < blocks, "{what}: {error}");
            assert_eq!(error, DecodeError::Damaged("a scan has over `10` blocks in a unit"));
        }
    }
}

/// The most blocks that a unit has in any of the scans.
fn blocks_of_unit(sampling: &[(usize, usize)], groups: &[&[usize]]) -> usize {
    let shared = groups.iter().filter(|group| 1 < group.len());
    let blocks = shared.map(|group| group.iter().map(|&i| sampling[i].0 * sampling[i].1).sum());
    blocks.max().unwrap_or(1)
}

#[test]
fn factors_that_do_not_divide_the_largest_are_refused() {
    for sampling in [[(3, 1), (2, 1), (1, 1)], [(2, 3), (1, 2), (1, 1)], [(4, 1), (3, 1), (1, 1)]] {
        let file = Picture::new(1, (20, 20), &sampling, 6).file(&Script::sequential(GROUPS[1], 0));
        assert_eq!(decode(&file), Err(DecodeError::Unsupported(Unsupported::FractionalSampling)));
    }
}
