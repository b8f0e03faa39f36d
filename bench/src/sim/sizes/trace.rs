//! Recorded requests: a file of `route,work` lines, or an access log as the balancer writes it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One recorded request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recorded {
    /// Index of its route in [`Trace::routes`].
    pub route: u16,
    /// Its work, in CPU-seconds of the reference core; above zero.
    pub work: f64,
    /// When it came, in seconds, where that was recorded.
    pub at: Option<f64>,
}

/// Recorded requests, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// Names of the routes, in order of appearance.
    pub routes: Vec<String>,
    /// The requests, in order.
    pub requests: Vec<Recorded>,
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("cannot read the trace {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is neither form.
    #[error("{path}, line {line}: `{text}` is neither `route,work` nor a line of an access log")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Its beginning.
        text: String,
    },
    /// No request with a work.
    #[error("the trace {0} has no request whose work is known")]
    Empty(PathBuf),
}

/// A line of an access log: of its many fields, these.
#[derive(Debug, Deserialize)]
struct LogLine {
    time: Option<String>,
    route: Option<String>,
    work: Option<f64>,
}

/// The most of a line that is told of in an error.
const TOLD_MAX: usize = 60;

// === impl Trace ===

impl Trace {
    /// Reads a file. Empty lines and those that begin with `#` are left out, and so are requests of
    /// an access log that have no work: refused or failed.
    pub fn read(path: &Path) -> Result<Trace, TraceError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| TraceError::Read { path: path.to_owned(), source })?;
        Trace::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Trace, TraceError> {
        let mut trace = Trace::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = if line.starts_with('{') { of_log(line) } else { of_csv(line) };
            let Some(read) = read else {
                let text = line.chars().take(TOLD_MAX).collect();
                return Err(TraceError::Line { path: path.to_owned(), line: index + 1, text });
            };
            if let Some((route, work, at)) = read {
                let route = trace.route(route);
                trace.requests.push(Recorded { route, work, at });
            }
        }
        if trace.requests.is_empty() {
            return Err(TraceError::Empty(path.to_owned()));
        }
        Ok(trace)
    }

    fn route(&mut self, name: String) -> u16 {
        let found = self.routes.iter().position(|route| *route == name);
        found.unwrap_or_else(|| {
            self.routes.push(name);
            self.routes.len() - 1
        }) as u16
    }

    /// The gaps between the requests, with a mean of 1; empty where no times were recorded.
    pub fn gaps(&self) -> Vec<f64> {
        let times: Option<Vec<f64>> = self.requests.iter().map(|one| one.at).collect();
        let mut times = times.unwrap_or_default();
        times.sort_by(f64::total_cmp);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len().max(1) as f64;
        if 0.0 < mean { gaps.into_iter().map(|gap| gap / mean).collect() } else { Vec::new() }
    }
}

/// What a line says: `None` where it cannot be read, `Some(None)` where it is not to be used.
type Read = Option<Option<(String, f64, Option<f64>)>>;

fn of_log(line: &str) -> Read {
    let line: LogLine = serde_json::from_str(line).ok()?;
    let at = line.time.and_then(|time| humantime::parse_rfc3339(&time).ok());
    let at = at.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let usable = line.route.zip(line.work.filter(|work| 0.0 < *work));
    Some(usable.map(|(route, work)| (route, work, at.map(|at| at.as_secs_f64()))))
}

fn of_csv(line: &str) -> Read {
    let mut fields = line.split(',').map(str::trim);
    let (route, work) = (fields.next()?, fields.next()?);
    if work == "work" {
        return Some(None);
    }
    let work: f64 = work.parse().ok().filter(|work: &f64| 0.0 < *work && work.is_finite())?;
    let at = fields.next().map(str::parse).transpose().ok()?;
    Some(Some((route.to_owned(), work, at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_what_has_no_work_is_left_out() {
        let text = "
# recorded somewhere
route,work
blur,0.25
{\"time\":\"2026-01-01T00:00:01.500Z\",\"route\":\"blur\",\"work\":0.5,\"status\":200}
{\"time\":\"2026-01-01T00:00:02Z\",\"route\":null,\"work\":null,\"status\":404}
render,1e-3,7.5
";
        let trace = Trace::parse(text, Path::new("t")).unwrap();
        assert_eq!(trace.routes, ["blur", "render"]);
        let works: Vec<f64> = trace.requests.iter().map(|one| one.work).collect();
        assert_eq!(works, [0.25, 0.5, 1e-3]);
        assert_eq!(trace.requests[2].at, Some(7.5));
    }

    #[test]
    fn a_line_that_is_neither_is_named() {
        let error = Trace::parse("blur,0.25\nblur;3\n", Path::new("t.csv")).unwrap_err();
        assert!(error.to_string().starts_with("t.csv, line 2: `blur;3`"), "{error}");
    }

    #[test]
    fn gaps_have_a_mean_of_one() {
        let trace = Trace::parse("a,1,10\na,1,11\na,1,14\n", Path::new("t")).unwrap();
        assert_eq!(trace.gaps(), [0.5, 1.5]);
    }
}
