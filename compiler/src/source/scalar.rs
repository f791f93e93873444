//! What an unquoted text means: the core schema of YAML 1.2.
//!
//! Never guesses: `yes` and `on` are texts, and a number that readers of YAML disagree about is found by
//! [`ambiguous_number`].

use super::NodeKind;
use super::node::Style;

/// What a plain scalar means.
pub(super) fn resolve(text: &str) -> NodeKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeKind::Null,
        "true" | "True" | "TRUE" => return NodeKind::Bool(true),
        "false" | "False" | "FALSE" => return NodeKind::Bool(false),
        _ => {}
    }
    if let Some(number) = number(text) {
        return NodeKind::Number(number);
    }
    NodeKind::Text(text.to_owned(), Style::Plain)
}

/// `.inf` and `.nan` stay texts: no number of the language is infinite, and JSON has none.
fn number(text: &str) -> Option<serde_json::Number> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let radix = |prefix: &str, radix: u32| {
        // The core schema knows no sign before these.
        let digits = text.strip_prefix(prefix)?;
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        plain.then(|| u64::from_str_radix(digits, radix).ok())?
    };
    if let Some(value) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return Some(value.into());
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let exact = if negative {
            text.parse::<i64>().ok().map(Into::into)
        } else {
            unsigned.parse::<u64>().ok().map(Into::into)
        };
        return exact.or_else(|| float(text));
    }
    is_float(unsigned).then(|| float(text))?
}

fn float(text: &str) -> Option<serde_json::Number> {
    serde_json::Number::from_f64(text.parse().ok()?)
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, then an exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent
}

/// `0777` and `0o777`: decimal, octal or a text, depending on who reads it. The two values it is most often taken for.
#[must_use]
pub fn ambiguous_number(text: &str) -> Option<(String, String)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let octal = unsigned.strip_prefix("0o");
    let digits = octal.or_else(|| unsigned.strip_prefix('0'))?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let as_octal = u64::from_str_radix(digits, 8)
        .map_or_else(|_| "a string".to_owned(), |value| value.to_string());
    let otherwise = match octal {
        Some(_) => "a string".to_owned(),
        None => match digits.trim_start_matches('0') {
            "" => "0".to_owned(),
            decimal => decimal.to_owned(),
        },
    };
    Some((otherwise, as_octal))
}
