//! The time that a client gives a gRPC call, by the header `grpc-timeout`.
//!
//! Never makes it longer: what the next hop is told is what is left of it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

static GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// As long as a value may be, without its unit.
const MOST_DIGITS: usize = 8;
/// The first number that has more digits.
const TOO_MANY: u128 = 100_000_000;

/// How long the call may take. What is no such value is left to whoever is called, and says nothing here.
pub(super) fn given(headers: &HeaderMap) -> Option<Duration> {
    let mut values = headers.get_all(&GRPC_TIMEOUT).iter();
    let (value, more) = (values.next()?, values.next());
    if more.is_some() {
        return None;
    }
    let (unit, digits) = value.as_bytes().split_last()?;
    let number = (1..=MOST_DIGITS).contains(&digits.len());
    if !number || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    let number: u64 = digits.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number * 3_600)),
        b'M' => Some(Duration::from_secs(number * 60)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// What tells the next hop how much of it is left.
pub(crate) fn told(until: Instant) -> Option<(HeaderName, HeaderValue)> {
    let left = until.saturating_duration_since(Instant::now());
    let left = HeaderValue::try_from(written(left)).ok()?;
    Some((GRPC_TIMEOUT.clone(), left))
}

/// In the smallest unit that there is room for, and not rounded up.
fn written(left: Duration) -> String {
    let units = [
        (left.as_nanos(), 'n'),
        (left.as_micros(), 'u'),
        (left.as_millis(), 'm'),
        (left.as_secs().into(), 'S'),
        ((left.as_secs() / 60).into(), 'M'),
    ];
    let fits = units.into_iter().find(|(number, _)| *number < TOO_MANY);
    match fits {
        Some((number, unit)) => format!("{number}{unit}"),
        None => format!("{}H", left.as_secs() / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(&GRPC_TIMEOUT, value.parse().unwrap());
        given(&headers)
    }

    #[test]
    fn every_unit_and_nothing_else_is_understood() {
        for (value, nanos) in [
            ("1H", 3_600_000_000_000),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("4m", 4_000_000),
            ("5u", 5_000),
            ("6n", 6),
            ("0n", 0),
            ("00000001S", 1_000_000_000),
        ] {
            assert_eq!(read(value), Some(Duration::from_nanos(nanos)), "{value}");
        }
        let longest = Duration::from_secs(99_999_999 * 3_600);
        assert_eq!(read("99999999H"), Some(longest));
        for bad in [
            "",
            "S",
            "5",
            "5s",
            "5 S",
            "+5S",
            "-5S",
            "5.0S",
            "123456789S",
            "5SS",
            "5S,5S",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        let mut twice = HeaderMap::new();
        for value in ["5S", "6S"] {
            twice.append(&GRPC_TIMEOUT, HeaderValue::from_static(value));
        }
        assert_eq!(given(&twice), None);
    }

    #[test]
    fn what_is_left_is_never_more_and_as_exact_as_can_be() {
        for nanos in [0, 1, 99_999_999, 100_000_000, 5_000_000_001, u64::MAX] {
            let left = Duration::from_nanos(nanos);
            let told = read(&written(left)).unwrap();
            assert!(told <= left, "{left:?} is told as {told:?}");
            assert!(left - told <= left / 99_999, "{left:?}: {told:?}");
        }
        let longest = Duration::from_secs(99_999_999 * 3_600);
        assert_eq!(written(longest), "99999999H");
    }
}
