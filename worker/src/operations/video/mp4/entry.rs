//! What decoders need to know first: `avc1` (ISO 14496-15), `mp4a` (ISO 14496-14) and `Opus`
//! (Encapsulation of Opus in ISO Base Media File Format, version 0.8.1).

use weighbridge_film::Settings;

use super::boxes::{boxed, full, numbers, shorts};
use crate::operations::video::encode::ParameterSets;
use crate::operations::video::music::{Codec, Sound};

/// Of the frames.
pub(super) fn of_pictures(sets: &ParameterSets, settings: &Settings) -> Vec<u8> {
    let ParameterSets { sequence, picture } = sets;
    let profile = sequence.get(1..4).unwrap_or(&[0; 3]);
    let config = boxed(
        *b"avcC",
        &[
            &[1],
            profile,
            // Lengths have four bytes, and there is one set of each kind.
            &[0xff, 0xe1],
            &shorts(&[sequence.len() as u16]),
            sequence,
            &[1],
            &shorts(&[picture.len() as u16]),
            picture,
        ],
    );
    // Primaries, transfer and matrix of BT.709, in the range of television.
    let colours = boxed(*b"colr", &[b"nclx", &shorts(&[1, 1, 1]), &[0]]);
    boxed(
        *b"avc1",
        &[
            &shorts(&[0, 0, 0, 1]),
            &numbers(&[0; 4]),
            &shorts(&[settings.width as u16, settings.height as u16]),
            // 72 dots an inch.
            &numbers(&[72 << 16, 72 << 16, 0]),
            &shorts(&[1]),
            &[0; 32],
            &shorts(&[24, 0xffff]),
            &config,
            &colours,
        ],
    )
}

/// Of the music.
pub(super) fn of_sound(sound: &Sound) -> Vec<u8> {
    let head = |rate: u32| {
        let channels = [0, 0, 0, 1, 0, 0, 0, 0, sound.channels, 16, 0, 0];
        [shorts(&channels), numbers(&[rate.min(0xffff) << 16])].concat()
    };
    match &sound.codec {
        Codec::Mpeg { object_type, config } => {
            boxed(*b"mp4a", &[&head(sound.rate), &stream(*object_type, config)])
        }
        Codec::Opus => {
            let config = boxed(
                *b"dOps",
                &[
                    &[0, sound.channels as u8],
                    &shorts(&[sound.skip as u16]),
                    &numbers(&[sound.rate]),
                    // No gain, and one or two channels as they usually are.
                    &[0, 0, 0],
                ],
            );
            boxed(*b"Opus", &[&head(sound.timescale), &config])
        }
    }
}

/// The descriptor of an MPEG stream (ISO 14496-1). `config` is short.
fn stream(object_type: u8, config: &[u8]) -> Vec<u8> {
    // Sound; buffer and rates are not told.
    let head = [&[object_type, 0x15][..], &[0; 11]].concat();
    let specific = if config.is_empty() { Vec::new() } else { descriptor(5, &[config]) };
    let decoder = descriptor(4, &[&head, &specific]);
    let layer = descriptor(6, &[&[2]]);
    full(*b"esds", 0, 0, &[&descriptor(3, &[&[0, 0, 0], &decoder, &layer])])
}

/// A descriptor of less than 128 bytes.
fn descriptor(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    debug_assert!(content.len() < 128, "the length has one byte");
    [&[tag, content.len() as u8], &content[..]].concat()
}
