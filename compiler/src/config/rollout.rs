//! How a commit reaches the proxies: in which waves, and what keeps it from going on.
//!
//! Never changes what a bundle is: meshd alone heeds it.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_bundle::Kri;

/// The name of the last wave: all who are in none before it.
pub const FLEET: &str = "fleet";

/// What the table `[rollout]` says; what it does not say is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// The file, from the top of the repository.
    pub file: String,
    /// In their order, without the fleet.
    pub waves: Vec<Wave>,
    /// For how long a wave is watched after it has acknowledged.
    pub bake: Duration,
    /// By when a wave must have acknowledged.
    pub deadline: Duration,
    /// This share of those of a wave that are there must have.
    pub acknowledged_percent: u32,
    /// More of them may not refuse it.
    pub max_rejects: u32,
    /// What traffic may show; `None`: it is not asked.
    pub traffic: Option<Traffic>,
}

/// What the traffic of those who have a commit may show, against their own before they had it. What is not said is not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traffic {
    /// Fewer say nothing.
    pub min_requests: u32,
    /// So many more of a million requests may fail.
    pub failures: Option<u32>,
    /// So many more of a million may be denied.
    pub denials: Option<u32>,
    /// So much longer may 99 of 100 requests take, of a hundred.
    pub latency_percent: Option<u32>,
}

/// A cohort that is given a commit before the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// For people.
    pub name: String,
    /// From 1.
    pub line: u32,
    /// Of their Dataplanes; all of them.
    pub labels: BTreeMap<String, String>,
    /// This many of a hundred.
    pub share_percent: u32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            file: String::new(),
            waves: Vec::new(),
            bake: Duration::from_mins(1),
            deadline: Duration::from_mins(2),
            acknowledged_percent: 100,
            max_rejects: 0,
            traffic: None,
        }
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            min_requests: 100,
            failures: None,
            denials: None,
            latency_percent: None,
        }
    }
}

impl Traffic {
    /// Every line of it.
    fn lines(&self) -> impl Iterator<Item = (String, String)> {
        let share = |share: Option<u32>| share.map(percent);
        let lines = [
            ("min-requests", Some(self.min_requests.to_string())),
            ("max-added-failures-percent", share(self.failures)),
            ("max-added-denials-percent", share(self.denials)),
            (
                "max-added-latency-percent",
                self.latency_percent.map(|percent| percent.to_string()),
            ),
        ];
        let line = |(name, value): (&str, Option<String>)| {
            Some((format!("rollout.traffic.{name}"), value?))
        };
        lines.into_iter().filter_map(line)
    }
}

/// Millionths, as somebody writes percent.
#[must_use]
pub fn percent(millionths: u32) -> String {
    let (whole, rest) = (millionths / 10_000, millionths % 10_000);
    match rest {
        0 => whole.to_string(),
        rest => {
            let digits = format!("{rest:04}");
            format!("{whole}.{}", digits.trim_end_matches('0'))
        }
    }
}

impl Wave {
    /// Is this Dataplane in the cohort? By share: those whose names have the smallest digests, the same for every commit.
    #[must_use]
    pub fn holds(&self, dataplane: &Kri, labels: &BTreeMap<String, String>) -> bool {
        if !self.labels.is_empty() {
            let mut wanted = self.labels.iter();
            return wanted.all(|(name, value)| labels.get(name) == Some(value));
        }
        let digest = mesh_bundle::Digest::of(dataplane.as_str().as_bytes()).to_string();
        let hex = digest.rsplit(':').next().unwrap_or_default();
        // Four digits: one in 65,536 is fine enough for a hundred shares.
        let place = hex
            .get(..4)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok());
        place.is_some_and(|place| place * 100 < self.share_percent * 0x1_0000)
    }
}

impl Rollout {
    /// Every line of it, as `meshc config show` prints it.
    pub(super) fn lines(&self) -> impl Iterator<Item = (String, String)> {
        let time = |time: Duration| mesh_bundle::Duration::from(time).to_string();
        let single = [
            ("bake", time(self.bake)),
            ("deadline", time(self.deadline)),
            (
                "acknowledged-percent",
                self.acknowledged_percent.to_string(),
            ),
            ("max-rejects", self.max_rejects.to_string()),
        ];
        let single = single.map(|(name, value)| (format!("rollout.{name}"), value));
        let waves = self.waves.iter().map(|wave| {
            let labels = wave.labels.iter();
            let labels: Vec<_> = labels
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let cohort = match labels.as_slice() {
                [] => format!("{} %", wave.share_percent),
                labels => labels.join(","),
            };
            (format!("rollout.waves.{}", wave.name), cohort)
        });
        let traffic = self.traffic.iter().flat_map(Traffic::lines);
        single.into_iter().chain(traffic).chain(waves)
    }
}
