//! Files that libjpeg has written, with the pixels that it makes of them.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{decode, hash};

/// A file in hexadecimal, its size, and the FNV-1a hash of its pixels.
struct Example {
    file: &'static str,
    size: (usize, usize),
    hash: u64,
}

const PROGRESSIVE_420: Example = Example {
    file: "
        ffd8ffe000104a46494600010100000100010000ffdb004300130d0e110e0c13110f11151413171d301f
        1d1a1a1d3a2a2c2330453d4947443d43414c566d5d4c51685241435f82606871757b7c7b4a5c86908577
        8f6d787b76ffdb0043011415151d191d381f1f38764f434f767676767676767676767676767676767676
        7676767676767676767676767676767676767676767676767676767676767676ffc20011080020002303
        012200021101031101ffc400190000020301000000000000000000000000030400010502ffc400180100
        0301010000000000000000000000000204050301ffda000c030100021003100000017c2ce7e3a00a0659
        1ee544673993a194c552b2039cfa9c42e7ffc4001a100002030101000000000000000000000001020003
        102131ffda000801010001050241cb0e2e782c30418e78e7abb6987d4dffc4001b110001050101000000
        00000000000000000001020312210411ffda0008010301013f018934e879e8cc4257594a1fffc4001d11
        0002020105000000000000000000000000010311020412212241ffda0008010201013f01939744bd63a3
        698abccd4bf0519fffc40014100100000000000000000000000000000040ffda0008010100063f0227ff
        c4001b10000300030101000000000000000000000001111021312041ffda0008010100013f21861375f8
        3bceb1a405b02e0d93435087c1bd9fffda000c030100020003000000102cbfb23c3fffc4001811000301
        010000000000000000000000000001112131ffda0008010301013f10ea26a22c6d07c44f0fffc4001711
        0003010000000000000000000000000000011121ffda0008010201013f10c81a613c231b253047ffc400
        1a100003010101010000000000000000000000011121103191ffda0008010100013f109e4535c141784f
        81b11a0b11814f2a0b58b068cb8b9f8a1e0d07ffd9
",
    size: (35, 32),
    hash: 0x4095_8f42_3756_e32b,
};

const RESTARTS_422: Example = Example {
    file: "
        ffd8ffe000104a46494600010100000100010000ffdb00430017101114110e171412141a18171b223925
        221f1f224632352939524857555148504e5b66836f5b617c624e50729b737c878b929492586da0ac9f8e
        aa838f928dffdb004301181a1a221e22432525438d5e505e8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d
        8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8d8dffc0001108001a002103
        012100021101031101ffc400190001000301010000000000000000000000040001050602ffc4001f1000
        010402020300000000000000000000000102031104120532212233ffc400180101010101010000000000
        0000000000000405030601ffc40020110001040105010100000000000000000000010304110205122122
        323341ffdd00040005ffda000c03010002110311003f00d9c48f48902e74948a1a4add21ac74ee6439d6
        f110a0f73ac6359b9d62268843b21ef35ab488c4e425f651aef39a217232736019e5c3a24a41d33ab288
        0e7e7f87ffd041093445b3532dfa46735972ed228fab750e958e12cac74b51ec4a68ad417aa212266779
        1764276c0343f90e8a73537d14537f643a56fc9fffd13e30e4ea7ba87a426c9f678207323fffd9
",
    size: (33, 26),
    hash: 0x1731_3e16_17b6_f2aa,
};

const SEQUENTIAL_420: Example = Example {
    file: "
        ffd8ffe000104a46494600010100000100010000ffdb0043000f0b0c0d0c0a0f0d0c0d11100f12172619
        171515172f22241c2638313b3a373136353d45584b3d41544235364d694e545b5e6364633c4a6c746c60
        735861635fffdb0043011011111714172d19192d5f3f363f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f
        5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5fffc0001108001f001703
        012200021101031101ffc4001800000203000000000000000000000000000006030405ffc40021100002
        01040202030000000000000000000103000205111204212241617181ffc4001701000301000000000000
        0000000000000003040605ffc4001c1100020300030100000000000000000000010200030411122213ff
        da000c03010002110311003f0066e0282d23af5285d5d804666c602d1f9156ecfcd446625afdb2ac6f15
        7ef999b5d5b56612359daa84a9ce812b0237769eadc47bb8302d247c448b8bb669ee335e9fad0444a733
        771fb9395d7f4d020283d1099738b4e6127e151e309b97dc11bac9fd3a89b0cfffd9
",
    size: (23, 31),
    hash: 0x1a98_8b83_ecaa_62e5,
};

const PROGRESSIVE_422: Example = Example {
    file: "
        ffd8ffe000104a46494600010100000100010000ffdb0043001c13151815111c1816181f1d1c2129452d
        29262629543c403245645869676258605f6e7c9e866e7596775f608abb8b96a3a9b1b3b16b84c2d0c1ac
        ce9eaeb1aaffdb0043011d1f1f292429512d2d51aa726072aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaffc20011080015001803
        012100021101031101ffc400160001010100000000000000000000000000040300ffc400160101010100
        000000000000000000000000030204ffdd00040001ffda000c0301000210031000000154cebfffd09e77
        ffd1610d3fffd296d15fffd358613fffd49e68ffc4001810010101010100000000000000000000000002
        013141ffda00080101000105029e7fffd0b7ffd17fffd2f3ffd3bd7fffd47fffd5ae7fffd6a7ffd7c7ff
        c4001811000301010000000000000000000000000001022131ffda0008010301013f018e9fffd06cffd1
        83ffd2b7a7ffd383ffd4b7a7ffc400191101000203000000000000000000000000000231014142ffda00
        08010201013f019bffd0853fffd195bfffd2d3ffd3e9ffd4cbffc4001410010000000000000000000000
        0000000000ffda0008010100063f027fffd07fffd17fffd27fffd37fffd47fffd57fffd67fffd77fffc4
        00191001010003010000000000000000000000000111213141ffda0008010100013f218c1fffd0a7ffd1
        f5ffd2e1ffd31fffd49d7fffd51fffd6bdbfffd77fffda000c030100020003000000102fffd0dfffd1cf
        ffd2dfffd39fffd43fffc4001811010100030000000000000000000000000001112131ffda0008010301
        013f1093ffd0c55fffd19dbfffd22fffd3e1ffd4a3ffc400181101010101010000000000000000000000
        0100112131ffda0008010201013f10ef0bffd0186fffd1e817ffd2380bffd3f45fffd47997ffc4001810
        000301010000000000000000000000000001112131ffda0008010100013f10987fffd08d3fffd16e8fff
        d22fffd3d99fffd4d8ffd578d0ffd66373ffd7e8ffd9
",
    size: (24, 21),
    hash: 0x6ee6_9a28_5e64_cbdf,
};

const EXAMPLES: [&Example; 4] =
    [&PROGRESSIVE_420, &RESTARTS_422, &SEQUENTIAL_420, &PROGRESSIVE_422];

fn file(example: &Example) -> Vec<u8> {
    let digits: Vec<u8> = example
        .file
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.as_chunks().0.iter().map(|[high, low]| high << 4 | low).collect()
}

#[test]
fn pixels_are_those_of_libjpeg() {
    for example in EXAMPLES {
        let image = decode(&file(example)).unwrap();
        assert_eq!((image.width, image.height, image.bands), (example.size.0, example.size.1, 3));
        assert_eq!(hash(&image.samples), example.hash);
    }
}

#[test]
fn files_without_huffman_tables_mean_those_of_the_standard() {
    let image = weighbridge_jpeg::Image { width: 20, height: 9, bands: 1, samples: vec![77; 180] };
    let quality = weighbridge_jpeg::Quality::default();
    let mut file = weighbridge_jpeg::encode(&image, quality, &mut || Ok(())).unwrap();
    while let Some(start) = file.windows(2).position(|bytes| bytes == [0xFF, 0xC4]) {
        let length = usize::from(u16::from_be_bytes([file[start + 2], file[start + 3]]));
        file.drain(start..start + 2 + length);
    }
    assert_eq!(decode(&file), Ok(image));
}

#[test]
fn every_beginning_of_a_file_is_decoded_or_refused() {
    for example in EXAMPLES {
        let file = file(example);
        for n in 0..file.len() {
            if let Ok(image) = decode(&file[..n]) {
                assert_eq!((image.width, image.height), example.size, "{n} bytes");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_do_not_panic(which in 0_usize..4, changes in vec((any::<usize>(), any::<u8>()), 1..8)) {
        let mut file = file(EXAMPLES[which]);
        for (place, value) in changes {
            let n = file.len();
            file[place % n] = value;
        }
        // Either answer is right; large images are not worth the time.
        let limits = weighbridge_jpeg::Limits { pixels: 1 << 16, scans: 20 };
        let _ = weighbridge_jpeg::decode(&file, &limits, &mut || Ok(()));
    }
}
