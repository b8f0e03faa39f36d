//! What is heard.

use image::ImageFormat;

use super::look::{Sound, look, packets, tone};
use super::{Form, encoded, film, flat};

/// A film of 2.4 seconds.
fn silent() -> Form {
    let photo = encoded(&flat([90; 3], 32, 32), ImageFormat::Png);
    let form = Form::default().photo(&photo).size(32, 32);
    form.text("seconds", "2.4").text("fps", 10)
}

/// A film with music, and what is heard in it.
#[track_caller]
fn heard(music: &[u8]) -> (Vec<u8>, Sound) {
    let file = film(&silent().file("music", "music", music));
    let seen = look(&file, &[]);
    assert!((seen.seconds - 2.4).abs() < 0.001, "{seen:?}");
    let sound = seen.sound.expect("there is a track");
    assert_eq!(sound.channels, 2);
    // It ends with the film, but for what its last packet is longer.
    assert!((2.39..2.46).contains(&sound.heard_until), "{sound:?}");
    assert!((2.39..2.48).contains(&sound.seconds), "{sound:?}");
    (file, sound)
}

/// Whether a tone is heard in each tenth of a second but the first and last three.
#[track_caller]
fn assert_heard(sound: &Sound, until: usize) {
    for loudness in &sound.loudness[1..until] {
        assert!((0.15..0.4).contains(loudness), "{sound:?}");
    }
}

#[test]
fn mp3_and_aac_pass_as_they_are() {
    for (name, codec, called) in
        [("a.mp3", "libmp3lame", "mp3"), ("a.aac", "aac", "aac"), ("a.m4a", "aac", "aac")]
    {
        // Longer than the film: it is cut.
        let music = tone(name, codec, 44_100, 5.0);
        let (file, sound) = heard(&music);
        assert!(sound.codec.starts_with(called), "{sound:?}");
        assert_heard(&sound, 22);
        let (sent, got) = (packets(name, &music), packets("film.mp4", &file));
        assert!(80 < got.len() && got.len() < sent.len() * 6 / 10, "{name}: {}", got.len());
        // The first packet of an MP3 file may tell of the file.
        let begin = sent.iter().take(5).position(|packet| *packet == got[0]);
        let begin = begin.unwrap_or_else(|| unreachable!("{name}: {:?}", &got[..3]));
        assert_eq!(got, sent[begin..begin + got.len()], "{name}");
    }
}

#[test]
fn music_that_is_shorter_than_the_film_is_repeated() {
    for (name, codec) in [("a.mp3", "libmp3lame"), ("a.aac", "aac"), ("a.m4a", "aac")] {
        let music = tone(name, codec, 48_000, 0.7);
        let (file, sound) = heard(&music);
        let (sent, got) = (packets(name, &music), packets("film.mp4", &file));
        assert!(2 * sent.len() < got.len(), "{name}: {} {}", sent.len(), got.len());
        assert!(got.iter().all(|packet| sent.contains(packet)), "{name}");
        assert!(sound.loudness.iter().all(|loudness| 0.05 < *loudness), "{sound:?}");
    }
    let (_, sound) = heard(&tone("a.wav", "pcm_s16le", 48_000, 0.7));
    assert_heard(&sound, 11);
}

#[test]
fn everything_else_becomes_opus_and_fades_out() {
    for (name, codec, rate) in [
        ("a.wav", "pcm_s16le", 44_100),
        ("a.wav", "pcm_f32le", 8_000),
        ("a.wav", "pcm_s24le", 96_000),
        ("a.flac", "flac", 48_000),
        ("a.ogg", "vorbis", 44_100),
    ] {
        let (_, sound) = heard(&tone(name, codec, rate, 5.0));
        assert_eq!(sound.codec, "opus", "{name}");
        // The film fades out from 1.2 s on.
        assert_heard(&sound, 11);
        let [.., middle, _, _, _, _, _, last] = sound.loudness[..24] else {
            unreachable!("it is long enough")
        };
        assert!(last < 0.03 && 2.0 * last < middle && middle < 0.2, "{name}: {sound:?}");
    }
}

#[test]
fn one_channel_stays_one() {
    // The head of a WAV file says how many there are, in one place.
    let mut music = tone("a.wav", "pcm_s16le", 48_000, 3.0);
    music[22] = 1;
    let seen = look(&film(&silent().file("music", "music", &music)), &[]);
    assert_eq!(seen.sound.expect("there is a track").channels, 1);
}
