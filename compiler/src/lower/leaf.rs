//! Effective values off a merged conf, each with what set it, and a note of what it overrode.
//!
//! Never fills in what no policy says: built-in values are of whoever asks.

use mesh_bundle::{Duration, Sourced};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::policy::merge::Merged;
use crate::provenance::Notes;
use crate::repository::Lines;

/// One merged conf on its way into one resource.
pub(super) struct Leaves<'a> {
    pub(super) merged: &'a Merged,
    pub(super) lines: Lines<'a>,
    pub(super) notes: &'a mut Notes,
    /// Where in the resource the values go: `retry`. Empty: at its top.
    pub(super) place: &'a str,
}

impl Leaves<'_> {
    /// A value of the bundle that is written like its JSON.
    pub(super) fn value<T: DeserializeOwned>(
        &mut self,
        path: &[&str],
        name: &str,
    ) -> Option<Sourced<T>> {
        let read = |value: &Value| serde_json::from_value(value.clone()).ok();
        self.read(path, name, read, plain)
    }

    /// A span of time; a bare number is zero.
    pub(super) fn duration(&mut self, path: &[&str], name: &str) -> Option<Sourced<Duration>> {
        self.read(path, name, duration, |value| {
            duration(value).map_or_else(String::new, words)
        })
    }

    /// A value that `read` understands and `words` tells to people.
    pub(super) fn read<T>(
        &mut self,
        path: &[&str],
        name: &str,
        read: impl Fn(&Value) -> Option<T>,
        words: impl Fn(&Value) -> String,
    ) -> Option<Sourced<T>> {
        let leaf = self.merged.leaf(path)?;
        let value = read(leaf)?;
        let setting = self.merged.setting(path)?;
        let place = match self.place {
            "" => name.to_owned(),
            place => format!("{place}/{name}"),
        };
        self.notes
            .record(&place, (leaf, setting), self.lines, words);
        let origin = Some(self.lines.source(&setting.by));
        Some(Sourced { value, origin })
    }
}

/// A span of time as the language writes it.
pub(super) fn duration(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// A span of time as people say it.
pub(crate) fn words(span: Duration) -> String {
    match span.is_zero() {
        true => "off".to_owned(),
        false => span.to_string(),
    }
}

/// A value without its quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list of values without quotes.
pub(super) fn listed(list: &Value) -> String {
    let words = list.as_array().into_iter().flatten().map(plain);
    words.collect::<Vec<_>>().join(", ")
}
