//! Pictures of results, as SVG: lines over an axis, and bars in groups.
//!
//! White ground, so that they read on light and on dark pages.

mod axis;
mod bars;
mod lines;

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, SVGBackend, WHITE};

pub(crate) use axis::{Axis, Spacing};
pub(crate) use bars::{Bar, BarChart, Series};
pub(crate) use lines::{Line, LineChart, POINTS_MAX};
pub(crate) use plotters::style::RGBColor as Colour;

const FONT: &str = "sans-serif";

/// What a picture is drawn on.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Why a picture was not drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw `{path}`: {message}")]
pub struct ChartError {
    path: String,
    message: String,
}

/// Writes a picture of `size` pixels to `path`.
fn write_svg(
    path: &Path,
    size: (u32, u32),
    draw: impl FnOnce(&Area) -> Result<(), String>,
) -> Result<(), ChartError> {
    let area = SVGBackend::new(path, size).into_drawing_area();
    let text = |error: &dyn std::error::Error| error.to_string();
    let drawn = area
        .fill(&WHITE)
        .map_err(|error| text(&error))
        .and_then(|()| draw(&area))
        .and_then(|()| area.present().map_err(|error| text(&error)));
    drawn.map_err(|message| ChartError { path: path.display().to_string(), message })
}
