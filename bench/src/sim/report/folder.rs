//! The results as a folder: `report.md` with its pictures, and CSV.

use std::path::{Path, PathBuf};

use super::super::measure::Measured;
use super::super::scenario::Scenario;
use super::csv::{self, CsvError};
use super::{Row, markdown, plots};
use crate::chart::{ChartError, LineChart};

/// Why a folder of results was not written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be made, or a file in it cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A table cannot be written.
    #[error("a table is missing")]
    Csv(#[from] CsvError),
    /// A picture cannot be drawn.
    #[error("a picture is missing")]
    Chart(#[from] ChartError),
}

/// Writes everything to `folder`, which is made where there is none.
pub fn write(
    folder: &Path,
    scenario: &Scenario,
    rows: &[Row],
    results: &[Measured],
) -> Result<(), FolderError> {
    let written = |path: &Path, result: std::io::Result<()>| {
        result.map_err(|source| FolderError::Write { path: path.to_owned(), source })
    };
    written(folder, std::fs::create_dir_all(folder))?;
    let pictures = pictures(scenario, rows, results);
    for (name, chart) in &pictures {
        chart.write_svg(&folder.join(name))?;
    }
    csv::summary(&folder.join("summary.csv"), rows)?;
    csv::deciles(&folder.join("deciles.csv"), results)?;
    if scenario.scale.is_some() {
        csv::fleet(&folder.join("fleet.csv"), results)?;
    }
    let pictures: Vec<(&str, &str)> =
        pictures.iter().map(|(name, chart)| (*name, chart.title.as_str())).collect();
    let report = folder.join("report.md");
    let text = markdown::report(scenario, rows, results, &pictures);
    written(&report, std::fs::write(&report, text))
}

fn pictures(
    scenario: &Scenario,
    rows: &[Row],
    results: &[Measured],
) -> Vec<(&'static str, LineChart)> {
    let mut pictures = vec![
        ("slowdown.svg", plots::slowdown(scenario, rows, results)),
        ("deciles.svg", plots::deciles(scenario, rows, results)),
    ];
    if scenario.scale.is_some() {
        pictures.push(("fleet.svg", plots::fleet(scenario, rows, results)));
        pictures.push(("cost.svg", plots::spent(scenario, rows, results)));
    }
    pictures
}
