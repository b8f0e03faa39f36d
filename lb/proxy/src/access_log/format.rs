//! Lines of the access log in another form than JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::safe;
use super::{AccessRecord, CLIENT_BYTES_MAX, METHOD_BYTES_MAX, PATH_BYTES_MAX, TRACE_ID_BYTES_MAX};
use crate::config::{LogField, LogPart, LoggedQuery};

/// A line that is longer gets no further values.
const LINE_BYTES_MAX: usize = 4 << 10;

/// The longest of what clients say of themselves that is written.
const AGENT_BYTES_MAX: usize = 256;

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// Names of months, as Apache has them.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// === impl AccessRecord ===

impl AccessRecord<'_> {
    /// Appends one line of Apache's "combined" log format:
    /// `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"`.
    pub(super) fn write_combined(&self, line: &mut Vec<u8>, query: LoggedQuery) -> io::Result<()> {
        self.field(line, LogField::Client, query)?;
        line.extend_from_slice(b" - - [");
        push_time(line, &humantime::format_rfc3339_seconds(self.time).to_string());
        line.extend_from_slice(b"] \"");
        for (nth, field) in
            [LogField::Method, LogField::Path, LogField::Protocol].iter().enumerate()
        {
            if nth != 0 {
                line.push(b' ');
            }
            self.field(line, *field, query)?;
        }
        line.extend_from_slice(b"\" ");
        self.field(line, LogField::Status, query)?;
        line.push(b' ');
        if self.bytes_out == 0 {
            line.extend_from_slice(NOTHING.as_bytes());
        } else {
            self.field(line, LogField::BytesOut, query)?;
        }
        line.extend_from_slice(b" \"");
        self.field(line, LogField::Referer, query)?;
        line.extend_from_slice(b"\" \"");
        self.field(line, LogField::UserAgent, query)?;
        line.extend_from_slice(b"\"\n");
        Ok(())
    }

    /// Appends one line of `parts`.
    pub(super) fn write_parts(
        &self,
        line: &mut Vec<u8>,
        parts: &[LogPart],
        query: LoggedQuery,
    ) -> io::Result<()> {
        for part in parts {
            if LINE_BYTES_MAX < line.len() {
                break;
            }
            match part {
                LogPart::Text(text) => line.extend_from_slice(text.as_bytes()),
                LogPart::Field(field) => self.field(line, *field, query)?,
            }
        }
        line.push(b'\n');
        Ok(())
    }

    /// Appends the value of `field`; where there is none, `-`.
    fn field(&self, line: &mut Vec<u8>, field: LogField, query: LoggedQuery) -> io::Result<()> {
        match field {
            LogField::Time => write!(line, "{}", humantime::format_rfc3339_millis(self.time))?,
            LogField::Client => plain(line, self.client.as_ref())?,
            LogField::ClientName => said(line, self.client_name, CLIENT_BYTES_MAX),
            LogField::Method => said(line, Some(self.method), METHOD_BYTES_MAX),
            LogField::Path => {
                said(line, Some(&safe::masked(self.path, query)), PATH_BYTES_MAX);
            }
            LogField::Protocol => said(line, Some(self.protocol), METHOD_BYTES_MAX),
            LogField::Route => said(line, self.route, CLIENT_BYTES_MAX),
            LogField::Status => plain(line, self.status.as_ref())?,
            LogField::BytesIn => plain(line, Some(&self.bytes_in))?,
            LogField::BytesOut => plain(line, Some(&self.bytes_out))?,
            LogField::Host => said(line, self.host, AGENT_BYTES_MAX),
            LogField::Tries => plain(line, Some(&self.tries))?,
            LogField::WaitingSeconds => plain(line, Some(&self.waiting_seconds))?,
            LogField::ResponseSeconds => plain(line, Some(&self.response_seconds))?,
            LogField::EstimateMean => plain(line, self.estimate_mean.as_ref())?,
            LogField::EstimateP90 => plain(line, self.estimate_p90.as_ref())?,
            LogField::EstimateSource => plain(line, self.estimate_source.as_ref())?,
            LogField::Work => plain(line, self.work.as_ref())?,
            LogField::CpuSeconds => plain(line, self.cpu_seconds.as_ref())?,
            LogField::TraceId => said(line, self.trace_id, TRACE_ID_BYTES_MAX),
            LogField::Referer => said(line, self.referer, AGENT_BYTES_MAX),
            LogField::UserAgent => said(line, self.user_agent, AGENT_BYTES_MAX),
        }
        Ok(())
    }
}

/// Appends what somebody else wrote, cut to `bytes_max`.
fn said(line: &mut Vec<u8>, text: Option<&str>, bytes_max: usize) {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => safe::push_bare(line, text, bytes_max),
        None => line.extend_from_slice(NOTHING.as_bytes()),
    }
}

/// Appends a value of our own, as JSON has it, without quotes.
fn plain<T: Serialize>(line: &mut Vec<u8>, value: Option<&T>) -> io::Result<()> {
    let Some(value) = value else {
        line.extend_from_slice(NOTHING.as_bytes());
        return Ok(());
    };
    let text = serde_json::to_string(value)?;
    line.extend_from_slice(text.trim_matches('"').as_bytes());
    Ok(())
}

/// Appends a time in UTC, `2023-11-14T22:13:20Z`, as Apache has it: `14/Nov/2023:22:13:20 +0000`.
fn push_time(line: &mut Vec<u8>, rfc_3339: &str) {
    let month = rfc_3339[5..7].parse::<usize>().unwrap_or(1);
    let month = MONTHS.get(month.wrapping_sub(1)).unwrap_or(&MONTHS[0]);
    let (year, day, clock) = (&rfc_3339[..4], &rfc_3339[8..10], &rfc_3339[11..19]);
    line.extend_from_slice(format!("{day}/{month}/{year}:{clock} +0000").as_bytes());
}
