//! Films made of photos: H.264 in MP4, with cross-fades and music.
//!
//! ```text
//! form ─► check: photos, music ─► per photo: decode ─► turn, fit (frame) ─► mix ─► encode ─┐
//!                                 music: pass on, or decode ─► resample ─► Opus ───────────┴─► mp4
//! ```
//!
//! What a form may say is in the crate `weighbridge_film`. Each photo stands for a while, and fades
//! into the next one. It is fitted into the frame, with black bars, after it was turned as its EXIF
//! data says. The colours are those of BT.709, and mixed as they are stored.
//!
//! Every mistake of a request is told before the first photo is decoded, but for damage within a
//! file, which shows when it is decoded. One photo is decoded at a time; of two that fade into each
//! other there are frames. There is a checkpoint at each frame, at each row that is fitted, and at
//! each packet of music.
//!
//! # Decision: H.264 by OpenH264, at a constant quality
//!
//! It is the codec that plays everywhere, and the only encoder of it that is free to use and builds
//! without further tools. It is C++, so what it does is not counted; the operation charges a number
//! for each macroblock instead (`encode.rs`). A constant quality makes the time of a frame depend
//! on its size and on whether it stands, both of which are known before. Cost: the size of a film
//! is not known before; it has a limit. Look again when there is an encoder in Rust that is as
//! fast.

use thiserror::Error;
use weighbridge_film::{FilmRequest, Mistake, Mistakes, Settings, Timeline};

use self::encode::Encoder;
use self::frame::Frame;
use self::music::Music;
use self::photo::Photo;
use super::{EventForm, Limits, Operation, OperationError, OperationRequest, Reply};

mod encode;
mod frame;
mod mp4;
mod music;
mod photo;
mod resize;

/// The most bytes of a film's frames, and of its music.
const FILM_BYTES_MAX: usize = 256 << 20;

/// Bytes of memory for each pixel of a photo while it is decoded.
const BYTES_PER_PIXEL: u64 = 12;

/// Bytes of memory for each pixel of a frame: three frames here, and those of the encoder.
const BYTES_PER_FRAME_PIXEL: u64 = 24;

/// So many pixels of a film make a byte or less of its file, but for noise.
const PIXELS_PER_BYTE: u64 = 8;

/// Makes a film. See the module.
#[derive(Debug)]
pub struct Video;

/// Why there is no film. All but [`VideoError::Encoder`] are the client's fault.
#[derive(Debug, Error)]
pub enum VideoError {
    /// What is wrong with the request.
    #[error(transparent)]
    Request(#[from] Mistakes),
    /// It grew over the limit, as films of noise do.
    #[error("the film has more than `{0}` bytes, expected fewer or smaller frames")]
    TooLong(usize),
    /// The encoder has failed.
    #[error("the film cannot be encoded: {0}")]
    Encoder(String),
}

impl Operation for Video {
    fn name(&self) -> &'static str {
        "video"
    }

    fn path(&self) -> &'static str {
        "/video"
    }

    fn event(&self) -> EventForm {
        EventForm::None
    }

    fn bytes_held(&self, request: &OperationRequest<'_>, limits: &Limits) -> u64 {
        let content_type = request.content_type.unwrap_or_default();
        match FilmRequest::read(content_type, request.body) {
            Ok(film) => bytes_held(&film, limits),
            // It is refused.
            Err(_) => 0,
        }
    }

    fn run(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
    ) -> Result<Reply, OperationError> {
        let content_type = request.content_type.unwrap_or_default();
        let film = FilmRequest::read(content_type, request.body).map_err(VideoError::from)?;
        let (settings, timeline) = (film.settings, film.timeline());
        let (photos, music) = check(&film, limits)?;
        let pictures = show(photos, &settings, timeline)?;
        let sound = music.map(|music| music.sound(timeline.seconds())).transpose()?;
        let body = mp4::write(&pictures, sound.as_ref(), &settings, timeline);
        Ok(Reply { content_type: "video/mp4".to_owned(), body })
    }
}

/// Looks into the files of a request, and tells all that is wrong with them.
fn check<'a>(
    film: &FilmRequest<'a>,
    limits: &'a Limits,
) -> Result<(Vec<Photo<'a>>, Option<Music<'a>>), VideoError> {
    let mut mistakes = Vec::new();
    let mut photos = Vec::with_capacity(film.photos.len());
    for (part, nth) in film.photos.iter().zip(1..) {
        match Photo::open(part, nth, limits) {
            Ok(photo) => photos.push(photo),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    let music = film.music.as_ref().map(|part| Music::open(part.content));
    let music = music.transpose().map_err(|detail| mistakes.push(music_mistake(detail)));
    match music {
        Ok(music) if mistakes.is_empty() => Ok((photos, music)),
        Ok(_) | Err(()) => Err(Mistakes(mistakes).into()),
    }
}

/// Every frame of the film, encoded.
fn show(
    photos: Vec<Photo<'_>>,
    settings: &Settings,
    timeline: Timeline,
) -> Result<Encoder, OperationError> {
    let mut encoder = Encoder::new(settings)?;
    let mut mixed = Frame::black(settings);
    let mut before: Option<Frame> = None;
    for photo in photos {
        let frame = photo.frame(settings)?;
        if let Some(before) = &before {
            for nth in 1..=timeline.faded {
                mixed.mix(before, &frame, (nth, timeline.faded + 1))?;
                encoder.encode(&mixed, false)?;
            }
        }
        // Who looks for a photo in the film finds its first frame.
        for nth in 0..timeline.still {
            encoder.encode(&frame, nth == 0)?;
        }
        before = Some(frame);
    }
    Ok(encoder)
}

fn bytes_held(film: &FilmRequest<'_>, limits: &Limits) -> u64 {
    let frame_pixels = film.settings.frame_pixels();
    let largest =
        film.photos.iter().zip(1..).filter_map(|(part, nth)| {
            Photo::open(part, nth, limits).ok().map(|photo| photo.pixels())
        });
    let film_bytes =
        (film.timeline().frames() * frame_pixels / PIXELS_PER_BYTE).min(FILM_BYTES_MAX as u64);
    let decoded = largest.max().unwrap_or(0).saturating_mul(BYTES_PER_PIXEL);
    // The frames are there twice when they are put together.
    decoded.saturating_add(frame_pixels * BYTES_PER_FRAME_PIXEL + 2 * film_bytes)
}

fn music_mistake(detail: String) -> Mistake {
    Mistake { field: "music".to_owned(), detail, is_limit: false }
}

// === impl VideoError ===

impl VideoError {
    pub(super) fn status(&self) -> u16 {
        match self {
            VideoError::Request(mistakes) if mistakes.are_limits() => 413,
            VideoError::Request(_) => 400,
            VideoError::TooLong(_) => 422,
            VideoError::Encoder(_) => 500,
        }
    }

    pub(super) fn field(&self) -> Option<&str> {
        match self {
            VideoError::Request(mistakes) => Some(mistakes.field()),
            VideoError::TooLong(_) => Some("body"),
            VideoError::Encoder(_) => None,
        }
    }
}

impl From<Mistake> for VideoError {
    fn from(mistake: Mistake) -> VideoError {
        VideoError::Request(Mistakes(vec![mistake]))
    }
}
