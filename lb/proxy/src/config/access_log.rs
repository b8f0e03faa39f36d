//! The access log: where it goes, what is in it, and in which form.

use super::reader::Section;
use super::{AccessLog, AccessLogTarget, logged_query};

/// The most lines that wait to be written.
const LOG_LINES_MAX: usize = 10_000;

/// The longest form of one's own.
const FORM_BYTES_MAX: usize = 1024;

/// The form of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFormat {
    /// An object of JSON.
    Json,
    /// Apache's "combined" log format.
    Combined,
    /// One of the operator's own.
    Own(Vec<LogPart>),
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPart {
    /// As it is written.
    Text(String),
    /// A value.
    Field(LogField),
}

/// A value in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called as in the line")]
pub enum LogField {
    Time,
    Client,
    ClientName,
    Method,
    Path,
    Protocol,
    Route,
    Status,
    BytesIn,
    BytesOut,
    Host,
    Tries,
    WaitingSeconds,
    ResponseSeconds,
    EstimateMean,
    EstimateP90,
    EstimateSource,
    Work,
    CpuSeconds,
    TraceId,
    Referer,
    UserAgent,
}

/// Reads `[access_log]`.
pub(super) fn read(mut section: Section<'_>) -> AccessLog {
    let path = section.path("path", "a file");
    let words = [("off", 0), ("stdout", 1), ("stderr", 2), ("file", 3)];
    let to = match section.word("to", &words) {
        0 => AccessLogTarget::Off,
        1 => AccessLogTarget::Stdout,
        2 => AccessLogTarget::Stderr,
        _ => AccessLogTarget::File(path),
    };
    let format = format(&mut section);
    let query = logged_query(&mut section);
    section.finish();
    AccessLog { to, format, query, queue_max: LOG_LINES_MAX }
}

fn format(section: &mut Section<'_>) -> LogFormat {
    let expected =
        "\"json\", \"combined\" or a line with fields, such as \"{time} {path} {status}\"";
    let is_one = |text: &str| {
        let is_line = text.len() <= FORM_BYTES_MAX && !text.contains(char::is_control);
        let is_good = matches!(text, "json" | "combined") || (is_line && text.contains('{'));
        is_good.then(|| text.to_owned())
    };
    match section.text("format", expected, is_one).as_deref() {
        None | Some("json") => LogFormat::Json,
        Some("combined") => LogFormat::Combined,
        Some(line) => match parts(line) {
            Ok(parts) => LogFormat::Own(parts),
            Err(mistake) => {
                section
                    .check(false, &["format"], || format!("{}: {mistake}", section.name("format")));
                LogFormat::Json
            }
        },
    }
}

/// The pieces of `line`. `{{` and `}}` stand for themselves.
fn parts(line: &str) -> Result<Vec<LogPart>, String> {
    let (mut parts, mut text) = (Vec::new(), String::new());
    let mut rest = line;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
            continue;
        }
        let named = rest.split_once('}').filter(|_| brace == "{");
        let Some((name, after)) = named else {
            return Err(format!("a `{brace}` stands alone: expected `{{NAME}}`, or it twice"));
        };
        if !text.is_empty() {
            parts.push(LogPart::Text(std::mem::take(&mut text)));
        }
        parts.push(LogPart::Field(LogField::parse(name)?));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(LogPart::Text(text));
    }
    Ok(parts)
}

// === impl LogFormat ===

impl LogFormat {
    /// Whether it says what clients say of themselves.
    pub(crate) fn names_agents(&self) -> bool {
        let names = |part: &LogPart| {
            matches!(part, LogPart::Field(LogField::Referer | LogField::UserAgent))
        };
        match self {
            LogFormat::Json => false,
            LogFormat::Combined => true,
            LogFormat::Own(parts) => parts.iter().any(names),
        }
    }
}

// === impl LogField ===

impl LogField {
    /// Every one with its name.
    pub const ALL: [(&'static str, LogField); 22] = [
        ("time", LogField::Time),
        ("client", LogField::Client),
        ("client_name", LogField::ClientName),
        ("method", LogField::Method),
        ("path", LogField::Path),
        ("protocol", LogField::Protocol),
        ("route", LogField::Route),
        ("status", LogField::Status),
        ("bytes_in", LogField::BytesIn),
        ("bytes_out", LogField::BytesOut),
        ("host", LogField::Host),
        ("tries", LogField::Tries),
        ("waiting_seconds", LogField::WaitingSeconds),
        ("response_seconds", LogField::ResponseSeconds),
        ("estimate_mean", LogField::EstimateMean),
        ("estimate_p90", LogField::EstimateP90),
        ("estimate_source", LogField::EstimateSource),
        ("work", LogField::Work),
        ("cpu_seconds", LogField::CpuSeconds),
        ("trace_id", LogField::TraceId),
        ("referer", LogField::Referer),
        ("user_agent", LogField::UserAgent),
    ];

    fn parse(name: &str) -> Result<LogField, String> {
        let found = LogField::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, field)| *field).ok_or_else(|| {
            let names: Vec<&str> = LogField::ALL.iter().map(|(name, _)| *name).collect();
            format!("there is no field `{name}`: expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_texts_and_fields() {
        let text = |text: &str| LogPart::Text(text.to_owned());
        assert_eq!(
            parts("{{{time}}} \"{path}\" €{status}").unwrap(),
            [
                text("{"),
                LogPart::Field(LogField::Time),
                text("} \""),
                LogPart::Field(LogField::Path),
                text("\" €"),
                LogPart::Field(LogField::Status),
            ]
        );
        for (name, field) in LogField::ALL {
            assert_eq!(parts(&format!("{{{name}}}")).unwrap(), [LogPart::Field(field)]);
        }
    }

    #[test]
    fn a_line_that_is_none_is_told_of() {
        for (bad, expected) in [
            ("{tme}", "there is no field `tme`"),
            ("{}", "there is no field ``"),
            ("{time", "a `{` stands alone"),
            ("time}", "a `}` stands alone"),
            ("{time}}", "a `}` stands alone"),
        ] {
            let mistake = parts(bad).unwrap_err();
            assert!(mistake.starts_with(expected), "{bad}: {mistake}");
        }
    }
}
