//! What came of tests, for people and for the machines that collect it.
//!
//! Never leaves a test out: one that passed is a line too.

mod human;
mod json;
mod junit;
mod tap;

use crate::diag::Paths;

use super::Report;

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// A report of tests in XML.
    Junit,
    /// The Test Anything Protocol, version 14.
    Tap,
}

/// The report. `paths` says what files are called.
#[must_use]
pub fn render(form: Form, report: &Report, paths: &Paths) -> String {
    match form {
        Form::Human => human::render(report, paths),
        Form::Json => json::render(report, paths),
        Form::Junit => junit::render(report, paths),
        Form::Tap => tap::render(report, paths),
    }
}
