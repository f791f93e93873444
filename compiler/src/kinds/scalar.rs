//! Scalars that the language writes in more than one way: durations, percentages, ports by number or name.
//!
//! Never decides whether a value is allowed where it stands; that is the check of the kind.

use std::borrow::Cow;
use std::fmt;

use mesh_bundle::Duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::diag::{Change, Code, Pointer};

use super::Check;

/// Go duration text, `1h30m`, `250ms`; a bare `0` needs no unit (language 2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimeSpan(pub(crate) Duration);

/// A whole number, or a text that holds a decimal number: `10`, `"12.5"` (language 2.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Percentage {
    /// As it was written.
    pub(crate) text: String,
    /// Written as an unquoted number with a fraction, which other tools of this language refuse.
    pub(crate) unquoted_fraction: bool,
}

/// A port of a workload: the number of an inbound, or its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum PortRef {
    /// Compared with the inbound's `port`.
    Number(u32),
    /// Compared with the inbound's `name`.
    Name(String),
}

impl Percentage {
    /// Checks a share of 0 to 100 percent.
    pub(crate) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let text = &self.text;
        if !self.is_number() {
            check.invalid(at, format!("`{text}` is not a number"));
        } else if self.parts_per_million().is_none() {
            check.invalid(at, format!("`{text}` is not in the range 0 to 100"));
        }
        if self.unquoted_fraction {
            let message = format!("`{text}` is a fraction without quotes");
            check
                .warn(Code::UNQUOTED_FRACTION, at, message)
                .help(format!(
                    "write `\"{text}\"`: not every tool reads the same number from it"
                ))
                .safe_fix("put it into quotes", |at| vec![Change::Quote(at.clone())]);
        }
    }

    /// In millionths of the whole, 0 to 1,000,000; `None` for what is no number or outside of 0 to 100.
    pub(crate) fn parts_per_million(&self) -> Option<u32> {
        let (whole, fraction) = self.text.split_once('.').unwrap_or((&self.text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let fraction: String = fraction.chars().chain("0000".chars()).take(4).collect();
        let whole: u32 = whole.parse().ok()?;
        let parts = whole
            .checked_mul(10_000)?
            .checked_add(fraction.parse().ok()?)?;
        (parts <= 1_000_000).then_some(parts)
    }

    /// A factor in millionths; digits after the sixth do not count. `None` for what is no decimal number above or at zero.
    pub(crate) fn millionths(&self) -> Option<u64> {
        let (whole, fraction) = self.text.split_once('.').unwrap_or((&self.text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return None;
        }
        let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
        let whole: u64 = whole.parse().ok()?;
        whole
            .checked_mul(1_000_000)?
            .checked_add(fraction.parse().ok()?)
    }

    /// Checks a factor, a decimal number that is no share: more than zero.
    pub(crate) fn check_above_zero(&self, at: &Pointer, check: &mut Check<'_>) {
        self.check_decimal(
            |number| number > 0.0,
            "it must be more than zero",
            at,
            check,
        );
    }

    /// Checks a factor: at least zero.
    pub(crate) fn check_not_negative(&self, at: &Pointer, check: &mut Check<'_>) {
        self.check_decimal(
            |number| number >= 0.0,
            "it must be at least zero",
            at,
            check,
        );
    }

    fn check_decimal(
        &self,
        holds: fn(f64) -> bool,
        message: &str,
        at: &Pointer,
        check: &mut Check<'_>,
    ) {
        let text = &self.text;
        if !self.is_number() {
            check.invalid(at, format!("`{text}` is not a number"));
        } else if !text.parse().is_ok_and(holds) {
            check.invalid(at, message);
        }
    }

    /// Does the text hold a decimal number at all, of whatever size?
    pub(crate) fn is_number(&self) -> bool {
        let unsigned = self.text.strip_prefix('-').unwrap_or(&self.text);
        unsigned.starts_with(|c: char| c.is_ascii_digit()) && self.text.parse::<f64>().is_ok()
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = TimeSpan;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `1m30s`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TimeSpan, E> {
                text.parse().map(TimeSpan).map_err(E::custom)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<TimeSpan, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<TimeSpan, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self {
                text,
                unquoted_fraction: false,
            }),
            serde_json::Value::Number(number) => Ok(Self {
                text: number.to_string(),
                unquoted_fraction: number.is_f64(),
            }),
            _ => Err(D::Error::invalid_type(
                Unexpected::Other("something else"),
                &"a number or a text that holds one",
            )),
        }
    }
}

impl JsonSchema for TimeSpan {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Numbers get a better message from the parser of durations: that the unit is missing.
        json_schema!({ "type": ["string", "integer"], "format": "go-duration" })
    }
}

impl JsonSchema for Percentage {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Percentage".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string", "number"] })
    }
}

impl JsonSchema for PortRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PortRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"], "minimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_texts_and_zero() {
        let check = |json: &str, expected: Result<&str, &str>| {
            let found = serde_json::from_str::<TimeSpan>(json);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.0.to_string(), expected, "{json}"),
                (Err(found), Err(expected)) => {
                    assert!(found.to_string().contains(expected), "{json}: {found}");
                }
                (found, _) => panic!("{json}: {found:?}"),
            }
        };
        check(r#""90s""#, Ok("1m30s"));
        check("0", Ok("0s"));
        check(r#""0""#, Ok("0s"));
        check("5", Err("missing unit"));
        check("-5", Err("missing unit"));
        check(r#""1d""#, Err("unknown unit"));
        check(r#""-1s""#, Err("must not be negative when defined"));
        check("true", Err("a duration such as"));
    }

    #[test]
    fn percentages_are_exact() {
        let check = |json: &str, parts: Option<u32>, number: bool| {
            let found: Percentage = serde_json::from_str(json).unwrap();
            assert_eq!(found.parts_per_million(), parts, "{json}");
            assert_eq!(found.is_number(), number, "{json}");
        };
        check("10", Some(100_000), true);
        check(r#""12.5""#, Some(125_000), true);
        check("12.5", Some(125_000), true);
        check(r#""0.0001""#, Some(1), true);
        check("100", Some(1_000_000), true);
        check(r#""100.0""#, Some(1_000_000), true);
        check("101", None, true);
        check("-1", None, true);
        check(r#""ten""#, None, false);
        check(r#""inf""#, None, false);
        check(r#""""#, None, false);
    }
}
