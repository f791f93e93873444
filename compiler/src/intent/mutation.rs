//! Rules changed one by one, to see whether a test notices.
//!
//! Never changes more than one line at a time, and leaves the bundle as it was.

mod change;
mod itself;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::resource::Resource;
use mesh_bundle::{Bundle, Digest, Origin};

use crate::flow::Flows;

use super::TestResult;
use super::plan::{Plan, Touched};
use super::rule::Rule;

/// What became of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutations {
    /// How many changes were made.
    pub changes: usize,
    /// Those after which every test still passes, in the order of their lines.
    pub unnoticed: Vec<Unnoticed>,
}

/// A change that no test notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnoticed {
    /// The line that was changed.
    pub at: Origin,
    /// How, in words.
    pub change: &'static str,
}

impl Mutations {
    /// `before`: what came of each test, and what it touched, without a change.
    pub(super) fn of(
        bundle: &Bundle,
        plan: &Plan,
        rules: &[Rule],
        (results, touched): (&[TestResult], &[Touched]),
    ) -> Self {
        let mut interested: BTreeMap<&Origin, Vec<usize>> = BTreeMap::new();
        for (index, (result, touched)) in results.iter().zip(touched).enumerate() {
            // A test that fails already notices nothing.
            if result.failures.is_empty() {
                for origin in touched.decided.union(&touched.concerned) {
                    interested.entry(origin).or_default().push(index);
                }
            }
        }
        let mut changed = bundle.clone();
        itself::reachable(&mut changed);
        let mut mutations = Self {
            changes: 0,
            unnoticed: Vec::new(),
        };
        for rule in rules {
            let before = apply(&mut changed, rule);
            if before.is_empty() {
                continue;
            }
            mutations.changes = mutations.changes.saturating_add(1);
            let flows = Flows::new(&changed);
            let tests = interested.get(&rule.origin);
            let mut tests = tests
                .into_iter()
                .flatten()
                .filter_map(|index| plan.tests.get(*index));
            let noticed = tests.any(|test| !test.ask(&flows, false).0.is_empty());
            drop(flows);
            changed.resources.extend(before);
            if !noticed {
                mutations.unnoticed.push(Unnoticed {
                    at: rule.origin.clone(),
                    change: change::words(rule.what),
                });
            }
        }
        mutations
    }
}

/// Changes a rule wherever it is, and gives back what was there; nothing where there is nothing to change.
fn apply(bundle: &mut Bundle, rule: &Rule) -> Vec<(Digest, Arc<Resource>)> {
    let mut before = Vec::new();
    for place in &rule.places {
        if let Some(resource) = bundle.resources.get_mut(place) {
            let own = Arc::clone(resource);
            if change::change(Arc::make_mut(resource), rule) {
                before.push((*place, own));
            }
        }
    }
    before
}
