//! Which rules no test touches.
//!
//! Never calls a rule touched that did not decide anything: being about a client is not enough.

use std::collections::BTreeSet;

use mesh_bundle::Origin;

use super::plan::Touched;
use super::rule::Rule;

/// How much of what a mesh says is asked by its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Rules that tests can ask about.
    pub rules: usize,
    /// Those that no test asks about, in the order of their lines.
    pub untouched: Vec<Untouched>,
}

/// A rule that no test asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untouched {
    /// Its line.
    pub at: Origin,
    /// `allow`, `route`, `timeout` …
    pub what: &'static str,
}

impl Coverage {
    pub(super) fn of(rules: &[Rule], touched: &[Touched]) -> Self {
        let touched: BTreeSet<&Origin> = touched.iter().flat_map(|one| &one.decided).collect();
        let untouched = rules.iter().filter(|rule| !touched.contains(&rule.origin));
        Self {
            rules: rules.len(),
            untouched: untouched
                .map(|rule| Untouched {
                    at: rule.origin.clone(),
                    what: rule.what.as_str(),
                })
                .collect(),
        }
    }
}
