//! The table `[rollout]`.
//!
//! Never takes a wave that nobody can be in, or a gate that could not be broken.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::{Entry, Reader, kind};
use crate::config::rollout::{FLEET, Rollout, Wave};

/// Its keys.
const KEYS: [&str; 6] = [
    "waves",
    "traffic",
    "bake",
    "deadline",
    "acknowledged-percent",
    "max-rejects",
];
/// Those of one wave.
const WAVE: [&str; 3] = ["name", "labels", "share-percent"];
/// More are no rollout.
const MOST_WAVES: usize = 20;
/// A commit that takes longer is held up, not rolled out.
const LONGEST: Duration = Duration::from_hours(24);

impl Reader<'_> {
    pub(super) fn rollout(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`rollout` is a table, not {}", kind(value.get_ref()));
            return self.complain(Some(value.span()), message, None);
        };
        let mut rollout = Rollout {
            file: self.path.to_owned(),
            ..Rollout::default()
        };
        for entry in table {
            let (name, value) = entry;
            let name = name.get_ref().as_ref();
            match name {
                "waves" => rollout.waves = self.waves(value),
                "traffic" => rollout.traffic = self.traffic(value),
                "bake" => self.time(entry, &mut rollout.bake),
                "deadline" => self.time(entry, &mut rollout.deadline),
                "acknowledged-percent" => self.count(entry, 100, &mut rollout.acknowledged_percent),
                "max-rejects" => self.count(entry, u32::MAX, &mut rollout.max_rejects),
                _ => self.unknown("part of a rollout", entry, KEYS.into_iter()),
            }
        }
        self.content.rollout = Some(rollout);
    }

    pub(super) fn count(&mut self, entry: Entry<'_, '_>, most: u32, place: &mut u32) {
        if let Some(told) = self.number(entry, most) {
            *place = told.value;
        }
    }

    fn time(&mut self, (name, value): Entry<'_, '_>, place: &mut Duration) {
        let text = value.get_ref().as_str();
        let time = text.and_then(|text| text.parse::<mesh_bundle::Duration>().ok());
        match time.map(mesh_bundle::Duration::as_std) {
            Some(time) if time <= LONGEST => *place = time,
            _ => {
                let message = format!("`{}` is a time of at most 24h", name.get_ref());
                let help = "write it as `30s`, `5m` or `1h`".to_owned();
                self.complain(Some(value.span()), message, Some(help));
            }
        }
    }

    fn waves(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Wave> {
        let list = value.get_ref().as_array();
        let Some(list) = list.filter(|list| list.len() <= MOST_WAVES) else {
            let message = format!("`rollout.waves` is a list of at most {MOST_WAVES} tables");
            self.complain(Some(value.span()), message, None);
            return Vec::new();
        };
        let mut waves: Vec<Wave> = Vec::new();
        for each in list {
            let Some(wave) = self.wave(each) else {
                continue;
            };
            if waves.iter().any(|other| other.name == wave.name) {
                let message = format!("there is a wave `{}` already", wave.name);
                self.complain(Some(each.span()), message, None);
            }
            waves.push(wave);
        }
        waves
    }

    fn wave(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Wave> {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("a wave is a table, not {}", kind(value.get_ref()));
            self.complain(Some(value.span()), message, None);
            return None;
        };
        let mut wave = Wave {
            name: String::new(),
            line: self.place(value.span().start).0,
            labels: BTreeMap::new(),
            share_percent: 0,
        };
        let before = self.flaws.len();
        for entry in table {
            match entry.0.get_ref().as_ref() {
                "name" => wave.name = entry.1.get_ref().as_str().unwrap_or_default().to_owned(),
                "labels" => wave.labels = self.labels(entry.1),
                "share-percent" => self.count(entry, 100, &mut wave.share_percent),
                _ => self.unknown("part of a wave", entry, WAVE.into_iter()),
            }
        }
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if wave.name.is_empty() || wave.name.len() > 63 || !wave.name.chars().all(inside) {
            let message = "a wave has a `name` of letters, digits, `-` and `_`";
            self.complain(Some(value.span()), message, None);
        } else if wave.name == FLEET {
            let message = format!("`{FLEET}` is the last wave, which is always there");
            self.complain(Some(value.span()), message, None);
        }
        if self.flaws.len() == before && wave.labels.is_empty() == (wave.share_percent == 0) {
            let message = format!(
                "the wave `{}` has either `labels` or `share-percent`",
                wave.name
            );
            let help =
                "such as `labels = { stage = \"canary\" }`, or `share-percent = 5`".to_owned();
            self.complain(Some(value.span()), message, Some(help));
        }
        (self.flaws.len() == before).then_some(wave)
    }

    fn labels(&mut self, value: &Spanned<DeValue<'_>>) -> BTreeMap<String, String> {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`labels` is a table, not {}", kind(value.get_ref()));
            self.complain(Some(value.span()), message, None);
            return BTreeMap::new();
        };
        let mut labels = BTreeMap::new();
        for (name, value) in table {
            match value.get_ref().as_str() {
                Some(text) => drop(labels.insert(name.get_ref().to_string(), text.to_owned())),
                None => {
                    let message = format!("the label `{}` is a text", name.get_ref());
                    self.complain(Some(value.span()), message, None);
                }
            }
        }
        labels
    }
}
