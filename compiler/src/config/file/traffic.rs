//! The table `[rollout.traffic]`.
//!
//! Never takes a number that could not be broken.

use toml::Spanned;
use toml::de::DeValue;

use super::{Entry, Reader, kind};
use crate::config::rollout::Traffic;

/// Its keys.
const KEYS: [&str; 4] = [
    "min-requests",
    "max-added-failures-percent",
    "max-added-denials-percent",
    "max-added-latency-percent",
];
/// Of latency: more than so many times as long is no gate.
const MOST_LATENCY: u32 = 10_000;

impl Reader<'_> {
    pub(super) fn traffic(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Traffic> {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!(
                "`rollout.traffic` is a table, not {}",
                kind(value.get_ref())
            );
            self.complain(Some(value.span()), message, None);
            return None;
        };
        let mut traffic = Traffic::default();
        for entry in table {
            match entry.0.get_ref().as_ref() {
                "min-requests" => self.count(entry, u32::MAX, &mut traffic.min_requests),
                "max-added-failures-percent" => traffic.failures = self.share(entry),
                "max-added-denials-percent" => traffic.denials = self.share(entry),
                "max-added-latency-percent" => {
                    let told = self.number(entry, MOST_LATENCY);
                    traffic.latency_percent = told.map(|told| told.value);
                }
                _ => self.unknown("gate on traffic", entry, KEYS.into_iter()),
            }
        }
        Some(traffic)
    }

    /// Of a hundred, in millionths.
    fn share(&mut self, (name, value): Entry<'_, '_>) -> Option<u32> {
        let number: Option<f64> = match value.get_ref() {
            DeValue::Integer(text) => u32::from_str_radix(text.as_str(), text.radix())
                .ok()
                .map(f64::from),
            DeValue::Float(text) => text.as_str().parse().ok(),
            _ => None,
        };
        // Digits of a number of at most 100: the text has them exactly.
        let millionths = number
            .filter(|number| (0.0..=100.0).contains(number))
            .and_then(|number| format!("{:.0}", number * 10_000.0).parse().ok());
        if millionths.is_none() {
            let message = format!("`{}` is a number from 0 to 100", name.get_ref());
            self.complain(Some(value.span()), message, None);
        }
        millionths
    }
}
