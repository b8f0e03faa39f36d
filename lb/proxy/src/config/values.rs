//! Single values: numbers, and durations and sizes as people write them: `"250ms"`, `"64MiB"`.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeFloat, DeInteger, DeValue};

/// Units of durations with their nanoseconds, largest first.
const DURATIONS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of sizes with their bytes, largest first.
const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// What a name of the operator's own may be.
pub(super) const NAME: &str = "1 to 64 of a-z, 0-9, `_` and `-`";

/// Such a name. `None` where it is anything else.
pub(super) fn name(text: &str) -> Option<String> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// A decimal number and one unit: `"1.5s"`. `None` where it is anything else.
pub fn duration(text: &str) -> Option<Duration> {
    quantity(text, &DURATIONS).map(Duration::from_nanos)
}

/// A decimal number and one unit, in bytes: `"64MiB"`. `None` where it is anything else.
pub fn size(text: &str) -> Option<u64> {
    quantity(text, &SIZES)
}

/// The largest unit in which `span` is a whole number.
pub(super) fn show_duration(span: Duration) -> String {
    show(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), &DURATIONS, "0s")
}

/// The largest unit in which `bytes` is a whole number.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES, "0B")
}

/// A whole number within `range`.
pub(super) fn whole(value: &DeValue<'_>, range: &RangeInclusive<u64>) -> Option<u64> {
    let written = value.as_integer()?;
    let number = u64::from_str_radix(written.as_str(), written.radix()).ok()?;
    range.contains(&number).then_some(number)
}

/// A finite number, with or without a fraction.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    let written = value.as_float().map(DeFloat::as_str);
    let written = written.or_else(|| value.as_integer().map(DeInteger::as_str))?;
    written.parse().ok().filter(|number: &f64| number.is_finite())
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = digits(whole)?.checked_mul(*factor)?;
    // No unit here needs more than nine digits.
    let fraction = fraction.get(..9).unwrap_or(fraction);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(digits(fraction)?) * u128::from(*factor) / scale;
    whole.checked_add(u64::try_from(part).ok()?)
}

fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

fn show(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    let fits = |(_, factor): &&(&str, u64)| *factor <= amount && amount.is_multiple_of(*factor);
    match units.iter().find(fits) {
        Some((unit, factor)) => format!("{}{unit}", amount / factor),
        None => zero.to_owned(),
    }
}
