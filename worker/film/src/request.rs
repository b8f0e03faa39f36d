//! A request for a film, checked; all mistakes are told at once.

use std::fmt;

use crate::form::{self, FormMistake, Part};
use crate::{FILM_PIXELS_MAX, Range, Settings, Timeline};

/// The most photos of a film.
pub const PHOTOS_MAX: usize = 200;

/// The most bytes of a part that is a number.
const NUMBER_BYTES_MAX: usize = 32;

/// The most bytes of all names of photos in `order`.
const ORDER_BYTES_MAX: usize = 64 << 10;

/// The smaller side of a frame has at most so many pixels: the encoder takes no more.
const SMALLER_SIDE_MAX: u32 = 2160;

/// The most mistakes that are told.
const MISTAKES_MAX: usize = 20;

const NAMES: &str = "`photos`, `music`, `seconds`, `fade`, `width`, `height`, `fps` or `order`";

/// A request for a film.
#[derive(Debug)]
pub struct FilmRequest<'a> {
    /// The photos, in the order in which they are shown. At least one.
    pub photos: Vec<Part<'a>>,
    /// What is heard.
    pub music: Option<Part<'a>>,
    /// What was chosen.
    pub settings: Settings,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The part of the form; `body` for the form itself.
    pub field: String,
    /// What is wrong, and what was expected.
    pub detail: String,
    /// Whether it is over a limit, rather than wrong in itself.
    pub is_limit: bool,
}

/// All that is wrong with a request; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

/// What is read of a request for a film that may be wrong: everything that is right of it.
#[derive(Debug, Default)]
pub struct Skim<'a> {
    /// The photos, in the order in which they came.
    pub photos: Vec<Part<'a>>,
    /// What is heard.
    pub music: Option<Part<'a>>,
    /// What was chosen.
    pub settings: Settings,
    order: Vec<String>,
    /// Whether the form cannot be read, or not to its end.
    is_cut: bool,
    mistakes: Vec<Mistake>,
}

impl<'a> FilmRequest<'a> {
    /// Reads a form. What is in its files is not looked at.
    pub fn read(content_type: &str, body: &'a [u8]) -> Result<FilmRequest<'a>, Mistakes> {
        let mut skim = Skim::read(content_type, body);
        let settings = skim.settings;
        if SMALLER_SIDE_MAX < settings.width.min(settings.height) {
            skim.mistake(
                "height",
                format!(
                    "a frame has `{}x{}` pixels, expected a smaller side of at most {}",
                    settings.width, settings.height, SMALLER_SIDE_MAX
                ),
            );
        }
        // A form that cannot be read has its photos behind the mistake.
        if skim.photos.is_empty() && !skim.is_cut {
            skim.mistake("photos", format!("there is none, expected 1 to {PHOTOS_MAX} files"));
        }
        skim.check_limits();
        let photos = skim.ordered();
        if skim.mistakes.is_empty() {
            return Ok(FilmRequest { photos, music: skim.music, settings });
        }
        skim.mistakes.truncate(MISTAKES_MAX);
        Err(Mistakes(skim.mistakes))
    }

    /// The frames of the film.
    pub fn timeline(&self) -> Timeline {
        Timeline::new(&self.settings, self.photos.len())
    }
}

// === impl Skim ===

impl<'a> Skim<'a> {
    /// Reads what is right of a form.
    pub fn read(content_type: &str, body: &'a [u8]) -> Skim<'a> {
        let mut skim = Skim::default();
        match form::parts(content_type, body) {
            Err(mistake) => skim.form_mistake(&mistake),
            Ok(parts) => {
                for part in parts {
                    match part {
                        Ok(part) => skim.take(part),
                        Err(mistake) => skim.form_mistake(&mistake),
                    }
                }
            }
        }
        skim
    }

    fn take(&mut self, part: Part<'a>) {
        match part.name.as_str() {
            // A browser sends a field without a file as an empty file without a name.
            "photos" | "photos[]" | "music" if is_left_empty(&part) => {}
            "photos" | "photos[]" => self.photos.push(part),
            "music" if self.music.is_some() => {
                self.mistake("music", "there are several, expected one file".to_owned());
            }
            "music" => self.music = Some(part),
            "order" | "order[]" => self.take_order(&part),
            name => self.take_other(name, part.content),
        }
    }

    fn take_other(&mut self, name: &str, content: &[u8]) {
        if let Some(range) = Range::ALL.iter().find(|range| range.name == name) {
            self.take_number(range, content);
        } else {
            let detail = format!("`{name}` is no part of a film, expected {NAMES}");
            self.mistake("body", detail);
        }
    }

    fn take_number(&mut self, range: &Range, content: &[u8]) {
        let text = text(content, NUMBER_BYTES_MAX);
        if let Some(value) = text.and_then(|text| range.read(text)) {
            return self.settings.set(range, value);
        }
        let shown = text.map_or_else(
            || format!("{} bytes", content.len()),
            |text| format!("`{}`", text.escape_debug()),
        );
        self.mistake(range.name, format!("it is {shown}, expected {range}"));
    }

    fn take_order(&mut self, part: &Part<'_>) {
        let left = ORDER_BYTES_MAX.saturating_sub(self.order.iter().map(String::len).sum());
        match text(part.content, left) {
            Some(text) => {
                let names = text.lines().map(str::trim).filter(|name| !name.is_empty());
                self.order.extend(names.map(str::to_owned));
            }
            None => self.mistake(
                "order",
                format!("expected names of photos, one a line, {ORDER_BYTES_MAX} bytes at most"),
            ),
        }
    }

    fn check_limits(&mut self) {
        if PHOTOS_MAX < self.photos.len() {
            let detail =
                format!("there are {}, expected 1 to {PHOTOS_MAX} files", self.photos.len());
            self.mistakes.push(Mistake { field: "photos".to_owned(), detail, is_limit: true });
        }
        let frames = Timeline::new(&self.settings, self.photos.len()).frames();
        let pixels = frames.saturating_mul(self.settings.frame_pixels());
        if FILM_PIXELS_MAX < pixels {
            let Settings { width, height, .. } = self.settings;
            let detail = format!(
                "the film has {frames} frames of `{width}x{height}`, which are {pixels} pixels, \
                 expected at most {FILM_PIXELS_MAX}"
            );
            self.mistakes.push(Mistake { field: "body".to_owned(), detail, is_limit: true });
        }
    }

    /// The photos as `order` has them; those that it does not name come after, as they came.
    fn ordered(&mut self) -> Vec<Part<'a>> {
        let mut left: Vec<Option<Part<'a>>> =
            std::mem::take(&mut self.photos).into_iter().map(Some).collect();
        let mut ordered = Vec::with_capacity(left.len());
        for name in std::mem::take(&mut self.order) {
            let is_it = |photo: &Option<Part<'_>>| {
                photo.as_ref().is_some_and(|photo| photo.file_name.as_deref() == Some(&name))
            };
            if let Some(at) = left.iter().position(is_it) {
                ordered.extend(left[at].take());
            } else {
                let name = name.escape_debug();
                let detail =
                    format!("`{name}` is not the file name of a photo, or of none that is left");
                self.mistake("order", detail);
            }
        }
        ordered.extend(left.into_iter().flatten());
        ordered
    }

    fn form_mistake(&mut self, mistake: &FormMistake) {
        self.is_cut = true;
        self.mistake("body", mistake.to_string());
    }

    fn mistake(&mut self, field: &str, detail: String) {
        // More are not told: a form has so many parts, and `order` so many names.
        if self.mistakes.len() < MISTAKES_MAX {
            let field = field.to_owned();
            self.mistakes.push(Mistake { field, detail, is_limit: false });
        }
    }
}

fn is_left_empty(part: &Part<'_>) -> bool {
    part.content.is_empty() && part.file_name.as_deref().unwrap_or_default().is_empty()
}

fn text(content: &[u8], most: usize) -> Option<&str> {
    if most < content.len() { None } else { std::str::from_utf8(content).ok() }
}

// === impl Mistakes ===

impl Mistakes {
    /// The part of the form that is wrong, where it is one.
    pub fn field(&self) -> &str {
        let first = self.0.first().map_or("body", |one| one.field.as_str());
        if self.0.iter().all(|one| one.field == first) { first } else { "body" }
    }

    /// Whether all are only over a limit.
    pub fn are_limits(&self) -> bool {
        self.0.iter().all(|one| one.is_limit)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, Mistake { field, detail, .. }) in self.0.iter().enumerate() {
            let separator = if nth == 0 { "" } else { "; " };
            if field == "body" {
                write!(f, "{separator}{detail}")?;
            } else {
                write!(f, "{separator}`{field}`: {detail}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

#[cfg(test)]
mod tests;
