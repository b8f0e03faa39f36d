//! Music as Opus (RFC 6716), faded out.

use opus_pure::{Application, MAX_PACKET_BYTES, OpusEncoder};
use weighbridge_instrument::{charge, checkpoint};

use super::decoded::Decoded;
use super::resample::{RATE, Resampler};
use super::{Codec, Music, Packet, Sound};
use crate::operations::OperationError;
use crate::operations::video::VideoError;

/// Samples of a packet, for each channel: 20 ms.
const PACKET_FRAMES: usize = 960;

/// Bits a second for each channel.
const BITS_PER_CHANNEL: i32 = 64_000;

/// How long music becomes silent before the film ends, in seconds; half of it, where that is less.
const FADE_OUT_SECS: f64 = 2.0;

/// Instructions that a packet is charged with, for each channel: to decode, resample and encode it.
/// See the encoder of frames for where that is from.
const OF_CHANNEL: u64 = 950_000;

/// The packets of a film of `seconds`.
pub(super) fn sound(music: &Music<'_>, seconds: f64) -> Result<Sound, OperationError> {
    let mut samples = Samples::new(music, seconds)?;
    let channels = samples.decoded.channels;
    let mut encoder = OpusEncoder::new(RATE.cast_signed(), channels, Application::Audio)
        .map_err(|error| failed(&error))?;
    encoder.bitrate_bps = if channels == 1 { BITS_PER_CHANNEL } else { 2 * BITS_PER_CHANNEL };
    let skip = encoder.lookahead();
    let n_packets = (samples.frames + skip).div_ceil(PACKET_FRAMES);
    let mut block = vec![0.0; PACKET_FRAMES * channels];
    let mut bytes = vec![0; MAX_PACKET_BYTES];
    let mut packets = Vec::with_capacity(n_packets);
    for _ in 0..n_packets {
        checkpoint()?;
        samples.fill(&mut block)?;
        let n_bytes =
            encoder.encode(&block, PACKET_FRAMES, &mut bytes).map_err(|error| failed(&error))?;
        charge(OF_CHANNEL * channels as u64, 0);
        let bytes = bytes[..n_bytes].into();
        packets.push(Packet { bytes, duration: PACKET_FRAMES as u32 });
    }
    Ok(Sound {
        codec: Codec::Opus,
        timescale: RATE,
        channels: channels as u16,
        rate: music.track.rate,
        skip: skip as u32,
        sequence: (0..packets.len() as u32).collect(),
        packets,
    })
}

fn failed(error: &opus_pure::Error) -> VideoError {
    VideoError::Encoder(error.to_string())
}

/// The samples of a film, of [`RATE`].
struct Samples<'a> {
    decoded: Decoded<'a>,
    resampler: Resampler,
    /// How many frames of samples there are, then silence; and how many have been read.
    frames: usize,
    n_read: usize,
    /// Over how many frames they become silent.
    fade_out: usize,
}

// === impl Samples ===

impl<'a> Samples<'a> {
    fn new(music: &'a Music<'a>, seconds: f64) -> Result<Samples<'a>, OperationError> {
        let frames = |seconds: f64| (seconds * f64::from(RATE)).round() as usize;
        let decoded = Decoded::new(music)?;
        let resampler = Resampler::new(music.track.rate, decoded.channels);
        let fade_out = frames(FADE_OUT_SECS.min(seconds / 2.0));
        Ok(Samples { decoded, resampler, frames: frames(seconds), n_read: 0, fade_out })
    }

    fn fill(&mut self, block: &mut [f32]) -> Result<(), OperationError> {
        for frame in block.chunks_exact_mut(self.decoded.channels) {
            let left = self.frames.saturating_sub(self.n_read);
            self.n_read += 1;
            if left == 0 {
                frame.fill(0.0);
                continue;
            }
            while !self.resampler.frame(frame) {
                self.decoded.read_into(self.resampler.input())?;
            }
            if left < self.fade_out {
                let volume = left as f32 / self.fade_out as f32;
                for sample in frame.iter_mut() {
                    *sample *= volume;
                }
            }
        }
        Ok(())
    }
}
