//! JPEG files: what goes in and what comes out. The decoder and the encoder have tests of their
//! own.

use weighbridge_jpeg::{Image, Quality};
use weighbridge_worker::operations::codec::{Raster, decode};
use weighbridge_worker::operations::{Blur, Limits};

use super::super::{data_url, encode, open_data_url, post};
use super::{check_refused, pixels};
use crate::{data, reference};

/// Answers are 4:2:0 with a quality of 75, in the bytes of libjpeg.
#[test]
fn answers_are_written_as_libjpeg_does() {
    for bands in [1, 3] {
        let image = data::photo(1, 50, 34, bands);
        let body = data_url("jpg", &encode(&image, image::ImageFormat::Png));
        let reply = post(&Blur, "", body.as_bytes()).unwrap();
        let (head, file) = open_data_url(&reply);
        assert_eq!(head, "data:image/jpg;base64");
        let Raster { width, height, bands, samples } = reference::blur::blur(&image);
        let image = Image { width, height, bands, samples };
        let expected = weighbridge_jpeg::encode(&image, Quality::new(75), &mut || Ok(())).unwrap();
        assert!(file == expected, "{bands} bands");
        let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
        assert_eq!(file[frame + 11], if bands == 1 { 0x11 } else { 0x22 });
    }
}

/// A file of one colour, which blur leaves as it is.
#[test]
fn colours_go_through() {
    let image = Image { width: 40, height: 30, bands: 3, samples: [200, 60, 30].repeat(1200) };
    let file = weighbridge_jpeg::encode(&image, Quality::new(100), &mut || Ok(())).unwrap();
    let body = data_url("png", &file);
    let reply = post(&Blur, "", body.as_bytes()).unwrap();
    let blurred = super::super::decode(&open_data_url(&reply).1);
    assert_eq!(blurred.samples, pixels(&file).samples);
    assert!(blurred.samples.iter().zip(&image.samples).all(|(a, b)| a.abs_diff(*b) < 3));
}

#[test]
fn what_is_not_supported_says_what_it_is() {
    let image = Image { width: 8, height: 8, bands: 1, samples: vec![1; 64] };
    let mut file = weighbridge_jpeg::encode(&image, Quality::new(75), &mut || Ok(())).unwrap();
    let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    file[frame + 1] = 0xC9;
    check_refused(&file, "JPEG files with arithmetic coding");
    file[frame + 1] = 0xC0;
    file[frame + 6] = 0;
    check_refused(&file, "JPEG files that tell their height behind the pixels");
}

#[test]
fn a_damaged_file_says_what_is_wrong() {
    let error = decode(b"\xFF\xD8\xFF\xC0\0\x0B\x08\0\x08\0\x08\x01\x01\x11\0", &Limits::default());
    assert_eq!(
        error.unwrap_err().to_string(),
        "cannot decode the image: the header of the JPEG file is damaged"
    );
}

#[test]
fn limits_are_checked_by_the_header() {
    let file = b"\xFF\xD8\xFF\xC0\0\x0B\x08\xFF\xFF\xFF\xFF\x01\x01\x11\0 and no more";
    let error = decode(file, &Limits::default()).unwrap_err();
    assert_eq!(error.status(), 413);
    assert_eq!(
        error.to_string(),
        "the image has `65535x65535` pixels, the limit is `67108864` in all"
    );
}
