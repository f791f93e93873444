//! What proxies tell of their traffic: kept for a few minutes, and set against what it was before a rollout gave them a commit.
//!
//! Never more than a few sums for each proxy, whatever it tells and however often; never a number of a configuration that it should
//! not have.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_bundle::{Digest, Kri};
use mesh_delivery::traffic::{Both, Traffic};
use tokio::time::Instant;

use super::Registry;
use crate::publish::Published;
use crate::waves::traffic::Compared;

/// What is kept is of the last one to two of these.
const HALF: Duration = Duration::from_mins(3);
/// More than this in one report was not counted by a proxy: it serves no hundred thousand requests in a second.
const MOST_IN_A_REPORT: u64 = 10_000_000;

/// The traffic of every proxy that tells it.
#[derive(Debug, Default)]
pub(super) struct Measured {
    proxies: BTreeMap<Kri, Box<Kept>>,
    /// Since when everybody of a source is asked.
    since: BTreeMap<String, Instant>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The half before the newest one.
    older: Both,
    newer: Both,
    /// When the newer half began.
    since: Option<Instant>,
    /// What it was before a rollout gave it another commit, while that goes on.
    before: Option<Both>,
}

impl Kept {
    fn add(&mut self, both: &Both, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age >= HALF {
            let last = std::mem::take(&mut self.newer);
            self.older = if age < 2 * HALF {
                last
            } else {
                Both::default()
            };
            self.since = Some(now);
        }
        self.newer.add(both);
    }

    fn sum(&self) -> Both {
        let mut sum = self.older.clone();
        sum.add(&self.newer);
        sum
    }
}

impl Measured {
    pub(super) fn keep_only(&mut self, there: impl Fn(&Kri) -> bool) {
        self.proxies.retain(|kri, _| there(kri));
    }

    fn add(&mut self, proxy: &Kri, traffic: &Traffic, (wanted, now): (Digest, Instant)) {
        let Both { inbound, outbound } = &traffic.both;
        if inbound.requests().max(outbound.requests()) > MOST_IN_A_REPORT {
            tracing::debug!(%proxy, "it tells of more traffic than there can be");
            return;
        }
        let kept = self.proxies.entry(proxy.clone()).or_default();
        // What it still did under the commit before says nothing of the new one.
        if kept.before.is_none() || traffic.root == wanted {
            kept.add(&traffic.both, now);
        }
    }

    fn compare(&mut self, moved: &BTreeSet<Kri>) {
        for kri in moved {
            let kept = self.proxies.entry(kri.clone()).or_default();
            if kept.before.is_none() {
                let kept = std::mem::take(&mut **kept);
                let before = Some(kept.sum());
                let fresh = Kept {
                    before,
                    ..Kept::default()
                };
                self.proxies.insert(kri.clone(), Box::new(fresh));
            }
        }
    }

    fn settle(&mut self, its: impl Fn(&Kri) -> bool, stays: bool) {
        for (_, kept) in self.proxies.iter_mut().filter(|(kri, _)| its(kri)) {
            let Some(before) = kept.before.take() else {
                continue;
            };
            if !stays {
                **kept = Kept {
                    older: before,
                    ..Kept::default()
                };
            }
        }
    }
}

impl Registry {
    /// A proxy tells what went through it. What is not of the configuration that it holds is not kept.
    pub(crate) fn measured(&self, proxy: &Kri, session: u64, traffic: &Traffic) {
        let now = Instant::now();
        let mut inner = self.lock();
        let published = inner.published.as_ref();
        let wanted = published.and_then(|published| published.proxies.get(proxy));
        let Some(wanted) = wanted.map(|proxy| proxy.wanted.root()) else {
            return;
        };
        let live = inner.live.get(proxy);
        if live.is_some_and(|live| live.holds(session, traffic.root)) {
            inner.measured.add(proxy, traffic, (wanted, now));
        }
    }

    /// These are given another commit: what they tell from now on is set against what they told before.
    pub(crate) fn compare(&self, moved: &BTreeSet<Kri>) {
        self.lock().measured.compare(moved);
    }

    /// What each proxy of a source told before it was given the commit that is on its way.
    pub(crate) fn baselines(&self, source: &str) -> BTreeMap<Kri, Both> {
        let inner = self.lock();
        let published = inner.asked(Some(source));
        let its = |kri: &Kri| published.is_none_or(|it| it.proxies.contains_key(kri));
        let kept = inner.measured.proxies.iter().filter(|(kri, _)| its(kri));
        let before = kept.filter_map(|(kri, kept)| Some((kri.clone(), kept.before.clone()?)));
        before.collect()
    }

    /// The same, as it was when meshd ended.
    pub(crate) fn restore_baselines(&self, before: BTreeMap<Kri, Both>) {
        let mut inner = self.lock();
        for (kri, before) in before {
            let before = Some(before);
            let kept = Kept {
                before,
                ..Kept::default()
            };
            inner.measured.proxies.insert(kri, Box::new(kept));
        }
    }

    /// Nothing of a source is to be compared any more: everybody has the new commit, or nobody.
    pub(crate) fn compared(&self, source: &str, stays: bool) {
        let mut inner = self.lock();
        let published = inner.asked(Some(source)).cloned();
        let its = |kri: &Kri| {
            published
                .as_ref()
                .is_none_or(|it| it.proxies.contains_key(kri))
        };
        inner.measured.settle(its, stays);
    }

    /// What each of these told before it was given the commit and since then; and for how long everybody has been asked.
    pub(crate) fn traffic(
        &self,
        (source, moved): (&str, &BTreeSet<Kri>),
        now: Instant,
    ) -> (Vec<Compared>, Duration) {
        let inner = self.lock();
        let measured = &inner.measured;
        let kept = moved.iter().filter_map(|kri| measured.proxies.get(kri));
        let compared = kept.filter_map(|kept| {
            Some(Compared {
                before: kept.before.clone()?,
                after: kept.sum(),
            })
        });
        let since = measured.since.get(source);
        let asked = since.map(|since| now.saturating_duration_since(*since));
        (compared.collect(), asked.unwrap_or_default())
    }

    /// Everybody of a source is asked from now on, or nobody.
    pub(super) fn asks(measured: &mut Measured, (source, part): (&str, &Published), now: Instant) {
        if part.measures {
            measured.since.entry(source.to_owned()).or_insert(now);
        } else {
            measured.since.remove(source);
            measured.keep_only(|kri| !part.proxies.contains_key(kri));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kri(name: &str) -> Kri {
        format!("kri_dp_shop___{name}_").parse().unwrap()
    }

    fn traffic(root: &[u8], failures: u32) -> Traffic {
        let mut both = Both::default();
        both.inbound.failures = failures;
        both.inbound.latency[3] = failures;
        Traffic {
            root: Digest::of(root),
            both,
        }
    }

    fn failures(both: &Both) -> u32 {
        both.inbound.failures
    }

    #[test]
    fn what_is_kept_is_of_the_last_minutes() {
        let (begin, wanted) = (Instant::now(), Digest::of(b"1"));
        let mut measured = Measured::default();
        for (minute, expected) in [(0, 1), (2, 2), (3, 3), (5, 4), (6, 3), (7, 4), (30, 1)] {
            let now = begin + Duration::from_mins(minute);
            measured.add(&kri("a"), &traffic(b"1", 1), (wanted, now));
            let sum = measured.proxies[&kri("a")].sum();
            assert_eq!(failures(&sum), expected, "after {minute} min");
        }
    }

    #[test]
    fn before_and_after_do_not_mix() {
        let now = Instant::now();
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        let mut measured = Measured::default();
        measured.add(&kri("a"), &traffic(b"old", 5), (old, now));
        let moved = BTreeSet::from([kri("a"), kri("silent")]);
        measured.compare(&moved);
        measured.add(&kri("a"), &traffic(b"old", 7), (new, now));
        measured.add(&kri("a"), &traffic(b"new", 3), (new, now));
        // The next wave.
        measured.compare(&moved);
        let kept = &measured.proxies[&kri("a")];
        let before = kept.before.as_ref().map(failures);
        assert_eq!((before, failures(&kept.sum())), (Some(5), 3));
        assert!(measured.proxies[&kri("silent")].before.is_some());
        // It is taken back: what the bad commit did is no measure for the next one.
        measured.settle(|_| true, false);
        assert_eq!(failures(&measured.proxies[&kri("a")].sum()), 5);
        measured.compare(&moved);
        measured.add(&kri("a"), &traffic(b"new", 3), (new, now));
        measured.settle(|_| true, true);
        assert_eq!(failures(&measured.proxies[&kri("a")].sum()), 3);
    }

    #[test]
    fn numbers_that_cannot_be_are_not_kept() {
        let now = Instant::now();
        let mut measured = Measured::default();
        let large = traffic(b"1", 20_000_000);
        measured.add(&kri("a"), &large, (Digest::of(b"1"), now));
        assert!(measured.proxies.is_empty());
    }
}
