//! Which instances are passed over when a request is sent again (language 5.4, `hostSelection`).
//!
//! Never leaves a request without an instance: who was drawn last is taken, whatever is said of him.

use std::sync::atomic::{AtomicUsize, Ordering};

use mesh_bundle::resource::{HostSelection, RequestRetry};

use crate::table::{Instance, MOST_INSTANCES};

/// How often another instance is drawn, where nothing is said of it.
const DRAWS: u32 = 1;

/// The instances that one request was sent to, and what follows from that for the next try.
#[derive(Debug)]
pub(super) struct Selection<'p, 'i> {
    rules: &'p [HostSelection],
    draws: usize,
    tried: Vec<&'i Instance>,
    /// How many of them when so many tries were over.
    tries: Vec<usize>,
}

/// The instances of one try, in their order, and how many of them were asked.
#[derive(Debug)]
pub(super) struct Candidates<'i> {
    instances: Vec<&'i Instance>,
    asked: AtomicUsize,
}

impl<'i> Candidates<'i> {
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &'i Instance> {
        let next = || self.asked.fetch_add(1, Ordering::Relaxed);
        std::iter::from_fn(move || self.instances.get(next()).copied())
    }
}

impl<'p, 'i> Selection<'p, 'i> {
    /// `None`: nobody is passed over.
    pub(super) fn of(policy: &'p RequestRetry) -> Option<Self> {
        let rules = policy.host_selection.as_ref()?.value.as_slice();
        let draws = policy.host_selection_max_attempts.as_ref();
        let draws = draws.map_or(DRAWS, |draws| draws.value);
        Some(Self {
            rules,
            draws: usize::try_from(draws).unwrap_or(usize::MAX),
            tried: Vec::new(),
            tries: vec![0],
        })
    }

    /// Those for the next try, of all that could be.
    pub(super) fn choose(&self, order: impl Iterator<Item = &'i Instance>) -> Candidates<'i> {
        let mut instances: Vec<&Instance> = order.collect();
        let spent = self.spent_priorities();
        if instances.iter().any(|one| !spent.contains(&one.priority)) {
            instances.sort_by_key(|one| spent.contains(&one.priority));
        }
        let first = instances
            .iter()
            .take(self.draws.saturating_add(1))
            .position(|one| !self.omits(one));
        let last_drawn = || self.draws.min(instances.len().saturating_sub(1));
        let first = first.unwrap_or_else(last_drawn);
        if let Some(range) = instances.get_mut(..=first) {
            range.rotate_right(1);
        }
        instances.truncate(MOST_INSTANCES);
        Candidates {
            instances,
            asked: AtomicUsize::new(0),
        }
    }

    /// A try is over.
    pub(super) fn tried(&mut self, candidates: &Candidates<'i>) {
        let asked = candidates.asked.load(Ordering::Relaxed);
        let asked = candidates.instances.iter().take(asked);
        self.tried.extend(asked);
        self.tries.push(self.tried.len());
    }

    fn omits(&self, instance: &Instance) -> bool {
        // The first try is none that is made again.
        let again = self.tries.len() > 1;
        again
            && self.rules.iter().any(|rule| match rule {
                HostSelection::OmitPreviousHosts => {
                    let known = |tried: &&Instance| std::ptr::eq(*tried, instance);
                    self.tried.iter().any(known)
                }
                HostSelection::OmitHostsWithTags(tags) => {
                    let has = |(name, value)| instance.labels.get(name) == Some(value);
                    tags.iter().all(has)
                }
                HostSelection::OmitPreviousPriorities(_) => false,
            })
    }

    /// The priorities that were tried when they were judged last.
    fn spent_priorities(&self) -> Vec<u32> {
        let judged = self.rules.iter().find_map(|rule| match rule {
            HostSelection::OmitPreviousPriorities(every) => usize::try_from(*every).ok(),
            _ => None,
        });
        let Some(every) = judged.filter(|every| *every > 0) else {
            return Vec::new();
        };
        let tries = self.tries.len().saturating_sub(1);
        let until = self.tries.get(tries / every * every).copied();
        let tried = self.tried.iter().take(until.unwrap_or_default());
        tried.map(|one| one.priority).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use mesh_bundle::Sourced;
    use mesh_bundle::resource::RetryOn;

    use super::*;

    fn instances(priorities: &[u32]) -> Vec<Instance> {
        let numbered = priorities.iter().zip(80..);
        let made = numbered.map(|(priority, port)| Instance {
            priority: *priority,
            ..Instance::new("10.0.0.1".to_owned(), port)
        });
        made.collect()
    }

    fn policy(rules: Vec<HostSelection>, draws: Option<u32>) -> RequestRetry {
        let mut policy = RequestRetry::new(RetryOn::requests());
        policy.host_selection = Some(Sourced::built_in(rules));
        policy.host_selection_max_attempts = draws.map(Sourced::built_in);
        policy
    }

    /// The ports in the order in which they are tried, when each try asks one.
    fn asked(policy: &RequestRetry, all: &[Instance], tries: usize) -> Vec<u16> {
        let mut selection = Selection::of(policy).unwrap();
        let mut ports = Vec::new();
        for _ in 0..tries {
            let candidates = selection.choose(all.iter());
            ports.extend(candidates.in_turn().next().map(|one| one.port));
            selection.tried(&candidates);
        }
        ports
    }

    #[test]
    fn another_instance_each_time() {
        let previous = vec![HostSelection::OmitPreviousHosts];
        let all = instances(&[0, 0, 0, 0]);
        // Everybody is drawn in the same order: one draw more finds the second, and then takes who was drawn last.
        assert_eq!(
            asked(&policy(previous.clone(), None), &all, 4),
            [80, 81, 81, 81]
        );
        assert_eq!(
            asked(&policy(previous.clone(), Some(3)), &all, 5),
            [80, 81, 82, 83, 83]
        );
        assert_eq!(
            asked(&policy(previous, Some(9)), &instances(&[0]), 2),
            [80, 80]
        );
    }

    #[test]
    fn labels_are_passed_over_when_it_is_sent_again() {
        let tags = BTreeMap::from([("version".to_owned(), "old".to_owned())]);
        let mut all = instances(&[0, 0, 0]);
        all[0].labels = tags.clone().into();
        let rules = vec![HostSelection::OmitHostsWithTags(tags)];
        assert_eq!(asked(&policy(rules, None), &all, 3), [80, 81, 81]);
    }

    #[test]
    fn priorities_are_judged_every_so_many_tries() {
        let all = instances(&[0, 1, 1, 2]);
        let rules = |every| vec![HostSelection::OmitPreviousPriorities(every)];
        assert_eq!(asked(&policy(rules(1), None), &all, 4), [80, 81, 83, 80]);
        assert_eq!(
            asked(&policy(rules(2), None), &all, 5),
            [80, 80, 81, 81, 83]
        );
    }
}
