//! What part of a scene is rendered: the query of a request.

use std::borrow::Cow;

use thiserror::Error;

/// The whole picture, in pixels, and the window of it that is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Columns of the picture; not zero. A picture with fewer than none is mirrored.
    pub scols: i32,
    /// Rows of the picture; not zero.
    pub srows: i32,
    /// Columns of the window; above zero.
    pub wcols: i32,
    /// Rows of the window; above zero.
    pub wrows: i32,
    /// Columns from the picture's left edge to the window's.
    pub coff: i32,
    /// Rows from the picture's lower edge down to the window's; below zero where the window is
    /// further up.
    pub roff: i32,
    /// Four rays a pixel rather than one.
    pub aa: bool,
}

/// Why a query is not a view. Every one is the client's fault.
#[derive(Debug, Error)]
pub enum ViewError {
    /// A parameter is not there.
    #[error("the query has no `{0}`")]
    Missing(&'static str),
    /// A parameter is not an integer of 32 bits.
    #[error("`{name}` is `{value}`, expected an integer of 32 bits")]
    NotAnInteger {
        /// The parameter.
        name: &'static str,
        /// What was sent.
        value: String,
    },
    /// A parameter is zero or below where that makes no sense.
    #[error("`{name}` is `{value}`, expected {expected}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// What was sent.
        value: i32,
        /// What would do.
        expected: &'static str,
    },
    /// The window has more pixels than the limit allows.
    #[error("the window has `{wcols}x{wrows}` pixels, the limit is `{limit}` in all")]
    TooManyPixels {
        /// Columns.
        wcols: i32,
        /// Rows.
        wrows: i32,
        /// How many there may be.
        limit: u64,
    },
}

/// The parameters of a query that make a view, decoded.
struct Parameters<'a>([Option<Cow<'a, str>>; NAMES.len()]);

const NAMES: [&str; 7] = ["scols", "srows", "wcols", "wrows", "coff", "roff", "aa"];

// === impl View ===

impl View {
    /// Reads a query that asks for at most `pixels_max` pixels. Unknown parameters are ignored, and
    /// of duplicates the last counts.
    #[inline]
    pub fn parse(query: &str, pixels_max: u64) -> Result<View, ViewError> {
        let parameters = Parameters::of(query);
        let view = View {
            scols: parameters.not_zero("scols")?,
            srows: parameters.not_zero("srows")?,
            wcols: parameters.above_zero("wcols")?,
            wrows: parameters.above_zero("wrows")?,
            coff: parameters.integer("coff")?,
            roff: parameters.integer("roff")?,
            aa: parameters.last("aa").is_some_and(|aa| aa.trim().eq_ignore_ascii_case("true")),
        };
        if pixels_max < view.pixels() {
            let (wcols, wrows) = (view.wcols, view.wrows);
            return Err(ViewError::TooManyPixels { wcols, wrows, limit: pixels_max });
        }
        Ok(view)
    }

    /// Columns of the window.
    #[inline]
    pub fn width(&self) -> usize {
        self.wcols as usize
    }

    /// Rows of the window.
    #[inline]
    pub fn height(&self) -> usize {
        self.wrows as usize
    }

    /// Pixels of the window.
    #[inline]
    pub fn pixels(&self) -> u64 {
        self.width() as u64 * self.height() as u64
    }

    /// How many rows above the picture's lower edge a place is that is `down` rows below the
    /// window's upper edge.
    #[inline]
    pub fn row(&self, down: f64) -> f64 {
        f64::from(self.wrows) - f64::from(self.roff) - down
    }
}

// === impl Parameters ===

impl<'a> Parameters<'a> {
    #[inline]
    fn of(query: &'a str) -> Parameters<'a> {
        let mut parameters = Parameters(Default::default());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if let Some(place) = NAMES.iter().position(|name| *name == key) {
                parameters.0[place] = Some(value);
            }
        }
        parameters
    }

    #[inline]
    fn last(&self, name: &str) -> Option<&str> {
        let place = NAMES.iter().position(|known| *known == name)?;
        self.0[place].as_deref()
    }

    #[inline]
    fn integer(&self, name: &'static str) -> Result<i32, ViewError> {
        let value = self.last(name).ok_or(ViewError::Missing(name))?;
        value.trim().parse().map_err(|_| not_an_integer(name, value))
    }

    #[inline]
    fn not_zero(&self, name: &'static str) -> Result<i32, ViewError> {
        match self.integer(name)? {
            0 => Err(ViewError::OutOfRange { name, value: 0, expected: "anything but zero" }),
            value => Ok(value),
        }
    }

    #[inline]
    fn above_zero(&self, name: &'static str) -> Result<i32, ViewError> {
        match self.integer(name)? {
            value if 0 < value => Ok(value),
            value => Err(ViewError::OutOfRange { name, value, expected: "a number above zero" }),
        }
    }
}

#[cold]
fn not_an_integer(name: &'static str, value: &str) -> ViewError {
    const SHOWN_CHARS_MAX: usize = 32;

    let value = value.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    ViewError::NotAnInteger { name, value }
}
