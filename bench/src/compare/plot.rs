//! Pictures of the results.

use std::path::Path;

use super::{OverheadRow, Proxy, RUN, SchedulingRow, Spread};
use crate::chart::{Bar, BarChart, ChartError, Colour, Series};

/// Colours that people of any sight can tell apart (Okabe and Ito), in the order of [`Proxy::ALL`].
const COLOURS: [Colour; Proxy::ALL.len()] = [
    Colour(204, 121, 167),
    Colour(86, 180, 233),
    Colour(230, 159, 0),
    Colour(0, 158, 115),
    Colour(0, 114, 178),
    Colour(0, 0, 0),
    Colour(213, 94, 0),
];

/// Writes `EXPERIMENT-slowdown.svg` and `EXPERIMENT-p99-LOAD.svg` into `out`.
pub(super) fn scheduling(out: &Path, rows: &[SchedulingRow]) -> Result<(), ChartError> {
    let loads: Vec<&[SchedulingRow]> =
        rows.chunk_by(|one, other| one.load.to_bits() == other.load.to_bits()).collect();
    let Some(first) = loads.first() else { return Ok(()) };
    let experiment = first[0].experiment;
    let of = |proxy: &str, value: fn(&SchedulingRow) -> Spread| -> Vec<Spread> {
        rows.iter().filter(|row| row.proxy == proxy).map(value).collect()
    };
    let slowdown = BarChart {
        title: "Mean slowdown (response time / service time alone)".to_owned(),
        unit: "times",
        groups: loads.iter().map(|rows| format!("load {:.2}", rows[0].load)).collect(),
        series: first
            .iter()
            .map(|row| series(row.proxy, of(row.proxy, |row| row.all.mean_slowdown)))
            .collect(),
    };
    slowdown.write_svg(&out.join(format!("{experiment}-slowdown.svg")))?;
    for rows in loads {
        let p99 = |row: &SchedulingRow| {
            row.classes.iter().map(|class| scaled(class.p99_response, 1e3)).collect()
        };
        let bars = BarChart {
            title: format!("p99 response by size class, load {:.2}", rows[0].load),
            unit: "ms",
            groups: rows[0].classes.iter().map(|class| class.class.clone()).collect(),
            series: rows.iter().map(|row| series(row.proxy, p99(row))).collect(),
        };
        bars.write_svg(&out.join(format!("{experiment}-p99-{:.2}.svg", rows[0].load)))?;
    }
    Ok(())
}

/// Writes `overhead-cpu-BYTES.svg` for each length of body into `out`.
pub(super) fn overhead(out: &Path, rows: &[OverheadRow]) -> Result<(), ChartError> {
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
        let bars = BarChart {
            title: format!(
                "CPU time of the proxy per request, bodies of {} bytes",
                rows[0].body_bytes
            ),
            unit: "µs",
            groups: settings
                .iter()
                .map(|rows| format!("{} connections", rows[0].connections))
                .collect(),
            series: first.iter().map(|row| series(row.proxy, of(row.proxy))).collect(),
        };
        bars.write_svg(&out.join(format!("overhead-cpu-{}.svg", rows[0].body_bytes)))?;
    }
    Ok(())
}

/// The series of `proxy`: a bar up to each median, with the least and the most.
fn series(proxy: &str, spreads: Vec<Spread>) -> Series<'_> {
    let bar = |Spread { median, least, most }| Bar { height: median, least, most };
    let bars = spreads.into_iter().map(bar).collect();
    Series { name: proxy, colour: colour_of(proxy), bars }
}

/// The colour of the series `name`; gray for anything that is no proxy.
fn colour_of(name: &str) -> Colour {
    if name == RUN {
        return Colour(240, 228, 66);
    }
    let place = Proxy::ALL.iter().position(|proxy| proxy.name() == name);
    place.map_or(Colour(120, 120, 120), |place| COLOURS[place])
}

fn scaled(spread: Spread, by: f64) -> Spread {
    let Spread { median, least, most } = spread;
    Spread { median: median * by, least: least * by, most: most * by }
}
