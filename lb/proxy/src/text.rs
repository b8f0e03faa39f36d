//! Numbers as text, several times faster than through `std::fmt`: every request gets a dozen of
//! them.

use std::io::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use weighbridge_core::units::Work;

/// Digits of the longest number.
const DIGITS_MAX: usize = 20;

/// How long the reference core takes for `work`, to the nanosecond.
pub(crate) fn span(work: Work) -> Duration {
    Duration::from_nanos((work.as_cpu_secs() * 1e9).round() as u64)
}

/// Appends `number`.
pub(crate) fn push_number(text: &mut Vec<u8>, number: u64) {
    push_padded(text, number, 1);
}

/// Appends `span` as milliseconds to the nanosecond: `12.345678`.
pub(crate) fn push_millis(text: &mut Vec<u8>, span: Duration) {
    push_number(text, u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    text.push(b'.');
    push_padded(text, u64::from(span.subsec_nanos() % 1_000_000), 6);
}

/// Appends `span` as seconds to the nanosecond: `0.012345678`.
pub(crate) fn push_secs(text: &mut Vec<u8>, span: Duration) {
    push_number(text, span.as_secs());
    text.push(b'.');
    push_padded(text, u64::from(span.subsec_nanos()), 9);
}

/// Appends `address`.
pub(crate) fn push_ip(text: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index != 0 {
                    text.push(b'.');
                }
                push_number(text, u64::from(octet));
            }
        }
        // Writing to a Vec cannot fail.
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
}

/// Appends `number` with zeros before it, to `width` digits at least.
fn push_padded(text: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; DIGITS_MAX];
    let mut at = DIGITS_MAX;
    while number != 0 {
        at -= 1;
        digits[at] += (number % 10) as u8;
        number /= 10;
    }
    text.extend_from_slice(&digits[at.min(DIGITS_MAX - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = Vec::new();
        write(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        for number in [0, 1, 9, 10, 99, 100, 1_234_567, u64::MAX] {
            assert_eq!(written(|text| push_number(text, number)), number.to_string());
        }
    }

    #[test]
    fn times_are_milliseconds_to_the_nanosecond() {
        let millis = |span| written(|text| push_millis(text, span));
        assert_eq!(millis(Duration::from_nanos(7)), "0.000007");
        assert_eq!(millis(Duration::from_micros(250)), "0.250000");
        assert_eq!(millis(Duration::new(12, 345_678_901)), "12345.678901");
    }

    #[test]
    fn times_are_seconds_to_the_nanosecond() {
        let secs = |span| written(|text| push_secs(text, span));
        assert_eq!(secs(Duration::from_nanos(7)), "0.000000007");
        assert_eq!(secs(Duration::new(12, 345_678_900)), "12.345678900");
    }

    #[test]
    fn addresses_are_written_as_the_standard_library_does() {
        for address in ["0.0.0.0", "127.0.0.1", "255.254.10.100", "::1", "2001:db8::7"] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(written(|text| push_ip(text, ip)), address);
        }
    }
}
