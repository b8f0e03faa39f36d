//! The text format of `OpenMetrics` 1.0, with exemplars: which trace was one of those in a bucket.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{Exemplar, Exemplars};

/// What the text is called.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Units that a name may end in.
const UNITS: [&str; 5] = ["seconds", "bytes", "ratio", "usd", "requests"];

/// Whether whoever sends `accept`, the value of `Accept`, would rather have this than the older
/// text format.
pub(crate) fn is_wanted(accept: &str) -> bool {
    let quality = |kind: &str| {
        let ranges = accept.split(',').filter(|range| {
            let named = range.split(';').next().unwrap_or_default().trim();
            named.eq_ignore_ascii_case(kind)
        });
        ranges.map(quality_of).fold(0.0, f64::max)
    };
    let ours = quality("application/openmetrics-text");
    0.0 < ours && quality("text/plain") <= ours
}

/// The weight `q` of a range (RFC 9110, section 12.5.1).
fn quality_of(range: &str) -> f64 {
    let mut parameters = range.split(';').skip(1).map(str::trim);
    let written = parameters.find_map(|one| one.strip_prefix("q="));
    written.map_or(1.0, |q| q.parse().unwrap_or(0.0))
}

/// All of `families`.
pub(crate) fn text(families: &[MetricFamily], exemplars: &Exemplars) -> String {
    let mut text = String::new();
    for family in families {
        write_family(&mut text, family, exemplars);
    }
    text.push_str("# EOF\n");
    text
}

fn write_family(text: &mut String, family: &MetricFamily, exemplars: &Exemplars) {
    let whole = family.name();
    let kind = family.get_field_type();
    // A counter's samples end in `_total`, its family does not.
    let (name, kind_name) = match kind {
        MetricType::COUNTER => (whole.strip_suffix("_total").unwrap_or(whole), "counter"),
        MetricType::GAUGE => (whole, "gauge"),
        MetricType::HISTOGRAM => (whole, "histogram"),
        MetricType::SUMMARY => (whole, "summary"),
        MetricType::UNTYPED => (whole, "unknown"),
    };
    line(text, format_args!("# TYPE {name} {kind_name}"));
    if let Some(unit) = UNITS.iter().find(|unit| is_unit(name, unit)) {
        line(text, format_args!("# UNIT {name} {unit}"));
    }
    line(text, format_args!("# HELP {name} {}", escaped(family.help())));
    for metric in family.get_metric() {
        let labels = labels(metric);
        match kind {
            MetricType::COUNTER => {
                sample(text, &format!("{name}_total"), &labels, metric.get_counter().get_value());
            }
            MetricType::GAUGE => sample(text, name, &labels, metric.get_gauge().get_value()),
            MetricType::HISTOGRAM => write_histogram(text, name, (metric, &labels), exemplars),
            // There are none.
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

fn write_histogram(
    text: &mut String,
    name: &str,
    (metric, labels): (&Metric, &str),
    exemplars: &Exemplars,
) {
    let histogram = metric.get_histogram();
    let values: Vec<&str> = metric.get_label().iter().map(LabelPair::value).collect();
    let kept = exemplars.of(name, &values);
    let mut below = f64::NEG_INFINITY;
    let bounded = histogram.get_bucket().iter();
    let bounded = bounded.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    let counts = bounded.filter(|(bound, _)| bound.is_finite());
    for (bound, count) in counts.chain([(f64::INFINITY, histogram.get_sample_count())]) {
        let le = format!("le=\"{}\"", number(bound));
        let all = if labels.is_empty() { le } else { format!("{labels},{le}") };
        let _ = write!(text, "{name}_bucket{{{all}}} {count}");
        let within = |one: &&Exemplar| below < one.value && one.value <= bound;
        if let Some(exemplar) = kept.iter().find(within) {
            write_exemplar(text, exemplar);
        }
        text.push('\n');
        below = bound;
    }
    sample(text, &format!("{name}_sum"), labels, histogram.get_sample_sum());
    let count = histogram.get_sample_count().to_string();
    written(text, &format!("{name}_count"), labels, &count);
}

fn write_exemplar(text: &mut String, exemplar: &Exemplar) {
    let at = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let (trace, value) = (&exemplar.trace, number(exemplar.value));
    let _ = write!(text, " # {{trace_id=\"{trace}\"}} {value} {at:.3}");
}

fn sample(text: &mut String, name: &str, labels: &str, value: f64) {
    written(text, name, labels, &number(value));
}

fn written(text: &mut String, name: &str, labels: &str, value: &str) {
    if labels.is_empty() {
        line(text, format_args!("{name} {value}"));
    } else {
        line(text, format_args!("{name}{{{labels}}} {value}"));
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{arguments}");
}

/// `name="value"`, one after the other.
fn labels(metric: &Metric) -> String {
    let pairs = metric.get_label().iter();
    let pairs = pairs.map(|label| format!("{}=\"{}\"", label.name(), escaped(label.value())));
    pairs.collect::<Vec<_>>().join(",")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

/// A number as the standard has it: that which is whole with a point.
fn number(value: f64) -> String {
    if value == f64::INFINITY {
        return "+Inf".to_owned();
    }
    if value == f64::NEG_INFINITY {
        return "-Inf".to_owned();
    }
    format!("{value:?}")
}

fn is_unit(name: &str, unit: &str) -> bool {
    name.strip_suffix(unit).is_some_and(|before| before.ends_with('_'))
}

#[cfg(test)]
mod tests {
    use prometheus::{Gauge, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

    use super::*;

    #[test]
    fn the_text_has_types_units_exemplars_and_an_end() {
        let registry = Registry::new();
        let counter = IntCounterVec::new(Opts::new("a_total", "A \"b\".\nC"), &["x"]).unwrap();
        counter.with_label_values(&["\\\"\n"]).inc();
        let gauge = Gauge::new("g_bytes", "G.").unwrap();
        gauge.set(2.5);
        let opts = HistogramOpts::new("h_seconds", "H.").buckets(vec![0.5, 1.0]);
        let histogram = HistogramVec::new(opts, &["route"]).unwrap();
        histogram.with_label_values(&["r"]).observe(0.75);
        registry.register(Box::new(counter)).unwrap();
        registry.register(Box::new(gauge)).unwrap();
        registry.register(Box::new(histogram)).unwrap();
        let exemplars = Exemplars::default();
        let at = UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_250);
        exemplars.keep("h_seconds", &["r"], 0.75, ("abc", at));
        assert_eq!(
            text(&registry.gather(), &exemplars),
            "# TYPE a counter\n# HELP a A \\\"b\\\".\\nC\na_total{x=\"\\\\\\\"\\n\"} 1.0\n\
             # TYPE g_bytes gauge\n# UNIT g_bytes bytes\n# HELP g_bytes G.\ng_bytes 2.5\n\
             # TYPE h_seconds histogram\n# UNIT h_seconds seconds\n# HELP h_seconds H.\n\
             h_seconds_bucket{route=\"r\",le=\"0.5\"} 0\n\
             h_seconds_bucket{route=\"r\",le=\"1.0\"} 1 # {trace_id=\"abc\"} 0.75 1700000000.250\n\
             h_seconds_bucket{route=\"r\",le=\"+Inf\"} 1\n\
             h_seconds_sum{route=\"r\"} 0.75\nh_seconds_count{route=\"r\"} 1\n# EOF\n"
        );
    }

    #[test]
    fn it_is_written_for_those_who_ask_for_it() {
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
            "text/plain;q=0.3, application/openmetrics-text; version=0.0.1; q=0.3",
        ] {
            assert!(is_wanted(accept), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/plain, application/openmetrics-text;q=0.5",
            "application/openmetrics-text;q=0",
            "application/openmetrics",
        ] {
            assert!(!is_wanted(accept), "{accept}");
        }
    }
}
