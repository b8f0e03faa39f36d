//! The operations, compared with their definitions, and with wrong requests.

mod images;
mod scenes;
mod forms;
mod kinds;
mod mistakes;
mod anything;

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ExtendedColorType, ImageFormat};
use weighbridge_worker::operations::codec::Raster;
use weighbridge_worker::operations::{
    Limits, Operation, OperationError, OperationRequest, Reply, run,
};

/// A POST with the default limits, as most clients send it.
fn post(operation: &dyn Operation, query: &str, body: &[u8]) -> Result<Reply, OperationError> {
    let request = OperationRequest { query, content_type: None, accept: None, body };
    run(operation, &request, &Limits::default())
}

/// A file of the pixels.
fn encode(raster: &Raster, format: ImageFormat) -> Vec<u8> {
    let color = [
        ExtendedColorType::L8,
        ExtendedColorType::La8,
        ExtendedColorType::Rgb8,
        ExtendedColorType::Rgba8,
    ][raster.bands - 1];
    let mut file = Cursor::new(Vec::new());
    let (width, height) = (raster.width as u32, raster.height as u32);
    image::write_buffer_with_format(&mut file, &raster.samples, width, height, color, format)
        .unwrap();
    file.into_inner()
}

/// The pixels of a file, in the bands that the file has.
fn decode(file: &[u8]) -> Raster {
    let image = image::load_from_memory(file).unwrap();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (bands, samples) = match image {
        DynamicImage::ImageLuma8(image) => (1, image.into_raw()),
        DynamicImage::ImageLumaA8(image) => (2, image.into_raw()),
        DynamicImage::ImageRgb8(image) => (3, image.into_raw()),
        DynamicImage::ImageRgba8(image) => (4, image.into_raw()),
        image => panic!("unexpected {:?}", image.color()),
    };
    Raster { width, height, bands, samples }
}

fn data_url(name: &str, file: &[u8]) -> String {
    format!("data:image/{name};base64,{}", STANDARD.encode(file))
}

/// The head and the file of a reply in the text form.
fn open_data_url(reply: &Reply) -> (String, Vec<u8>) {
    let text = str::from_utf8(&reply.body).unwrap();
    assert!(!text.contains('\n'), "a reply is one line");
    let (head, data) = text.split_once(',').unwrap();
    (head.to_owned(), STANDARD.decode(data).unwrap())
}
