//! Pictures of the results, as SVG.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{CompareError, OverheadRow, Proxy, SchedulingRow, Spread};

/// Bars in groups, with the least and the most as lines.
struct Bars<'a> {
    title: String,
    unit: &'a str,
    groups: Vec<String>,
    /// One name and one value for each group.
    series: Vec<(&'a str, Vec<Spread>)>,
}

const SIZE: (u32, u32) = (900, 420);

/// Of the width, what is left for the names of the series.
const NAMES_SHARE: f64 = 0.16;

/// Colours that people of any sight can tell apart (Okabe and Ito), in the order of [`Proxy::ALL`].
const COLOURS: [RGBColor; Proxy::ALL.len()] = [
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(0, 114, 178),
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
];

/// Writes `scheduling-slowdown.svg` and `scheduling-p99-LOAD.svg` into `out`.
pub(super) fn scheduling(out: &Path, rows: &[SchedulingRow]) -> Result<(), CompareError> {
    let loads: Vec<&[SchedulingRow]> =
        rows.chunk_by(|one, other| one.load.to_bits() == other.load.to_bits()).collect();
    let Some(first) = loads.first() else { return Ok(()) };
    let of = |proxy: &str, value: fn(&SchedulingRow) -> Spread| -> Vec<Spread> {
        rows.iter().filter(|row| row.proxy == proxy).map(value).collect()
    };
    let slowdown = Bars {
        title: "Mean slowdown (response time / service time alone)".to_owned(),
        unit: "times",
        groups: loads.iter().map(|rows| format!("load {:.2}", rows[0].load)).collect(),
        series: first
            .iter()
            .map(|row| (row.proxy, of(row.proxy, |row| row.all.mean_slowdown)))
            .collect(),
    };
    slowdown.draw(&out.join("scheduling-slowdown.svg"))?;
    for rows in loads {
        let p99 = |row: &SchedulingRow| {
            row.classes.iter().map(|class| scaled(class.p99_response, 1e3)).collect()
        };
        let bars = Bars {
            title: format!("p99 response by size class, load {:.2}", rows[0].load),
            unit: "ms",
            groups: rows[0].classes.iter().map(|class| class.class.clone()).collect(),
            series: rows.iter().map(|row| (row.proxy, p99(row))).collect(),
        };
        bars.draw(&out.join(format!("scheduling-p99-{:.2}.svg", rows[0].load)))?;
    }
    Ok(())
}

/// Writes `overhead-cpu-BYTES.svg` for each length of body into `out`.
pub(super) fn overhead(out: &Path, rows: &[OverheadRow]) -> Result<(), CompareError> {
    for rows in rows.chunk_by(|one, other| one.body_bytes == other.body_bytes) {
        let with_cpu: Vec<&OverheadRow> =
            rows.iter().filter(|row| row.cpu_micros.is_some()).collect();
        let settings: Vec<&[&OverheadRow]> =
            with_cpu.chunk_by(|one, other| one.connections == other.connections).collect();
        let Some(first) = settings.first() else { continue };
        let of = |proxy: &str| {
            with_cpu
                .iter()
                .filter(|row| row.proxy == proxy)
                .filter_map(|row| row.cpu_micros)
                .collect()
        };
        let bars = Bars {
            title: format!(
                "CPU time of the proxy per request, bodies of {} bytes",
                rows[0].body_bytes
            ),
            unit: "µs",
            groups: settings
                .iter()
                .map(|rows| format!("{} connections", rows[0].connections))
                .collect(),
            series: first.iter().map(|row| (row.proxy, of(row.proxy))).collect(),
        };
        bars.draw(&out.join(format!("overhead-cpu-{}.svg", rows[0].body_bytes)))?;
    }
    Ok(())
}

/// The colour of the series `name`; gray for anything that is no proxy.
fn colour_of(name: &str) -> RGBColor {
    let place = Proxy::ALL.iter().position(|proxy| proxy.name() == name);
    place.map_or(RGBColor(120, 120, 120), |place| COLOURS[place])
}

fn scaled(spread: Spread, by: f64) -> Spread {
    let Spread { median, least, most } = spread;
    Spread { median: median * by, least: least * by, most: most * by }
}

// === impl Bars ===

impl Bars<'_> {
    fn draw(&self, file: &Path) -> Result<(), CompareError> {
        let area = SVGBackend::new(file, SIZE).into_drawing_area();
        let drawn = self.draw_on(&area);
        drawn.map_err(|error| CompareError::Plot { file: file.to_owned(), why: error.to_string() })
    }

    fn draw_on<'a>(
        &self,
        area: &DrawingArea<SVGBackend<'a>, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
        area.fill(&WHITE)?;
        let values = self.series.iter().flat_map(|(_, spreads)| spreads.iter());
        let most =
            values.map(|spread| spread.most).filter(|most| most.is_finite()).fold(0.0, f64::max);
        let width = self.groups.len() as f64 / (1.0 - NAMES_SHARE);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 20))
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
        for (index, (name, spreads)) in self.series.iter().enumerate() {
            let colour = colour_of(name);
            let bars = spreads
                .iter()
                .enumerate()
                .flat_map(|(group, spread)| self.bar(group, index, spread, colour));
            chart.draw_series(bars)?.label(*name).legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled())
            });
        }
        for (group, name) in self.groups.iter().enumerate() {
            let place = chart.backend_coord(&(group as f64 + 0.5, 0.0));
            let style = ("sans-serif", 14).into_text_style(area);
            let width = i32::try_from(name.len()).unwrap_or(0) * 7;
            area.draw(&Text::new(name.clone(), (place.0 - width / 2, place.1 + 10), style))?;
        }
        chart.configure_series_labels().background_style(WHITE.mix(0.8)).draw()?;
        area.present()
    }

    /// A bar for the median, and a line from the least to the most.
    fn bar(
        &self,
        group: usize,
        index: usize,
        spread: &Spread,
        colour: RGBColor,
    ) -> [Rectangle<(f64, f64)>; 2] {
        let width = 0.8 / self.series.len().max(1) as f64;
        let left = group as f64 + 0.1 + index as f64 * width;
        let middle = left + width / 2.0;
        let bar = [(left, 0.0), (left + width * 0.9, spread.median)];
        let line = [(middle - width * 0.04, spread.least), (middle + width * 0.04, spread.most)];
        [Rectangle::new(bar, colour.filled()), Rectangle::new(line, BLACK.filled())]
    }
}
