//! Films: requests for them, and what FFmpeg says of those that come.

mod answers;
mod counted;
mod look;
mod mistakes;
mod music;
mod photos;

use std::fmt::Display;
use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use weighbridge_worker::operations::{Limits, OperationError, OperationRequest, Reply, Video, run};

/// The type of all forms here.
pub(crate) const FORM: &str = "multipart/form-data; boundary=film";

/// A form under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    /// Adds a text.
    pub(crate) fn text(self, name: &str, text: impl Display) -> Form {
        self.part(&format!("name=\"{name}\""), text.to_string().as_bytes())
    }

    /// Adds a file.
    pub(crate) fn file(self, name: &str, file_name: &str, content: &[u8]) -> Form {
        self.part(&format!("name=\"{name}\"; filename=\"{file_name}\""), content)
    }

    /// Adds a photo.
    pub(crate) fn photo(self, content: &[u8]) -> Form {
        self.file("photos", "photo", content)
    }

    /// Adds the size of the film.
    pub(crate) fn size(self, width: u32, height: u32) -> Form {
        self.text("width", width).text("height", height)
    }

    fn part(mut self, names: &str, content: &[u8]) -> Form {
        let head = format!("--film\r\nContent-Disposition: form-data; {names}\r\n\r\n");
        self.0.extend(head.as_bytes());
        self.0.extend(content);
        self.0.extend(b"\r\n");
        self
    }

    /// The whole body.
    pub(crate) fn body(&self) -> Vec<u8> {
        [&self.0[..], b"--film--\r\n"].concat()
    }
}

/// A film of two photos, of which every side is `side`.
pub(crate) fn small(side: u32) -> Form {
    let [one, other] = [10, 200].map(|level| encoded(&gradient(side, level), ImageFormat::Png));
    let form = Form::default().size(side, side).photo(&one).photo(&other);
    form.text("seconds", "0.2").text("fade", "0.2").text("fps", 10)
}

fn gradient(side: u32, level: u8) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| Rgb([level, (3 * x + y) as u8, (x ^ y) as u8]))
}

fn flat(colour: [u8; 3], width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb(colour))
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).expect("it is encoded");
    file.into_inner()
}

fn make(form: &Form) -> Result<Reply, OperationError> {
    make_within(form, &Limits::default())
}

fn make_within(form: &Form, limits: &Limits) -> Result<Reply, OperationError> {
    let body = form.body();
    let request =
        OperationRequest { query: "", content_type: Some(FORM), accept: None, body: &body };
    run(&Video, &request, limits)
}

/// The film that comes of `form`.
#[track_caller]
fn film(form: &Form) -> Vec<u8> {
    let reply = make(form).unwrap_or_else(|error| unreachable!("{error}"));
    assert_eq!(reply.content_type, "video/mp4");
    reply.body
}
