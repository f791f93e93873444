//! Findings as logging commands of Azure Pipelines.
//!
//! Never lets the text of a document become a command of its own.

use super::report::{Finding, Report};
use crate::diag::render::counted;

/// One command each, errors first.
pub(super) fn render(findings: &[Finding<'_>], report: &Report<'_>) -> String {
    let mut worst: Vec<_> = findings.iter().collect();
    worst.sort_by_key(|finding| finding.diagnostic.severity);
    let mut text: String = worst.into_iter().map(command).collect();
    let hidden = report.left_out(super::Format::Azure);
    if hidden > 0 {
        let more = counted(hidden, "more finding");
        text.push_str(&format!(
            "##vso[task.logissue type=warning;]{more}, not shown\n"
        ));
    }
    text
}

fn command(finding: &Finding<'_>) -> String {
    format!(
        "##vso[task.logissue type={};sourcepath={};linenumber={};columnnumber={};code={};]{}\n",
        finding.diagnostic.severity.word(),
        property(&finding.path),
        finding.place.line,
        finding.place.column,
        property(finding.diagnostic.code.0),
        data(&finding.text()),
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%AZP25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(';', "%3B").replace(']', "%5D")
}
