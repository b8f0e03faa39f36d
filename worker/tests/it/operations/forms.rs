//! How images come and go.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use image::{ExtendedColorType, ImageFormat};
use weighbridge_worker::operations::codec::Raster;
use weighbridge_worker::operations::{Blur, Limits, OperationRequest, Reply, run};

use super::{data_url, decode, encode, open_data_url, post};
use crate::data;
use crate::reference;

fn blur_text(body: &str) -> Reply {
    post(&Blur, "", body.as_bytes()).unwrap()
}

fn blur_raw(content_type: &str, accept: Option<&str>, body: &[u8]) -> Reply {
    let request = OperationRequest { query: "", content_type: Some(content_type), accept, body };
    run(&Blur, &request, &Limits::default()).unwrap()
}

fn check_accept(accept: &str, expected: &str) {
    let file = encode(&data::photo(1, 9, 8, 3), ImageFormat::Png);
    assert_eq!(blur_raw("image/png", Some(accept), &file).content_type, expected, "{accept}");
}

#[test]
fn the_format_is_echoed_as_sent() {
    let file = encode(&data::photo(1, 9, 8, 3), ImageFormat::Png);
    for name in ["jpg", "jpeg", "JPG", "png", "Png", "bmp", "gif", "tiff", "tif"] {
        let (head, file) = open_data_url(&blur_text(&data_url(name, &file)));
        assert_eq!(head, format!("data:image/{name};base64"));
        let format = image::guess_format(&file).unwrap();
        assert_eq!(format, ImageFormat::from_extension(name).unwrap(), "{name}");
    }
}

#[test]
fn the_input_is_decoded_by_its_content() {
    let image = data::photo(1, 9, 8, 3);
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff] {
        let reply = blur_text(&data_url("png", &encode(&image, format)));
        assert!(decode(&open_data_url(&reply).1) == reference::blur::blur(&image), "{format:?}");
    }
}

#[test]
fn white_space_and_missing_padding_are_tolerated() {
    let file = encode(&data::photo(1, 9, 8, 3), ImageFormat::Png);
    let expected = blur_text(&data_url("png", &file));
    let unpadded = STANDARD_NO_PAD.encode(&file);
    assert_ne!(unpadded, STANDARD.encode(&file), "the file needs padding");
    let lines: Vec<&str> =
        unpadded.as_bytes().chunks(7).map(|line| str::from_utf8(line).unwrap()).collect();
    for body in [
        format!("data:image/png;base64,{unpadded}"),
        format!("data:image/png;base64,\n{}\r\n", lines.join("\r\n")),
        format!("\n DATA:image/png;charset=utf-8;BASE64, {}=\t\n", lines.join(" \t")),
    ] {
        assert_eq!(blur_text(&body.replace("= ", "=")).body, expected.body);
    }
}

#[test]
fn raw_images_come_back_raw() {
    let image = data::photo(1, 9, 8, 3);
    for (format, name) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Bmp, "image/bmp"),
        (ImageFormat::Tiff, "image/tiff"),
    ] {
        let reply = blur_raw("Image/any; x=y", None, &encode(&image, format));
        assert_eq!(reply.content_type, name);
        assert!(decode(&reply.body) == reference::blur::blur(&image), "{name}");
    }
}

#[test]
fn accept_chooses_the_format_of_raw_images() {
    check_accept("*/*", "image/png");
    check_accept("", "image/png");
    check_accept("image/*", "image/png");
    check_accept("image/bmp", "image/bmp");
    check_accept("image/jpg", "image/jpeg");
    check_accept("image/webp, image/avif, */*;q=0.1", "image/png");
    check_accept("image/gif;q=0.5, image/tiff;q=0.9", "image/tiff");
    check_accept("image/gif, */*", "image/gif");
    check_accept("image/gif, image/png", "image/png");
    check_accept("image/gif; Q=0.2, text/html, image/bmp;q=0.3;x=1", "image/bmp");
    check_accept("image/gif;q=x, image/bmp;q=0, image/*;q=0.1", "image/png");
}

#[test]
fn a_data_url_is_one_whatever_the_content_type() {
    let body = data_url("bmp", &encode(&data::photo(1, 9, 8, 3), ImageFormat::Png));
    let reply = blur_raw("image/png", Some("image/gif"), body.as_bytes());
    assert_eq!(open_data_url(&reply).0, "data:image/bmp;base64");
}

#[test]
fn alpha_is_dropped_where_the_format_has_none() {
    for bands in [2, 4] {
        let image = data::gradient(24, 20, bands);
        let file = encode(&image, ImageFormat::Png);
        let (_, file) = open_data_url(&blur_text(&data_url("jpg", &file)));
        assert_eq!(decode(&file).bands, bands - 1);
    }
}

#[test]
fn every_format_takes_every_number_of_bands() {
    for bands in 1..=4 {
        let file = encode(&data::photo(1, 9, 8, bands), ImageFormat::Png);
        for name in ["jpg", "png", "bmp", "gif", "tiff"] {
            let (_, file) = open_data_url(&blur_text(&data_url(name, &file)));
            assert_eq!(decode(&file).width, 9, "{name}, {bands} bands");
        }
    }
}

#[test]
fn a_gif_without_transparency_has_no_alpha() {
    let image = data::gradient(24, 20, 3);
    let file = encode(&image, ImageFormat::Gif);
    let (_, file) = open_data_url(&blur_text(&data_url("png", &file)));
    assert_eq!(decode(&file).bands, 3);
}

#[test]
fn of_an_animation_the_first_frame_counts() {
    let mut file = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut file);
    for level in [10, 200] {
        encoder.encode(&[level; 3 * 30], 6, 5, ExtendedColorType::Rgb8).unwrap();
    }
    drop(encoder);
    let (_, file) = open_data_url(&blur_text(&data_url("png", &file)));
    assert_eq!(decode(&file), Raster { width: 6, height: 5, bands: 3, samples: vec![10; 90] });
}

#[test]
fn sixteen_bits_become_eight() {
    let image = data::photo(1, 12, 9, 3);
    let wide: Vec<u16> = image.samples.iter().map(|&sample| u16::from(sample) * 257).collect();
    let wide = image::ImageBuffer::<image::Rgb<u16>, _>::from_raw(12, 9, wide).unwrap();
    let mut file = std::io::Cursor::new(Vec::new());
    wide.write_to(&mut file, ImageFormat::Png).unwrap();
    let (_, file) = open_data_url(&blur_text(&data_url("png", file.get_ref())));
    assert!(decode(&file) == reference::blur::blur(&image));
}

#[test]
fn jpeg_loses_little() {
    let image = data::photo(1, 120, 90, 1);
    let body = data_url("jpeg", &encode(&image, ImageFormat::Png));
    let (_, file) = open_data_url(&blur_text(&body));
    let (got, expected) = (decode(&file), reference::blur::blur(&image));
    let squares = got
        .samples
        .iter()
        .zip(&expected.samples)
        .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = squares.sum::<f64>() / expected.samples.len() as f64;
    assert!(40.0 <= 10.0 * (255.0 * 255.0 / mean).log10(), "mean square {mean}");
}
