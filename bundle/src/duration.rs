//! Durations as the language writes them: Go duration text, `1h30m`, `250ms`, `0` (language 2.7).
//!
//! Used with `#[serde(with = "...")]`-free newtype [`Duration`] so that bundles and snapshots stay readable.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A length of time, zero or more. Zero switches a limit off where a limit is meant.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(std::time::Duration);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedDuration {
    /// Nothing there, or a sign alone.
    #[error("invalid duration: it is empty")]
    Empty,
    /// A number without `ns`, `us`, `ms`, `s`, `m` or `h`.
    #[error("invalid duration `{0}`: missing unit, one of ns, us, ms, s, m, h")]
    MissingUnit(String),
    /// Something that is not a unit after a number.
    #[error("invalid duration `{0}`: unknown unit, use one of ns, us, ms, s, m, h")]
    UnknownUnit(String),
    /// Something that is not a number where one is due.
    #[error("invalid duration `{0}`: expected numbers with units, such as `1m30s`")]
    Number(String),
    /// Below zero: a correct Go duration, but no limit can be negative.
    #[error("must not be negative when defined")]
    Negative,
    /// More than about 292 years.
    #[error("invalid duration `{0}`: out of range")]
    OutOfRange(String),
}

impl Duration {
    /// Zero: a limit that is off.
    pub const ZERO: Self = Self(std::time::Duration::ZERO);

    /// Whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// Whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(std::time::Duration::from_millis(millis))
    }

    /// For the standard library and tokio.
    #[must_use]
    pub const fn as_std(self) -> std::time::Duration {
        self.0
    }

    /// The limit that this stands for: `None` when it is zero, which means off.
    #[must_use]
    pub fn limit(self) -> Option<std::time::Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }

    /// True for `0s`.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

const NANOS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

impl FromStr for Duration {
    type Err = MalformedDuration;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if unsigned.is_empty() {
            return Err(MalformedDuration::Empty);
        }
        let mut total: u64 = 0;
        let mut rest = unsigned;
        while !rest.is_empty() && rest != "0" {
            let (nanos, after) = component(text, rest)?;
            let out_of_range = || MalformedDuration::OutOfRange(text.to_owned());
            total = total.checked_add(nanos).ok_or_else(out_of_range)?;
            if total > i64::MAX.unsigned_abs() {
                return Err(out_of_range());
            }
            rest = after;
        }
        if negative && total > 0 {
            return Err(MalformedDuration::Negative);
        }
        Ok(Self(std::time::Duration::from_nanos(total)))
    }
}

/// Reads one `<decimal><unit>` from the front of `rest`: its nanoseconds, and what follows.
fn component<'a>(text: &str, rest: &'a str) -> Result<(u64, &'a str), MalformedDuration> {
    let number_error = || MalformedDuration::Number(text.to_owned());
    let number_end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at_checked(number_end).ok_or_else(number_error)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(number_error());
    }
    let unit_end = after
        .find(|c: char| c.is_ascii_digit() || c == '.')
        .unwrap_or(after.len());
    let (unit, after) = after.split_at_checked(unit_end).ok_or_else(number_error)?;
    if unit.is_empty() {
        return Err(MalformedDuration::MissingUnit(text.to_owned()));
    }
    let scale = NANOS
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, nanos)| *nanos);
    let scale = scale.ok_or_else(|| MalformedDuration::UnknownUnit(text.to_owned()))?;
    let out_of_range = || MalformedDuration::OutOfRange(text.to_owned());
    let whole: u64 = match whole {
        "" => 0,
        digits => digits.parse().map_err(|_| out_of_range())?,
    };
    let mut nanos = whole.checked_mul(scale).ok_or_else(out_of_range)?;
    let mut digit_scale = scale;
    for digit in fraction.bytes() {
        digit_scale /= 10;
        nanos = nanos
            .checked_add(u64::from(digit - b'0') * digit_scale)
            .ok_or_else(out_of_range)?;
    }
    Ok((nanos, after))
}

/// As Go prints it: `1h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let fraction = |f: &mut fmt::Formatter<'_>, value: u128, scale: u128, unit: &str| {
            let digits = scale.ilog10() as usize;
            let rest = format!("{:0digits$}", value % scale);
            match rest.trim_end_matches('0') {
                "" => write!(f, "{}{unit}", value / scale),
                rest => write!(f, "{}.{rest}{unit}", value / scale),
            }
        };
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => fraction(f, nanos, 1_000, "µs"),
            1_000_000..1_000_000_000 => fraction(f, nanos, 1_000_000, "ms"),
            _ => {
                let minutes = nanos / 60_000_000_000;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                fraction(f, nanos % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = MalformedDuration;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

impl From<std::time::Duration> for Duration {
    fn from(duration: std::time::Duration) -> Self {
        Self(duration)
    }
}
