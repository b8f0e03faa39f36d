//! What part of a scene is rendered: the query of a request.

use std::borrow::Cow;

use thiserror::Error;

use crate::operations::limits::Limits;

/// The whole picture, in pixels, and the window of it that is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// Columns of the picture; not zero.
    pub(super) scols: i32,
    /// Rows of the picture; not zero.
    pub(super) srows: i32,
    /// Columns of the window; above zero.
    pub(super) wcols: i32,
    /// Rows of the window; above zero.
    pub(super) wrows: i32,
    /// Columns from the picture's left edge to the window's.
    pub(super) coff: i32,
    /// Rows from the picture's edge to the window's.
    pub(super) roff: i32,
    /// Four rays a pixel rather than one.
    pub(super) aa: bool,
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
        /// [`Limits::output_pixels`].
        limit: u64,
    },
}

// === impl View ===

impl View {
    /// Reads a query. Unknown parameters are ignored, and of duplicates the last counts.
    pub(super) fn parse(query: &str, limits: &Limits) -> Result<View, ViewError> {
        let view = View {
            scols: not_zero(query, "scols")?,
            srows: not_zero(query, "srows")?,
            wcols: above_zero(query, "wcols")?,
            wrows: above_zero(query, "wrows")?,
            coff: integer(query, "coff")?,
            roff: integer(query, "roff")?,
            aa: last(query, "aa").is_some_and(|aa| aa.trim().eq_ignore_ascii_case("true")),
        };
        if limits.output_pixels < (view.width() as u64) * (view.height() as u64) {
            let limit = limits.output_pixels;
            return Err(ViewError::TooManyPixels { wcols: view.wcols, wrows: view.wrows, limit });
        }
        Ok(view)
    }

    /// Columns of the window.
    pub(super) fn width(&self) -> usize {
        self.wcols as usize
    }

    /// Rows of the window.
    pub(super) fn height(&self) -> usize {
        self.wrows as usize
    }
}

fn not_zero(query: &str, name: &'static str) -> Result<i32, ViewError> {
    match integer(query, name)? {
        0 => Err(ViewError::OutOfRange { name, value: 0, expected: "anything but zero" }),
        value => Ok(value),
    }
}

fn above_zero(query: &str, name: &'static str) -> Result<i32, ViewError> {
    match integer(query, name)? {
        value if 0 < value => Ok(value),
        value => Err(ViewError::OutOfRange { name, value, expected: "a number above zero" }),
    }
}

fn integer(query: &str, name: &'static str) -> Result<i32, ViewError> {
    const SHOWN_CHARS_MAX: usize = 32;

    let value = last(query, name).ok_or(ViewError::Missing(name))?;
    value.trim().parse().map_err(|_| {
        let value = value.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
        ViewError::NotAnInteger { name, value }
    })
}

/// The decoded value of the last parameter called `name`.
fn last<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let parameters = form_urlencoded::parse(query.as_bytes());
    parameters.filter(|(key, _)| key == name).last().map(|(_, value)| value)
}

// === impl ViewError ===

impl ViewError {
    pub(super) fn status(&self) -> u16 {
        match self {
            ViewError::Missing(_)
            | ViewError::NotAnInteger { .. }
            | ViewError::OutOfRange { .. } => 400,
            ViewError::TooManyPixels { .. } => 422,
        }
    }

    pub(super) fn field(&self) -> &'static str {
        match self {
            ViewError::Missing(name)
            | ViewError::NotAnInteger { name, .. }
            | ViewError::OutOfRange { name, .. } => name,
            ViewError::TooManyPixels { .. } => "wcols",
        }
    }
}
