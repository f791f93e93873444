//! Tests that do not hold, and what no test asks, as findings: every program that takes those of `meshc check` takes these too.
//!
//! Never more than one for a test: what else does not hold is said with it.

use std::collections::BTreeSet;

use mesh_bundle::Origin;

use super::{Coverage, Mutations, Report, TestResult, Unnoticed, Untouched};
use crate::diag::{Code, Diagnostic, Diagnostics, Location};
use crate::source::Sources;
use crate::suppress;

/// One finding for each test that does not hold, at the line of the test, with the lines that cause it; and, where somebody
/// asked, one for each rule that no test touches, and for each change that no test notices.
#[must_use]
pub fn findings(report: &Report, sources: &Sources) -> Diagnostics {
    let mut found = Diagnostics::default();
    for result in report
        .results
        .iter()
        .filter(|result| !result.failures.is_empty())
    {
        found.push(finding(result, sources));
    }
    let untested = rules((&report.coverage, &report.mutations), sources);
    found.list.extend(untested);
    found.sort(sources);
    found
}

/// Takes out what comments in the documents suppress.
pub(super) fn suppress(
    coverage: &mut Option<Coverage>,
    mutations: &mut Option<Mutations>,
    sources: &Sources,
) {
    let mut found = Diagnostics {
        list: rules((coverage, mutations), sources),
        ..Diagnostics::default()
    };
    if found.list.is_empty() {
        return;
    }
    suppress::hide(sources, &mut found);
    let left: BTreeSet<(Location, Code)> = found
        .list
        .into_iter()
        .map(|one| (one.at, one.code))
        .collect();
    let is_left = |at: &Origin, code| left.contains(&(place(at, sources), code));
    if let Some(told) = coverage {
        told.untouched
            .retain(|rule| is_left(&rule.at, Code::UNTESTED_RULE));
    }
    if let Some(told) = mutations {
        told.unnoticed
            .retain(|change| is_left(&change.at, Code::UNNOTICED_CHANGE));
    }
}

fn rules(
    (coverage, mutations): (&Option<Coverage>, &Option<Mutations>),
    sources: &Sources,
) -> Vec<Diagnostic> {
    let untouched = coverage.iter().flat_map(|told| &told.untouched);
    let unnoticed = mutations.iter().flat_map(|told| &told.unnoticed);
    let untouched = untouched.map(|Untouched { at, what }| {
        let message = format!("no test touches this {what}");
        let mut one = Diagnostic::new(Code::UNTESTED_RULE, place(at, sources), message);
        one.help("say in a `MeshTest` what it is for; where nobody needs to, take it away");
        one
    });
    let unnoticed = unnoticed.map(|Unnoticed { at, change }| {
        let message = format!("no test notices what the mesh does {change}");
        let mut one = Diagnostic::new(Code::UNNOTICED_CHANGE, place(at, sources), message);
        one.help("let a `MeshTest` expect what this line is for: who is refused, which share, which limit");
        one
    });
    untouched.chain(unnoticed).collect()
}

/// Where a line is; as much as is known of it.
fn place(at: &Origin, sources: &Sources) -> Location {
    let found = sources.on_line(&at.file, at.line);
    found.unwrap_or_else(|| Location::of_file(&at.file))
}

fn finding(result: &TestResult, sources: &Sources) -> Diagnostic {
    let at = place(&result.at, sources);
    let mut messages = result
        .failures
        .iter()
        .map(|failure| failure.message.as_str());
    let first = messages.next().unwrap_or_default();
    let more = match messages.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let message = format!("`{}` does not hold: {first}{more}", result.name);
    let mut finding = Diagnostic::new(Code::FAILED_TEST, at.clone(), message);
    for failure in &result.failures {
        for cause in failure
            .because
            .iter()
            .filter_map(|origin| sources.on_line(&origin.file, origin.line))
            .filter(|cause| *cause != at)
        {
            finding.related(cause, failure.message.clone());
        }
    }
    finding.help("mend what changed, or say in the test what is meant now; `meshc explain` tells every step of a request");
    finding
}
