//! What is heard: MP3 and AAC as they are, everything else as Opus.
//!
//! Both are cut where the film ends, or repeated until it does. What becomes Opus is faded out;
//! what passes cannot be, as that would take an encoder of its format.

use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};

use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::{CODEC_ID_AAC, CODEC_ID_MP3};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::TimeBase;

use crate::operations::OperationError;

mod decoded;
mod opus;
mod passed;
mod resample;

const EXPECTED: &str = "expected an MP3, AAC (ADTS or M4A), WAV, FLAC or Ogg Vorbis file";

/// Samples a second that are read.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=384_000;

/// A file whose head was read.
pub(super) struct Music<'a> {
    content: &'a [u8],
    track: Track,
}

/// The track of a file that is heard.
#[derive(Debug, Clone)]
struct Track {
    id: u32,
    codec: AudioCodecParameters,
    /// Samples a second.
    rate: u32,
    /// At least one.
    channels: usize,
    /// Ticks a second.
    timescale: u32,
    /// Samples before the music begins.
    delay: u32,
}

/// Packets for the film.
pub(super) struct Sound {
    /// What they are.
    pub(super) codec: Codec,
    /// Ticks a second.
    pub(super) timescale: u32,
    /// Channels.
    pub(super) channels: u16,
    /// Samples a second.
    pub(super) rate: u32,
    /// Ticks before the music begins.
    pub(super) skip: u32,
    /// Each packet once.
    pub(super) packets: Vec<Packet>,
    /// The numbers of the packets, in the order in which they are heard.
    pub(super) sequence: Vec<u32>,
}

/// A packet.
pub(super) struct Packet {
    /// As decoders take it.
    pub(super) bytes: Box<[u8]>,
    /// Ticks.
    pub(super) duration: u32,
}

/// What packets are.
pub(super) enum Codec {
    /// MP3 or AAC.
    Mpeg {
        /// `objectTypeIndication` of ISO 14496-1.
        object_type: u8,
        /// What a decoder of AAC needs first.
        config: Box<[u8]>,
    },
    /// Opus.
    Opus,
}

impl<'a> Music<'a> {
    /// Reads the head of a file. What is wrong with it is told as a phrase.
    pub(super) fn open(content: &'a [u8]) -> Result<Music<'a>, String> {
        let reader = read(content).map_err(|error| told(&error))?;
        let track = Track::of(reader.as_ref())?;
        let music = Music { content, track };
        if music.passes() {
            passed::check(&music)?;
        } else {
            decoded::check(&music.track)?;
        }
        Ok(music)
    }

    /// What is heard in a film of `seconds`.
    pub(super) fn sound(&self, seconds: f64) -> Result<Sound, OperationError> {
        if self.passes() { passed::sound(self, seconds) } else { opus::sound(self, seconds) }
    }

    fn passes(&self) -> bool {
        [CODEC_ID_MP3, CODEC_ID_AAC].contains(&self.track.codec.codec)
    }
}

/// A reader of the file, from its beginning.
fn read(content: &[u8]) -> Result<Box<dyn FormatReader + '_>, Error> {
    guarded(|| {
        let source = Box::new(Cursor::new(content));
        let stream = MediaSourceStream::new(source, MediaSourceStreamOptions::default());
        let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
        symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata)
    })
}

/// What `run` returns. A file on which a decoder panics is damaged: the fault is in the decoder,
/// but it is the client who can send another file. What panicked is not used again.
fn guarded<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let run = panic::catch_unwind(AssertUnwindSafe(run));
    run.unwrap_or(Err(Error::Unsupported("its decoder gave up")))
}

fn told(error: &Error) -> String {
    format!("it cannot be read ({error}), {EXPECTED}")
}

/// A mistake that shows only when the file is read to its end.
fn mistake(detail: String) -> OperationError {
    super::VideoError::from(super::music_mistake(detail)).into()
}

// === impl Track ===

impl Track {
    fn of(reader: &dyn FormatReader) -> Result<Track, String> {
        let track = reader.first_track_known_codec(TrackType::Audio);
        let track = track.ok_or_else(|| format!("it has no track that is known, {EXPECTED}"))?;
        let Some(CodecParameters::Audio(codec)) = &track.codec_params else {
            return Err(format!("it has no track that is heard, {EXPECTED}"));
        };
        let rate = codec.sample_rate.filter(|rate| RATES.contains(rate)).ok_or_else(|| {
            let (least, most) = (RATES.start(), RATES.end());
            format!("it has no rate of samples, or another one than {least} to {most} a second")
        })?;
        Ok(Track {
            id: track.id,
            rate,
            channels: codec.channels.as_ref().map_or(2, Channels::count).max(1),
            timescale: timescale(track.time_base).unwrap_or(rate),
            delay: track.delay.unwrap_or(0),
            codec: codec.clone(),
        })
    }
}

/// Ticks a second, where that is a whole number of them.
fn timescale(base: Option<TimeBase>) -> Option<u32> {
    let base = base?;
    (base.numer.get() == 1).then_some(base.denom.get())
}
