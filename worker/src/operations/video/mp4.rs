//! Writes an MP4 file (ISO 14496-12): its index first, so that it plays while it is loaded.
//!
//! ```text
//! ftyp | moov: mvhd, trak (video), trak (audio) | mdat: a second of frames, a second of sound, ...
//! ```

use weighbridge_film::{Settings, Timeline};

use self::boxes::{boxed, full, numbers};
use self::track::Track;
use super::encode::Encoder;
use super::music::Sound;

mod boxes;
mod entry;
mod track;

/// Ticks of a frame.
const FRAME_TICKS: u32 = 1000;

/// The file of a film.
pub(super) fn write(
    pictures: &Encoder,
    sound: Option<&Sound>,
    settings: &Settings,
    timeline: Timeline,
) -> Vec<u8> {
    let ticks = timeline.fps * FRAME_TICKS;
    let duration = timeline.frames() as u32 * FRAME_TICKS;
    let film = Film { timescale: ticks, duration };
    let mut tracks = vec![Track::of_pictures(pictures, settings, ticks)];
    tracks.extend(sound.map(Track::of_sound));
    let head = boxed(*b"ftyp", &[b"isom", &numbers(&[512]), b"isomiso2avc1mp41"]);
    let index_bytes = film.index(&tracks, &offsets(&tracks, 0)).len();
    // The head of the box of the content is before it.
    let content_at = head.len() + index_bytes + 8;
    let content_bytes: usize = tracks.iter().map(Track::bytes).sum();
    let mut file = Vec::with_capacity(content_at + content_bytes);
    file.extend(head);
    file.extend(film.index(&tracks, &offsets(&tracks, content_at)));
    file.extend(numbers(&[8 + content_bytes as u32]));
    file.extend(b"mdat");
    for (track, chunk) in interleaved(&tracks) {
        tracks[track].write(chunk, &mut file);
    }
    file
}

/// The chunks of all tracks, as they are in the file: of which track, and which of its chunks.
fn interleaved(tracks: &[Track<'_>]) -> impl Iterator<Item = (usize, usize)> {
    let most = tracks.iter().map(|track| track.chunks.len()).max().unwrap_or(0);
    (0..most).flat_map(move |chunk| {
        let has_it = move |track: &usize| chunk < tracks[*track].chunks.len();
        (0..tracks.len()).filter(has_it).map(move |track| (track, chunk))
    })
}

/// Where the chunks of each track are, if the first one of all is at `content_at`.
fn offsets(tracks: &[Track<'_>], content_at: usize) -> Vec<Vec<u32>> {
    let mut offsets = vec![Vec::new(); tracks.len()];
    let mut at = content_at;
    for (track, chunk) in interleaved(tracks) {
        offsets[track].push(at as u32);
        at += tracks[track].chunk_bytes(chunk);
    }
    offsets
}

/// What is true of the film as a whole.
struct Film {
    /// Ticks a second.
    timescale: u32,
    /// Ticks.
    duration: u32,
}

/// A matrix that changes nothing.
const MATRIX: [u32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

// === impl Film ===

impl Film {
    fn index(&self, tracks: &[Track<'_>], offsets: &[Vec<u32>]) -> Vec<u8> {
        let head = full(
            *b"mvhd",
            0,
            0,
            &[
                &numbers(&[0, 0, self.timescale, self.duration, 1 << 16, 1 << 24, 0, 0]),
                &numbers(&MATRIX),
                &numbers(&[0; 6]),
                &numbers(&[tracks.len() as u32 + 1]),
            ],
        );
        let tracks = tracks.iter().zip(offsets).zip(1..);
        let tracks = tracks.flat_map(|((track, offsets), id)| track.index(self, id, offsets));
        boxed(*b"moov", &[&head, &tracks.collect::<Vec<u8>>()])
    }
}
