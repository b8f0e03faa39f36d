//! Bars in groups, each with a line from the least to the most that was measured.

use std::path::Path;

use plotters::prelude::{
    BLACK, ChartBuilder, Color, DrawingAreaErrorKind, DrawingBackend, IntoTextStyle, Rectangle,
    SVGBackend, Text, WHITE,
};

use super::{Area, ChartError, Colour, FONT};

/// Width and height of a picture, in pixels.
const SIZE: (u32, u32) = (900, 420);

/// Of the width, what is left for the names of the series.
const NAMES_SHARE: f64 = 0.16;

/// What a picture shows.
#[derive(Debug, Clone)]
pub(crate) struct BarChart<'a> {
    pub(crate) title: String,
    pub(crate) unit: &'a str,
    pub(crate) groups: Vec<String>,
    pub(crate) series: Vec<Series<'a>>,
}

/// Bars of one colour.
#[derive(Debug, Clone)]
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    pub(crate) colour: Colour,
    /// One for each group.
    pub(crate) bars: Vec<Bar>,
}

/// One bar, and its line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    pub(crate) height: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

// === impl BarChart ===

impl BarChart<'_> {
    /// Writes the picture to `path` as SVG.
    pub(crate) fn write_svg(&self, path: &Path) -> Result<(), ChartError> {
        super::write_svg(path, SIZE, |area| self.draw(area).map_err(|error| error.to_string()))
    }

    fn draw<'a>(
        &self,
        area: &Area<'a>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        let values = self.series.iter().flat_map(|series| &series.bars);
        let most = values.map(|bar| bar.most).filter(|most| most.is_finite()).fold(0.0, f64::max);
        let width = self.groups.len() as f64 / (1.0 - NAMES_SHARE);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, (FONT, 20))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..width, 0.0..most.max(1e-9) * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .max_light_lines(0)
            .y_desc(self.unit)
            .draw()?;
        for (index, series) in self.series.iter().enumerate() {
            let colour = series.colour;
            let bars = series
                .bars
                .iter()
                .enumerate()
                .flat_map(|(group, bar)| self.bar(group, index, bar, colour));
            chart.draw_series(bars)?.label(series.name).legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled())
            });
        }
        for (group, name) in self.groups.iter().enumerate() {
            let place = chart.backend_coord(&(group as f64 + 0.5, 0.0));
            let style = (FONT, 14).into_text_style(area);
            let width = i32::try_from(name.len()).unwrap_or(0) * 7;
            area.draw(&Text::new(name.clone(), (place.0 - width / 2, place.1 + 10), style))?;
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
        Ok(())
    }

    /// The bar, and its line.
    fn bar(
        &self,
        group: usize,
        index: usize,
        of: &Bar,
        colour: Colour,
    ) -> [Rectangle<(f64, f64)>; 2] {
        let width = 0.8 / self.series.len().max(1) as f64;
        let left = group as f64 + 0.1 + index as f64 * width;
        let middle = left + width / 2.0;
        let bar = [(left, 0.0), (left + width * 0.9, of.height)];
        let line = [(middle - width * 0.04, of.least), (middle + width * 0.04, of.most)];
        [Rectangle::new(bar, colour.filled()), Rectangle::new(line, BLACK.filled())]
    }
}
