//! Lines over an axis.
//!
//! The legend stands beside the plot, where it hides no line. Axes are linear or logarithmic; a
//! logarithmic one shows positive values only.

use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, Color, IntoFont, LineSeries, PathElement, RGBColor, Text, WHITE,
};

use super::axis::{Axis, Shown};
use super::{Area, ChartError, FONT};

/// Width and height of a picture, in pixels.
const SIZE: (u32, u32) = (960, 480);

/// Width of the legend, in pixels.
const LEGEND_WIDTH: u32 = 220;

/// Height of a line of the legend, in pixels.
const LEGEND_LINE: usize = 22;

/// Points of one line at most: more cannot be told apart.
pub(crate) const POINTS_MAX: usize = 500;

/// The lines' colours, told apart on white; lines beyond them begin again.
const COLORS: [RGBColor; 15] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(148, 103, 189),
    RGBColor(255, 127, 14),
    RGBColor(23, 160, 176),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(127, 127, 127),
    RGBColor(170, 170, 20),
    RGBColor(0, 0, 0),
    RGBColor(20, 60, 120),
    RGBColor(120, 0, 40),
    RGBColor(0, 90, 50),
    RGBColor(250, 180, 110),
];

/// One line and its name in the legend.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Whether the picture is about this one: it is drawn last, and thick.
    pub(crate) is_subject: bool,
    /// By rising x; what an axis cannot show is left out.
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a picture shows.
#[derive(Debug, Clone)]
pub(crate) struct LineChart {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) lines: Vec<Line>,
}

// === impl LineChart ===

impl LineChart {
    /// Writes the picture to `path` as SVG.
    pub(crate) fn write_svg(&self, path: &Path) -> Result<(), ChartError> {
        super::write_svg(path, SIZE, |area| {
            let (plot, legend) = area.split_horizontally(SIZE.0 - LEGEND_WIDTH);
            self.draw_plot(&plot)?;
            self.draw_legend(&legend)
        })
    }

    fn draw_plot(&self, area: &Area) -> Result<(), String> {
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 18).into_font().color(&BLACK))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(70)
            .build_cartesian_2d(self.shown_x(), self.shown_y())
            .map_err(|error| error.to_string())?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(225, 225, 225))
            .x_desc(&self.x.name)
            .y_desc(&self.y.name)
            .axis_desc_style((FONT, 15))
            .label_style((FONT, 13))
            .x_label_formatter(&|at| self.x.label(*at))
            .y_label_formatter(&|at| self.y.label(*at))
            .draw()
            .map_err(|error| error.to_string())?;
        for (index, line) in self.subject_last() {
            let (color, width) = (COLORS[index % COLORS.len()], line.width());
            let points = line.points.iter().filter_map(|point| self.place(*point));
            chart
                .draw_series(LineSeries::new(points, color.stroke_width(width)))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn draw_legend(&self, area: &Area) -> Result<(), String> {
        for ((index, line), middle) in
            self.lines.iter().enumerate().zip((56..).step_by(LEGEND_LINE))
        {
            let (color, width) = (COLORS[index % COLORS.len()], line.width());
            let stroke =
                PathElement::new(vec![(4, middle), (28, middle)], color.stroke_width(width));
            area.draw(&stroke).map_err(|error| error.to_string())?;
            let font = (FONT, 14).into_font().color(&BLACK);
            let name = Text::new(line.name.clone(), (36, middle - 7), font);
            area.draw(&name).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The lines with their places in the legend.
    fn subject_last(&self) -> impl Iterator<Item = (usize, &Line)> {
        let all = |is_subject| {
            self.lines.iter().enumerate().filter(move |(_, line)| line.is_subject == is_subject)
        };
        all(false).chain(all(true))
    }

    /// Where a point is on the axes; `None` where one of them cannot show it.
    fn place(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        Some((self.x.place(x)?, self.y.place(y)?))
    }

    fn shown_x(&self) -> Shown {
        let points = self.lines.iter().flat_map(|line| &line.points);
        self.x.shown(points.map(|(x, _)| *x))
    }

    fn shown_y(&self) -> Shown {
        let points = self.lines.iter().flat_map(|line| &line.points);
        self.y.shown(points.map(|(_, y)| *y))
    }
}

// === impl Line ===

impl Line {
    /// In pixels.
    fn width(&self) -> u32 {
        if self.is_subject { 4 } else { 2 }
    }
}

#[cfg(test)]
mod tests;
