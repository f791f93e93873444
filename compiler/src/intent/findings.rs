//! Tests that do not hold as findings, so that every program that takes those of `meshc check` takes these too.
//!
//! Never more than one for a test: what else does not hold is said with it.

use mesh_bundle::Origin;

use super::{Report, TestResult};
use crate::diag::{Code, Diagnostic, Diagnostics, Location};
use crate::source::Sources;

/// One finding for each test that does not hold, at the line of the test, with the lines that cause it.
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
    found.sort(sources);
    found
}

fn finding(result: &TestResult, sources: &Sources) -> Diagnostic {
    let place = |origin: &Origin| sources.on_line(&origin.file, origin.line);
    let at = place(&result.at).unwrap_or_else(|| Location::of_file(&result.at.file));
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
            .filter_map(place)
            .filter(|cause| *cause != at)
        {
            finding.related(cause, failure.message.clone());
        }
    }
    finding.help("mend what changed, or say in the test what is meant now; `meshc explain` tells every step of a request");
    finding
}
