//! Answers about precedence and merging that nobody here wrote, compared with ours.
//!
//! The corpus lies at `../shared/corpus` beside the repository, or where `MESH_CORPUS` says; without it this skips loudly.

mod corpus;
mod inbound;
mod matched;
mod order;
mod outbound;
mod wide;

use std::path::Path;

use corpus::{cases, figure};

/// How one suite went: the cases that were compared, and what is different in those that do not agree.
#[derive(Default)]
struct Outcome {
    compared: usize,
    different: Vec<String>,
}

impl Outcome {
    /// Compares every case of a suite; `judge` says what is different.
    fn of(suite: &str, judge: impl Fn(&Path) -> Result<(), String>) -> Self {
        let mut outcome = Self::default();
        for case in cases(suite) {
            outcome.compared += 1;
            if let Err(different) = judge(&case) {
                let case = case.display();
                outcome.different.push(format!("{case}: {different}"));
            }
        }
        outcome
    }
}

/// Are two answers the same? If not, both are told.
fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("\n  ours:   {found:?}\n  theirs: {expected:?}")),
    }
}

#[test]
fn answers_agree() {
    let outcomes = [
        Outcome::of("outbound-resourcerules", outbound::rules),
        Outcome::of("outbound-sort", order::of_items),
        Outcome::of("matchedpolicies-dataplanepolicies", matched::policies),
        Outcome::of("matchedpolicies-dataplane-kind", matched::topologies),
        Outcome::of("matchedpolicies-fromrules", inbound::rules),
        Outcome::of("inbound-rules", inbound::order),
        Outcome::of("proxyconf", wide::confs),
    ];
    let compared: usize = outcomes.iter().map(|outcome| outcome.compared).sum();
    let different: Vec<String> = outcomes
        .into_iter()
        .flat_map(|outcome| outcome.different)
        .collect();
    if compared > 0 {
        let agreed = compared - different.len();
        figure(
            "matching",
            &format!("{agreed} of {compared} agree, 0 waived"),
        );
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// The goldens of these are empty, because their tests knew no service: all that can be held is that we have an answer.
#[test]
fn suites_without_goldens_are_answered() {
    for suite in [
        "matchedpolicies-torules",
        "matchedpolicies-meshexternalservice",
    ] {
        for case in cases(suite) {
            outbound::answered(&case);
        }
    }
}
