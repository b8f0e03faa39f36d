//! Decodes music without an end: what is over begins again.

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::FormatReader;
use weighbridge_instrument::checkpoint;

use super::{Music, Track, guarded, mistake, read, told};
use crate::operations::OperationError;

/// The samples of a file, again and again.
pub(super) struct Decoded<'a> {
    music: &'a Music<'a>,
    reader: Box<dyn FormatReader + 'a>,
    decoder: Box<dyn AudioDecoder>,
    /// Of each sample there is one or two, for the ears.
    pub(super) channels: usize,
    /// Whether there was any sound since the beginning.
    has_sound: bool,
    interleaved: Vec<f32>,
}

/// Tells whether the track can be decoded.
pub(super) fn check(track: &Track) -> Result<(), String> {
    decoder(track).map(drop)
}

fn decoder(track: &Track) -> Result<Box<dyn AudioDecoder>, String> {
    let options = AudioDecoderOptions::default();
    let codecs = symphonia::default::get_codecs();
    let decoder = guarded(|| codecs.make_audio_decoder(&track.codec, &options));
    decoder.map_err(|error| told(&error))
}

impl<'a> Decoded<'a> {
    /// From the beginning of a file.
    pub(super) fn new(music: &'a Music<'a>) -> Result<Decoded<'a>, OperationError> {
        Ok(Decoded {
            music,
            reader: read(music.content).map_err(|error| mistake(told(&error)))?,
            decoder: decoder(&music.track).map_err(mistake)?,
            channels: music.track.channels.min(2),
            has_sound: false,
            interleaved: Vec::new(),
        })
    }

    /// Adds the samples of the next packet to `samples`.
    pub(super) fn read_into(&mut self, samples: &mut Vec<f32>) -> Result<(), OperationError> {
        checkpoint()?;
        // What is behind damage is not heard.
        let packet = guarded(|| self.reader.next_packet());
        let Ok(Some(packet)) = packet else { return self.begin_again() };
        if packet.track_id != self.music.track.id {
            return Ok(());
        }
        let decoded = match guarded(|| self.decoder.decode(&packet)) {
            Ok(decoded) => decoded,
            // A packet that is damaged is left out.
            Err(Error::DecodeError(_) | Error::IoError(_)) => return Ok(()),
            Err(error) => return Err(mistake(told(&error))),
        };
        let rate = decoded.spec().rate();
        if rate != self.music.track.rate {
            let detail = format!("its rate changes from {} to {rate}", self.music.track.rate);
            return Err(mistake(detail));
        }
        let n_channels = decoded.num_planes().max(1);
        decoded.copy_to_vec_interleaved(&mut self.interleaved);
        for frame in self.interleaved.chunks_exact(n_channels) {
            // Of more than two, the first two are left and right.
            samples.extend((0..self.channels).map(|nth| audible(frame[nth.min(n_channels - 1)])));
            self.has_sound = true;
        }
        Ok(())
    }

    fn begin_again(&mut self) -> Result<(), OperationError> {
        if !self.has_sound {
            return Err(mistake("there is no sound in it".to_owned()));
        }
        *self = Decoded::new(self.music)?;
        Ok(())
    }
}

/// A sample that is one.
fn audible(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 }
}
