//! What the proxies report of their traffic, and whether a wave has made it worse.
//!
//! Never judges by a handful of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_bundle::Kri;
use mesh_compiler::config::rollout::Rollout as Gates;

use super::named;

/// Requests of one proxy over some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    /// Answered with 500 to 599, by a workload or by a proxy.
    pub(crate) failed: u64,
    /// Refused because nobody permits them.
    pub(crate) denied: u64,
    /// Of all of them together.
    pub(crate) latency: Duration,
}

/// A gate on a share of the requests: its name, what is said of them, which they are, and how much more may be.
type Share = (&'static str, &'static str, fn(&Counts) -> u64, u32);

/// What was reported before the first wave, and since the last one began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traffic {
    before: BTreeMap<Kri, Counts>,
    during: BTreeMap<Kri, Counts>,
    begun: bool,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.failed = self.failed.saturating_add(other.failed);
        self.denied = self.denied.saturating_add(other.denied);
        self.latency = self.latency.saturating_add(other.latency);
    }

    /// Of a hundred requests.
    fn percent(self, count: u64) -> f64 {
        // Counts of requests are far below where a float loses one.
        100.0 * count as f64 / self.requests.max(1) as f64
    }

    fn mean(self) -> f64 {
        self.latency.as_secs_f64() * 1_000.0 / self.requests.max(1) as f64
    }
}

impl Traffic {
    /// A proxy reports what was since its last report.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the protocol has no message for it yet")
    )]
    pub(crate) fn report(&mut self, proxy: &Kri, counts: Counts) {
        let place = match self.begun {
            true => &mut self.during,
            false => &mut self.before,
        };
        place.entry(proxy.clone()).or_default().add(counts);
    }

    /// A wave begins: what it does is compared with what was before the first one.
    pub(super) fn begin(&mut self) {
        self.begun = true;
        self.during.clear();
    }

    /// The gate that is broken, and by what: of those who have the commit, or of the others, who may suffer from it too.
    pub(super) fn judge(
        &self,
        gates: &Gates,
        moved: &BTreeSet<Kri>,
    ) -> Option<(&'static str, String)> {
        let (cohort, others): (BTreeSet<&Kri>, BTreeSet<&Kri>) =
            self.during.keys().partition(|kri| moved.contains(*kri));
        let rest = sum(&self.during, &others);
        let judged = self.group(gates, ("those who have it", &cohort), rest);
        judged.or_else(|| self.group(gates, ("the others", &others), Counts::default()))
    }

    fn group(
        &self,
        gates: &Gates,
        (who, group): (&str, &BTreeSet<&Kri>),
        rest: Counts,
    ) -> Option<(&'static str, String)> {
        let enough = |counts: &Counts| counts.requests >= u64::from(gates.min_requests.max(1));
        let now = Some(sum(&self.during, group)).filter(enough)?;
        // The same proxies before; where they had nothing to do, the rest of the fleet now; where that has not, nothing.
        let before = Some(sum(&self.before, group)).filter(enough);
        let reference = before.or_else(|| Some(rest).filter(enough));
        let base = reference.unwrap_or_default();
        let against = match (before, reference) {
            (Some(_), _) => "before",
            (None, Some(_)) => "the rest of the fleet",
            (None, None) => "nothing to compare with",
        };
        let shares: [Share; 2] = [
            ("Failures", "failed", |c| c.failed, gates.max_failed_points),
            (
                "Denials",
                "were denied",
                |c| c.denied,
                gates.max_denied_points,
            ),
        ];
        for (gate, verb, count, most) in shares {
            let (is, was) = (now.percent(count(&now)), base.percent(count(&base)));
            if is > was + f64::from(most) {
                let names = self.worst(group, count);
                let total = now.requests;
                return Some((
                    gate,
                    format!(
                        "{is:.1} % of {total} requests of {who} {verb} ({against}: {was:.1} %), at most {most} of a hundred more may: {names}"
                    ),
                ));
            }
        }
        let (is, was) = (now.mean(), base.mean());
        let most = was * (1.0 + f64::from(gates.max_latency_percent) / 100.0);
        // Less than a millisecond is noise.
        (reference.is_some() && is > most && is - was > 1.0).then(|| {
            let percent = gates.max_latency_percent;
            let message = format!(
                "the mean latency of {who} is {is:.1} ms ({against}: {was:.1} ms), it may grow by {percent} %"
            );
            ("Latency", message)
        })
    }

    /// Those who count most of it.
    fn worst(&self, group: &BTreeSet<&Kri>, count: fn(&Counts) -> u64) -> String {
        let mut all: Vec<_> = group
            .iter()
            .filter_map(|kri| Some((count(self.during.get(*kri)?), *kri)))
            .filter(|(count, _)| *count > 0)
            .collect();
        all.sort_by(|one, other| other.cmp(one));
        named(all.into_iter().map(|(_, kri)| kri))
    }
}

fn sum(of: &BTreeMap<Kri, Counts>, group: &BTreeSet<&Kri>) -> Counts {
    let mut total = Counts::default();
    for kri in group {
        if let Some(counts) = of.get(*kri) {
            total.add(*counts);
        }
    }
    total
}
