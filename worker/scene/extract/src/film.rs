//! What a request for a film says of its cost: its photos, by their headers, and its frames.
//!
//! The frames that are made and the photos that are decoded are told apart by what they cost: a
//! frame like the one before it costs a tenth of one of a fade.

use std::io::Cursor;

use weighbridge_core::features::BodyNeed;
use weighbridge_core::features::extractors::{Extractor, Reader};
use weighbridge_core::request::RequestSpec;
use weighbridge_film::{PHOTOS_MAX, Settings, Skim, Timeline};
use weighbridge_image_header::{Format, ImageHeader};

/// See the module.
#[derive(Debug)]
pub struct Film;

/// What can be asked of a film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// Photos.
    Photos,
    /// Pixels of all photos.
    PhotoPixels,
    /// Pixels and bytes of the photos that are JPEG files.
    JpegPixels,
    JpegBytes,
    /// Pixels of the photos that are PNG files.
    PngPixels,
    /// Pixels of the first frames of photos, without bars.
    FirstPixels,
    /// Pixels of the frames in which a photo stands.
    StillPixels,
    /// Pixels of the frames in which one fades into the next.
    FadedPixels,
    /// The same without the bars.
    FadedPicture,
    /// The same, times the bytes that photos have for each pixel: how much there is to encode.
    FadedDetail,
    /// Frames, of whatever size.
    Frames,
    /// Seconds of music that is encoded.
    MusicSeconds,
}

/// What is asked of a film.
#[derive(Debug, Default)]
struct Fields(Vec<Field>);

/// What was read of a film.
#[derive(Debug, Default)]
struct Measured {
    photos: f64,
    photo_pixels: f64,
    jpeg_pixels: f64,
    jpeg_bytes: f64,
    png_pixels: f64,
    first_pixels: f64,
    /// Of each photo that fades into the next, both together halved.
    fading_pixels: f64,
    fading_detail: f64,
    frame_pixels: f64,
    faded: f64,
    timeline: Option<Timeline>,
    is_encoded: bool,
}

impl Extractor for Film {
    fn name(&self) -> &'static str {
        "film"
    }

    fn syntax(&self) -> String {
        let names: Vec<&str> = Field::ALL.iter().map(|(name, _)| *name).collect();
        format!("film.{{{}}}", names.join(","))
    }

    fn about(&self) -> &'static str {
        "of a film to be made, its photos, the pixels of its frames, and the seconds of music that \
         is encoded"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Whole
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Fields::default())
    }
}

impl Reader for Fields {
    fn add(&mut self, factor: &str) -> bool {
        let field = factor.strip_prefix("film.").and_then(Field::parse);
        field.map(|field| self.0.push(field)).is_some()
    }

    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        let content_type = spec.header_value("content-type").unwrap_or_default();
        let skim = Skim::read(content_type, spec.body);
        if skim.photos.is_empty() {
            return;
        }
        let measured = Measured::of(&skim);
        for (number, field) in numbers.iter_mut().zip(&self.0) {
            *number = measured.number(*field);
        }
    }
}

// === impl Field ===

impl Field {
    const ALL: [(&'static str, Field); 12] = [
        ("photos", Field::Photos),
        ("photo_pixels", Field::PhotoPixels),
        ("jpeg_pixels", Field::JpegPixels),
        ("jpeg_bytes", Field::JpegBytes),
        ("png_pixels", Field::PngPixels),
        ("first_pixels", Field::FirstPixels),
        ("still_pixels", Field::StillPixels),
        ("faded_pixels", Field::FadedPixels),
        ("faded_picture", Field::FadedPicture),
        ("faded_detail", Field::FadedDetail),
        ("frames", Field::Frames),
        ("music_seconds", Field::MusicSeconds),
    ];

    fn parse(text: &str) -> Option<Field> {
        Field::ALL.iter().find_map(|(name, field)| (*name == text).then_some(*field))
    }
}

// === impl Measured ===

impl Measured {
    fn of(skim: &Skim<'_>) -> Measured {
        let settings = &skim.settings;
        let timeline = Timeline::new(settings, skim.photos.len());
        let music = skim.music.as_ref().map(|music| music.content).unwrap_or_default();
        let mut measured = Measured {
            photos: timeline.photos as f64,
            frame_pixels: settings.frame_pixels() as f64,
            faded: timeline.faded as f64,
            timeline: Some(timeline),
            is_encoded: [b"RIFF", b"fLaC", b"OggS"].iter().any(|begin| music.starts_with(*begin)),
            ..Measured::default()
        };
        // A film of more photos is refused.
        let last = skim.photos.len().min(PHOTOS_MAX) - 1;
        for (nth, photo) in skim.photos.iter().take(PHOTOS_MAX).enumerate() {
            // The first and the last one fade once, the others twice.
            let fades = f64::from(u8::from(0 < nth) + u8::from(nth < last)) / 2.0;
            measured.add(photo.content, settings, fades);
        }
        measured
    }

    fn add(&mut self, file: &[u8], settings: &Settings, fades: f64) {
        let Ok(header) = ImageHeader::read(&mut Cursor::new(file)) else { return };
        let pixels = f64::from(header.width) * f64::from(header.height);
        let fitted = settings.fitted((header.width, header.height));
        let fitted = f64::from(fitted.0) * f64::from(fitted.1);
        let is = |format: Format| f64::from(u8::from(header.format == format));
        self.photo_pixels += pixels;
        self.jpeg_pixels += is(Format::Jpeg) * pixels;
        self.jpeg_bytes += is(Format::Jpeg) * file.len() as f64;
        self.png_pixels += is(Format::Png) * pixels;
        self.first_pixels += fitted;
        self.fading_pixels += fades * fitted;
        self.fading_detail += fades * fitted * file.len() as f64 / pixels.max(1.0);
    }

    fn number(&self, field: Field) -> f64 {
        let Some(timeline) = self.timeline else { return 0.0 };
        match field {
            Field::Photos => self.photos,
            Field::PhotoPixels => self.photo_pixels,
            Field::JpegPixels => self.jpeg_pixels,
            Field::JpegBytes => self.jpeg_bytes,
            Field::PngPixels => self.png_pixels,
            Field::FirstPixels => self.first_pixels,
            Field::StillPixels => self.photos * timeline.still as f64 * self.frame_pixels,
            Field::FadedPixels => timeline.fades() as f64 * self.faded * self.frame_pixels,
            Field::FadedPicture => self.fading_pixels * self.faded,
            Field::FadedDetail => self.fading_detail * self.faded,
            Field::Frames => timeline.frames() as f64,
            Field::MusicSeconds => f64::from(u8::from(self.is_encoded)) * timeline.seconds(),
        }
    }
}

#[cfg(test)]
mod tests;
