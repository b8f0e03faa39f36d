//! MP3 and AAC, packet by packet as they are.

use symphonia::core::codecs::audio::well_known::CODEC_ID_MP3;
use weighbridge_instrument::checkpoint;

use super::{Codec, Music, Packet, Sound, guarded, mistake, read, told};
use crate::operations::OperationError;
use crate::operations::video::{FILM_BYTES_MAX, VideoError};

/// `objectTypeIndication`: AAC, MP3, and MP3 of less than 32,000 samples a second (MPEG-2).
const AAC: u8 = 0x40;
const MP3: u8 = 0x6b;
const MP3_OF_MPEG_2: u8 = 0x69;

/// The most bytes of what a decoder of AAC needs first.
const CONFIG_BYTES_MAX: usize = 64;

/// The most packets of a film: those of the longest, four times as dense as usual.
const PACKETS_MAX: usize = 1 << 22;

/// Tells whether there is all that a film needs of a file.
pub(super) fn check(music: &Music<'_>) -> Result<(), String> {
    codec(music).map(drop)
}

/// The packets of a film of `seconds`.
pub(super) fn sound(music: &Music<'_>, seconds: f64) -> Result<Sound, OperationError> {
    let track = &music.track;
    let skip = (u64::from(track.delay) * u64::from(track.timescale) / u64::from(track.rate)) as u32;
    let needed = (seconds * f64::from(track.timescale)).ceil() as u64 + u64::from(skip);
    let packets = packets(music, needed)?;
    Ok(Sound {
        codec: codec(music).map_err(mistake)?,
        timescale: track.timescale,
        channels: track.channels as u16,
        rate: track.rate,
        skip,
        sequence: sequence(&packets, needed)?,
        packets,
    })
}

/// The first packets, up to `needed` ticks.
fn packets(music: &Music<'_>, needed: u64) -> Result<Vec<Packet>, OperationError> {
    let mut reader = read(music.content).map_err(|error| mistake(told(&error)))?;
    let (mut packets, mut ticks) = (Vec::new(), 0);
    // What is behind damage is not heard.
    while ticks < needed
        && let Ok(Some(packet)) = guarded(|| reader.next_packet())
    {
        checkpoint()?;
        let duration = packet.block_dur().get().min(u64::from(u32::MAX)) as u32;
        if packet.track_id == music.track.id && 0 < duration {
            ticks += u64::from(duration);
            packets.push(Packet { bytes: packet.data, duration });
        }
    }
    if packets.is_empty() {
        return Err(mistake("there is no sound in it".to_owned()));
    }
    Ok(packets)
}

/// Packets again and again, until there are `needed` ticks.
fn sequence(packets: &[Packet], needed: u64) -> Result<Vec<u32>, OperationError> {
    let (mut sequence, mut ticks, mut bytes) = (Vec::new(), 0, 0);
    for (packet, nth) in packets.iter().zip(0..).cycle() {
        if needed <= ticks {
            break;
        }
        sequence.push(nth);
        ticks += u64::from(packet.duration);
        bytes += packet.bytes.len();
        if PACKETS_MAX < sequence.len() || FILM_BYTES_MAX < bytes {
            return Err(VideoError::TooLong(FILM_BYTES_MAX).into());
        }
    }
    Ok(sequence)
}

fn codec(music: &Music<'_>) -> Result<Codec, String> {
    let track = &music.track;
    if track.codec.codec == CODEC_ID_MP3 {
        let object_type = if track.rate < 32_000 { MP3_OF_MPEG_2 } else { MP3 };
        return Ok(Codec::Mpeg { object_type, config: Box::default() });
    }
    // An M4A file has it; ADTS files have the same in each header.
    let config = track.codec.extra_data.clone().or_else(|| of_adts(music.content));
    let config = config.filter(|config| config.len() <= CONFIG_BYTES_MAX);
    let config = config.ok_or("it does not say what kind of AAC it is, expected ADTS or M4A")?;
    Ok(Codec::Mpeg { object_type: AAC, config })
}

/// The `AudioSpecificConfig` (ISO 14496-3) of what follows a header of ADTS.
fn of_adts(content: &[u8]) -> Option<Box<[u8]>> {
    let header = content.get(id3_bytes(content)..)?.first_chunk::<4>()?;
    let is_header = header[0] == 0xff && header[1] & 0xf6 == 0xf0;
    let profile = header[2] >> 6;
    let rate = (header[2] >> 2) & 0xf;
    let channels = ((header[2] & 1) << 2) | (header[3] >> 6);
    let config = [((profile + 1) << 3) | (rate >> 1), (rate << 7) | (channels << 3)];
    is_header.then(|| Box::from(config))
}

/// The bytes of an `ID3v2` tag at the beginning.
fn id3_bytes(content: &[u8]) -> usize {
    match *content {
        [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] => {
            let bits = [a, b, c, d].map(|byte| usize::from(byte & 0x7f));
            let footer = if flags & 0x10 == 0 { 0 } else { 10 };
            10 + bits.into_iter().fold(0, |size, bits| (size << 7) | bits) + footer
        }
        _ => 0,
    }
}
