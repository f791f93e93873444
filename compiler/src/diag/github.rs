//! Findings as workflow commands: GitHub shows them beside the lines of a pull request.
//!
//! Never lets the text of a document become a command of its own.

use super::report::{Finding, Report};
use crate::diag::render::counted;

/// One command each, errors first: of one step, GitHub shows ten errors and ten warnings.
pub(super) fn render(findings: &[Finding<'_>], report: &Report<'_>) -> String {
    let mut worst: Vec<_> = findings.iter().collect();
    worst.sort_by_key(|finding| finding.diagnostic.severity);
    let mut text: String = worst.into_iter().map(command).collect();
    let hidden = report.left_out(super::Format::Github);
    if hidden > 0 {
        let more = counted(hidden, "more finding");
        text.push_str(&format!("::notice title=meshc::{more}, not shown\n"));
    }
    text
}

fn command(finding: &Finding<'_>) -> String {
    let place = finding.place;
    format!(
        "::{} file={},line={},col={},endLine={},endColumn={},title={}::{}\n",
        finding.diagnostic.severity.word(),
        property(&finding.path),
        place.line,
        place.column,
        place.end_line,
        place.end_column,
        property(finding.diagnostic.code.0),
        data(&finding.text()),
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
