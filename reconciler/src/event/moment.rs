//! Points in time as events write them: RFC 3339, UTC, whole seconds.
//!
//! Never reads a clock.

const DAY: u64 = 86_400;

/// `2026-11-28T01:02:03Z` of seconds since 1970.
pub(crate) fn rfc3339(unix: u64) -> String {
    let (year, month, day) = civil(unix / DAY);
    let (hour, minute, second) = (unix / 3_600 % 24, unix / 60 % 60, unix % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The other way; `None` for what [`rfc3339`] does not write.
pub(crate) fn unix(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days = days(year, month, day)?;
    let unix = days * DAY + hour * 3_600 + minute * 60 + second;
    (rfc3339(unix) == text).then_some(unix)
}

/// Year, month and day, by the days since 1970. After Howard Hinnant's `civil_from_days`: years begin in March, so that the
/// day that leap years have more is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year) {
        return None;
    }
    let (year, march) = match month > 2 {
        true => (year, month - 3),
        false => (year - 1, month + 9),
    };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * march + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + days - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_764_291_723, "2025-11-28T01:02:03Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
            assert_eq!(unix(text), Some(seconds), "{text}");
        }
        for wrong in [
            "",
            "2025-11-28",
            "2025-13-01T00:00:00Z",
            "2025-02-30T00:00:00Z",
            "ünïcödé",
        ] {
            assert_eq!(unix(wrong), None, "{wrong}");
        }
    }
}
