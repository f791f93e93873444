//! What is effective for a proxy as a whole (language 4.11).
//!
//! Never knows what a feature does where no policy is: that is of its kind.

use serde_json::Value;

use crate::diag::{Location, Pointer};

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
    pub(crate) conf: Value,
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
            strength: Strength::of(written.meta, top, None, 0),
            conf: conf.clone(),
            at: written.meta.within(&at),
        });
    }

    /// The policies that configure a proxy as a whole, weakest first.
    pub(crate) fn wholes<'a>(
        &'a self,
        subject: &'a Subject<'_>,
    ) -> impl Iterator<Item = &'a Whole> {
        // Policies are read in order.
        self.whole.iter().filter(|whole| {
            let policy: Option<&Policy> = self.policies.get(whole.policy);
            policy.is_some_and(|policy| policy.applies(subject))
        })
    }

    /// What is effective for a proxy as a whole; `None` where no policy applies.
    pub(crate) fn proxy_wide(&self, subject: &Subject<'_>) -> Option<Merged> {
        let mut merged = None;
        for whole in self.wholes(subject) {
            let merged = merged.get_or_insert_with(Merged::default);
            merged.layer(&whole.conf, &|relative: &Pointer| {
                self.source(whole.policy, &whole.strength, &whole.at, relative)
            });
        }
        merged
    }
}
