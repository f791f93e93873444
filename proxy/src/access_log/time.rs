//! Points in time as formats write them, UTC.
//!
//! Never reads a clock.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mesh_bundle::resource::TimePart;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A day and what has passed of it.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    seconds: u64,
}

/// With the parts of a format; without any as `2026-01-31T10:00:00.000Z`.
pub(super) fn text(at: SystemTime, parts: &[TimePart]) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let civil = civil(since);
    let mut text = String::new();
    let standard = standard();
    let parts: &[TimePart] = match parts.is_empty() {
        true => &standard,
        false => parts,
    };
    for part in parts {
        // Writing to a string cannot fail.
        let _ = match part {
            TimePart::Text(plain) => text.write_str(plain),
            TimePart::Year => write!(text, "{:04}", civil.year),
            TimePart::Month => write!(text, "{:02}", civil.month),
            TimePart::MonthName => {
                let month = usize::try_from(civil.month).unwrap_or_default();
                let name = MONTHS.get(month.saturating_sub(1));
                text.write_str(name.copied().unwrap_or_default())
            }
            TimePart::Day => write!(text, "{:02}", civil.day),
            TimePart::Hour => write!(text, "{:02}", civil.seconds / 3_600),
            TimePart::Minute => write!(text, "{:02}", civil.seconds / 60 % 60),
            TimePart::Second => write!(text, "{:02}", civil.seconds % 60),
            TimePart::Fraction(digits) => {
                let digits = usize::from((*digits).min(9));
                let nanos = format!("{:09}", since.subsec_nanos());
                text.write_str(nanos.get(..digits).unwrap_or_default())
            }
            TimePart::Unix => write!(text, "{}", since.as_secs()),
        };
    }
    text
}

fn standard() -> [TimePart; 14] {
    let plain = |text: &str| TimePart::Text(text.to_owned());
    [
        TimePart::Year,
        plain("-"),
        TimePart::Month,
        plain("-"),
        TimePart::Day,
        plain("T"),
        TimePart::Hour,
        plain(":"),
        TimePart::Minute,
        plain(":"),
        TimePart::Second,
        plain("."),
        TimePart::Fraction(3),
        plain("Z"),
    ]
}

/// After H. Hinnant, `civil_from_days`: years that begin in March, so that the leap day is the last of one.
fn civil(since: Duration) -> Civil {
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    Civil {
        year: year + era * 400 + u64::from(month <= 2),
        month,
        day: of_year - (153 * from_march + 2) / 5 + 1,
        seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (1_769_853_600, "2026-01-31T10:00:00.000Z"),
        ] {
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(text(at, &[]), expected);
        }
    }

    #[test]
    fn parts_are_written_as_they_are_asked_for() {
        let at = UNIX_EPOCH + Duration::new(1_769_853_600, 12_345_678);
        let plain = |text: &str| TimePart::Text(text.to_owned());
        let parts = [
            TimePart::Day,
            plain("/"),
            TimePart::MonthName,
            plain(" "),
            TimePart::Unix,
            plain("."),
            TimePart::Fraction(6),
        ];
        assert_eq!(text(at, &parts), "31/Jan 1769853600.012345");
    }
}
