//! One track: its samples, and the tables that tell where they are and when.

use weighbridge_film::Settings;

use super::boxes::{boxed, full, numbers, shorts};
use super::{FRAME_TICKS, Film, MATRIX, entry};
use crate::operations::video::encode::Encoder;
use crate::operations::video::music::{Codec, Sound};

/// Packets of Opus that a decoder has to hear before one that it is to play: 80 ms.
const OPUS_ROLL: u16 = 4;

/// A track.
pub(super) struct Track<'a> {
    kind: Kind,
    entry: Vec<u8>,
    /// Ticks a second.
    timescale: u32,
    samples: Vec<Sample<'a>>,
    /// Samples of about a second each: the first, and the one behind the last.
    pub(super) chunks: Vec<(usize, usize)>,
}

/// What a track is, and what only its kind has.
enum Kind {
    Pictures { width: u32, height: u32 },
    Sound { skip: u32, is_opus: bool },
}

struct Sample<'a> {
    bytes: &'a [u8],
    duration: u32,
    is_key: bool,
}

impl<'a> Track<'a> {
    /// The frames.
    pub(super) fn of_pictures(
        pictures: &'a Encoder,
        settings: &Settings,
        timescale: u32,
    ) -> Track<'a> {
        let samples = pictures.frames.iter().map(|frame| Sample {
            bytes: &frame.bytes,
            duration: FRAME_TICKS,
            is_key: frame.is_key,
        });
        let kind = Kind::Pictures { width: settings.width, height: settings.height };
        let entry = entry::of_pictures(&pictures.sets, settings);
        Track::new(kind, entry, timescale, samples.collect())
    }

    /// The music.
    pub(super) fn of_sound(sound: &'a Sound) -> Track<'a> {
        let samples = sound.sequence.iter().map(|nth| {
            let packet = &sound.packets[*nth as usize];
            Sample { bytes: &packet.bytes, duration: packet.duration, is_key: true }
        });
        let is_opus = match sound.codec {
            Codec::Mpeg { .. } => false,
            Codec::Opus => true,
        };
        let kind = Kind::Sound { skip: sound.skip, is_opus };
        Track::new(kind, entry::of_sound(sound), sound.timescale, samples.collect())
    }

    fn new(kind: Kind, entry: Vec<u8>, timescale: u32, samples: Vec<Sample<'a>>) -> Track<'a> {
        let mut chunks: Vec<(usize, usize)> = Vec::new();
        let (mut ticks, mut second) = (0_u64, None);
        for (nth, sample) in samples.iter().enumerate() {
            let now = Some(ticks / u64::from(timescale));
            match chunks.last_mut() {
                Some((_, end)) if second == now => *end = nth + 1,
                Some(_) | None => chunks.push((nth, nth + 1)),
            }
            second = now;
            ticks += u64::from(sample.duration);
        }
        Track { kind, entry, timescale, samples, chunks }
    }

    /// Bytes of all samples.
    pub(super) fn bytes(&self) -> usize {
        self.samples.iter().map(|sample| sample.bytes.len()).sum()
    }

    /// Bytes of one chunk.
    pub(super) fn chunk_bytes(&self, chunk: usize) -> usize {
        self.chunk(chunk).iter().map(|sample| sample.bytes.len()).sum()
    }

    /// Writes one chunk.
    pub(super) fn write(&self, chunk: usize, file: &mut Vec<u8>) {
        self.chunk(chunk).iter().for_each(|sample| file.extend(sample.bytes));
    }

    fn chunk(&self, chunk: usize) -> &[Sample<'a>] {
        let (start, end) = self.chunks[chunk];
        &self.samples[start..end]
    }

    /// The box `trak`.
    pub(super) fn index(&self, film: &Film, id: u32, offsets: &[u32]) -> Vec<u8> {
        let (volume, width, height) = match self.kind {
            Kind::Pictures { width, height } => (0, width, height),
            Kind::Sound { .. } => (1 << 8, 0, 0),
        };
        // Enabled, in the film, in its preview.
        let head = full(
            *b"tkhd",
            0,
            7,
            &[
                &numbers(&[0, 0, id, 0, film.duration, 0, 0]),
                &shorts(&[0, 0, volume, 0]),
                &numbers(&MATRIX),
                &numbers(&[width << 16, height << 16]),
            ],
        );
        boxed(*b"trak", &[&head, &self.edits(film), &self.media(offsets)])
    }

    /// Music begins behind what its encoder put before it, and ends with the film.
    fn edits(&self, film: &Film) -> Vec<u8> {
        let skip = match self.kind {
            Kind::Pictures { .. } => return Vec::new(),
            Kind::Sound { skip, .. } => skip,
        };
        let list = full(*b"elst", 0, 0, &[&numbers(&[1, film.duration, skip, 1 << 16])]);
        boxed(*b"edts", &[&list])
    }

    fn media(&self, offsets: &[u32]) -> Vec<u8> {
        let (handler, name, about) = match self.kind {
            Kind::Pictures { .. } => {
                (b"vide", &b"pictures\0"[..], full(*b"vmhd", 0, 1, &[&[0; 8]]))
            }
            Kind::Sound { .. } => (b"soun", &b"music\0"[..], full(*b"smhd", 0, 0, &[&[0; 4]])),
        };
        let duration = self.samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>();
        let duration = u32::try_from(duration).unwrap_or(u32::MAX);
        // No language.
        let head = [&numbers(&[0, 0, self.timescale, duration])[..], &[0x55, 0xc4, 0, 0]].concat();
        let head = full(*b"mdhd", 0, 0, &[&head]);
        let handler = full(*b"hdlr", 0, 0, &[&[0; 4], handler, &[0; 12], name]);
        // The samples are in this file.
        let place = full(*b"dref", 0, 0, &[&numbers(&[1]), &full(*b"url ", 0, 1, &[])]);
        let place = boxed(*b"dinf", &[&place]);
        let about = boxed(*b"minf", &[&about, &place, &self.tables(offsets)]);
        boxed(*b"mdia", &[&head, &handler, &about])
    }

    fn tables(&self, offsets: &[u32]) -> Vec<u8> {
        let entry = full(*b"stsd", 0, 0, &[&numbers(&[1]), &self.entry]);
        let durations = runs(self.samples.iter().map(|sample| sample.duration));
        let durations: Vec<u32> =
            durations.into_iter().flat_map(|(_, duration, count)| [count, duration]).collect();
        let chunks = runs(self.chunks.iter().map(|(start, end)| (end - start) as u32));
        let chunks: Vec<u32> =
            chunks.into_iter().flat_map(|(first, count, _)| [first + 1, count, 1]).collect();
        let sizes: Vec<u32> = self.samples.iter().map(|sample| sample.bytes.len() as u32).collect();
        let sizes = [&[0, sizes.len() as u32][..], &sizes].concat();
        boxed(
            *b"stbl",
            &[
                &entry,
                &table(*b"stts", &durations, 2),
                &self.keys(),
                &table(*b"stsc", &chunks, 3),
                &full(*b"stsz", 0, 0, &[&numbers(&sizes)]),
                &table(*b"stco", offsets, 1),
                &self.roll(),
            ],
        )
    }

    /// Which samples need no other, where not all do.
    fn keys(&self) -> Vec<u8> {
        let keys = self.samples.iter().zip(1..).filter(|(sample, _)| sample.is_key);
        let keys: Vec<u32> = keys.map(|(_, nth)| nth).collect();
        if keys.len() == self.samples.len() { Vec::new() } else { table(*b"stss", &keys, 1) }
    }

    /// How much of Opus has to be heard before what is to be played.
    fn roll(&self) -> Vec<u8> {
        match self.kind {
            Kind::Sound { is_opus: true, .. } => {}
            Kind::Sound { is_opus: false, .. } | Kind::Pictures { .. } => return Vec::new(),
        }
        let roll = shorts(&[OPUS_ROLL.wrapping_neg()]);
        let group = full(*b"sgpd", 1, 0, &[b"roll", &numbers(&[2, 1]), &roll]);
        let samples = numbers(&[1, self.samples.len() as u32, 1]);
        [group, full(*b"sbgp", 0, 0, &[b"roll", &samples])].concat()
    }
}

/// A table of entries of `width` numbers, with their count before it.
fn table(kind: [u8; 4], entries: &[u32], width: usize) -> Vec<u8> {
    full(kind, 0, 0, &[&numbers(&[(entries.len() / width) as u32]), &numbers(entries)])
}

/// Runs of equal values: where each begins, the value, and how long it is.
fn runs(values: impl Iterator<Item = u32>) -> Vec<(u32, u32, u32)> {
    let mut runs: Vec<(u32, u32, u32)> = Vec::new();
    for (value, nth) in values.zip(0..) {
        match runs.last_mut() {
            Some((_, last, count)) if *last == value => *count += 1,
            Some(_) | None => runs.push((nth, value, 1)),
        }
    }
    runs
}
