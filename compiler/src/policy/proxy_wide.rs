//! What is effective for a proxy as a whole (language 4.11).
//!
//! Never knows what a feature does where no policy is: that is of its kind.

use crate::diag::{Location, Pointer};
use crate::json::Json;

use super::applies::Subject;
use super::merge::Merged;
use super::order::Strength;
use super::target::Target;
use super::{Policy, Table, Written};

/// The `default` of one policy.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// Index into [`Table::policies`].
    pub(crate) policy: usize,
    pub(crate) strength: Strength,
    pub(crate) conf: Json,
    /// Where `conf` is written.
    pub(crate) at: Location,
}

impl Table {
    pub(super) fn read_whole(&mut self, policy: usize, written: Written<'_>, top: &Target) {
        let Some(conf) = written.body.get("default") else {
            return;
        };
        let at = Pointer::default().field("default");
        self.whole.push(Whole {
            policy,
            strength: Strength::of(written.meta, top, None, self.compat),
            conf: conf.clone(),
            at: written.meta.within(&at),
        });
    }

    /// The numbers of the confs that configure a proxy as a whole, weakest first: equal for proxies that are configured
    /// alike.
    pub(crate) fn whole_numbers(&self, subject: &Subject<'_>) -> Vec<usize> {
        let applies = |number: &usize| {
            let policy = self.whole.get(*number).map(|whole| whole.policy);
            let policy: Option<&Policy> = policy.and_then(|policy| self.policies.get(policy));
            policy.is_some_and(|policy| policy.applies(subject))
        };
        let mut found = Vec::new();
        let labels = Some(&subject.meta.labels);
        self.by_whole.candidates(labels, &mut found);
        found.retain(applies);
        // Policies are read in order.
        found.sort_unstable();
        found
    }

    /// The confs with these numbers.
    pub(crate) fn numbered(&self, numbers: &[usize]) -> impl Iterator<Item = &Whole> {
        numbers.iter().filter_map(|number| self.whole.get(*number))
    }

    /// What is effective where the confs with these numbers are; `None` where there are none.
    pub(crate) fn fold_wholes(&self, numbers: &[usize]) -> Option<Merged> {
        let mut merged = None;
        for whole in self.numbered(numbers) {
            let merged = merged.get_or_insert_with(Merged::default);
            merged.layer(&whole.conf, &|relative: &Pointer| {
                self.source(whole.policy, &whole.strength, &whole.at, relative)
            });
        }
        merged
    }
}
