//! One line for each finding, as editors and other tools read it.
//!
//! Never more than the line: help and related places are in the other formats.

use super::Diagnostic;
use super::render::safe;
use crate::source::Sources;

pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let place = sources.place(&diagnostic.at);
    format!(
        "{}:{}:{}: {}[{}] {}\n",
        safe(&diagnostic.at.file),
        place.line,
        place.column,
        diagnostic.severity.word(),
        diagnostic.code.0,
        safe(&diagnostic.message),
    )
}
