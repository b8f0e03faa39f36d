//! Numbers as people read them: on the page, and in a terminal.

/// `3.4 s`, `12 ms`, `2 min 5 s`.
pub fn span(secs: f64) -> String {
    match secs {
        secs if secs <= 0.0 => "0 s".to_owned(),
        secs if secs < 0.001 => format!("{:.0} µs", secs * 1e6),
        secs if secs < 0.0095 => format!("{:.1} ms", secs * 1e3),
        secs if secs < 0.9995 => format!("{:.0} ms", secs * 1e3),
        secs if secs < 9.995 => format!("{secs:.2} s"),
        secs if secs < 99.95 => format!("{secs:.1} s"),
        secs if secs < 119.5 => format!("{secs:.0} s"),
        secs => long_span(secs.round() as u64),
    }
}

fn long_span(secs: u64) -> String {
    match secs {
        0..3600 => format!("{} min {} s", secs / 60, secs % 60),
        3600..172_800 => format!("{} h {} min", secs / 3600, secs % 3600 / 60),
        _ => format!("{} days", secs / 86_400),
    }
}

/// `7 %`, `0.4 %`.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent == 0.0 || 9.95 <= percent.abs() {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// `12 345`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (nth, digit) in digits.char_indices() {
        if 0 < nth && (digits.len() - nth).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// `17 MiB`.
pub fn bytes(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut amount, mut unit) = (bytes as f64, 0);
    while 1024.0 <= amount && unit + 1 < units.len() {
        (amount, unit) = (amount / 1024.0, unit + 1);
    }
    if unit == 0 || 9.95 <= amount {
        format!("{amount:.0} {}", units[unit])
    } else {
        format!("{amount:.1} {}", units[unit])
    }
}

/// The time of day of `at`, in seconds since 1970, by UTC.
pub fn time_of_day(at: f64) -> String {
    let secs = at.max(0.0) as u64 % 86_400;
    format!("{:02}:{:02}:{:02}", secs / 3600, secs % 3600 / 60, secs % 60)
}

/// `1.2 /s`: a number in a second.
pub fn rate(per_second: f64) -> String {
    match per_second {
        0.0 => "0 /s".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1} /s"),
        rate => format!("{rate:.0} /s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_the_unit_that_people_would_use() {
        let spans = [0.0, 12e-6, 0.0042, 0.25, 0.9996, 3.456, 34.56, 110.0, 125.0, 7500.0, 2e6];
        let shown = [
            "0 s",
            "12 µs",
            "4.2 ms",
            "250 ms",
            "1.00 s",
            "3.46 s",
            "34.6 s",
            "110 s",
            "2 min 5 s",
            "2 h 5 min",
            "23 days",
        ];
        assert_eq!(spans.map(span), shown);
    }

    #[test]
    fn numbers_are_grouped_and_rounded() {
        let counts = [0, 999, 1000, 1_234_567];
        let shown = ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"];
        assert_eq!(counts.map(grouped), shown);
        assert_eq!([0.0, 0.0042, 0.5, 1.234].map(percent), ["0 %", "0.4 %", "50 %", "123 %"]);
        assert_eq!([17, 2048, 15 << 20].map(bytes), ["17 B", "2.0 KiB", "15 MiB"]);
        assert_eq!([0.0, 1.24, 123.4].map(rate), ["0 /s", "1.2 /s", "123 /s"]);
        assert_eq!(time_of_day(86_400.0 + 3_725.9), "01:02:05");
    }
}
