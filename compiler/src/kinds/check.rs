//! What a semantic check has at hand: the envelope, the document as it was written, and where findings go.
//!
//! Never shows a finding about something that an earlier stage refused: one mistake gives one message.

use serde_json::Value;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer, Severity, Step};
use crate::model::Meta;

use super::grammar;

/// The check of one document. Places are relative to its body.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    /// The envelope.
    pub(crate) meta: &'a Meta,
    /// The body as it was written, nulls included.
    pub(crate) raw: &'a Value,
    refused: Vec<Pointer>,
    found: Diagnostics,
    /// Where findings go that nobody is told.
    unheard: Diagnostics,
}

impl<'a> Check<'a> {
    /// `refused`: places in the body that an earlier stage has reported and that the check cannot see.
    pub(super) fn new(meta: &'a Meta, raw: &'a Value, refused: Vec<Pointer>) -> Self {
        Self {
            meta,
            raw,
            refused,
            found: Diagnostics::default(),
            unheard: Diagnostics::default(),
        }
    }

    /// An error; help and related places can be added to it.
    pub(crate) fn error(
        &mut self,
        code: Code,
        at: &Pointer,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, at, message.into())
    }

    /// A warning; help and related places can be added to it.
    pub(crate) fn warn(
        &mut self,
        code: Code,
        at: &Pointer,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, at, message.into())
    }

    /// The value is not allowed there.
    pub(crate) fn invalid(&mut self, at: &Pointer, message: impl Into<String>) -> &mut Diagnostic {
        self.error(Code::INVALID_VALUE, at, message)
    }

    /// The field that `at` leads to is not set.
    pub(crate) fn missing(&mut self, at: &Pointer) -> &mut Diagnostic {
        let name = match at.steps.last() {
            Some(Step::Field(name) | Step::Again(name)) => name.as_str(),
            Some(Step::Index(_) | Step::Comment(_)) | None => "spec",
        };
        let message = format!("`{name}` must be set");
        self.error(Code::MISSING_FIELD, at, message)
    }

    /// What is there is understood and checked, but does nothing in this version.
    pub(crate) fn not_implemented(&mut self, at: &Pointer, what: &str) -> &mut Diagnostic {
        self.warn(
            Code::NOT_IMPLEMENTED,
            at,
            format!("{what}: it has no effect in this version"),
        )
    }

    /// The text, where the field is set to one that is not empty.
    pub(crate) fn required<'t>(
        &mut self,
        text: Option<&'t String>,
        at: &Pointer,
    ) -> Option<&'t str> {
        match text {
            Some(text) if !text.is_empty() => Some(text),
            _ => {
                self.missing(at);
                None
            }
        }
    }

    /// A port that must be there.
    pub(crate) fn required_port(&mut self, port: Option<u32>, at: &Pointer) {
        match port {
            Some(_) => self.port(port, at),
            None => {
                self.missing(at).help("a port is a number from 1 to 65535");
            }
        }
    }

    /// A port that may be there.
    pub(crate) fn port(&mut self, port: Option<u32>, at: &Pointer) {
        if let Some(port) = port.filter(|port| !grammar::is_port(*port)) {
            self.invalid(
                at,
                format!("`{port}` is not a port: it must be in the range 1 to 65535"),
            );
        }
    }

    /// How many errors there are by now.
    pub(crate) fn errors(&self) -> usize {
        let severities = self.found.list.iter().map(|found| found.severity);
        severities
            .filter(|severity| *severity == Severity::Error)
            .count()
    }

    /// From now on nothing is said about this place: it has been refused.
    pub(super) fn refuse(&mut self, at: Pointer) {
        self.refused.push(at);
    }

    /// Hands over what was found.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) {
        diagnostics.list.extend(self.found.list);
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        at: &Pointer,
        message: String,
    ) -> &mut Diagnostic {
        let heard = !self.refused.iter().any(|refused| near(refused, at));
        let into = if heard {
            &mut self.found
        } else {
            &mut self.unheard
        };
        into.push(Diagnostic {
            severity,
            ..Diagnostic::new(code, self.meta.within(at), message)
        })
    }
}

/// Whether one place holds the other. Some findings are about a place beside `default` that stands below it (quirk Q-01).
fn near(one: &Pointer, other: &Pointer) -> bool {
    let steps = |at: &'_ Pointer| -> Vec<Step> {
        let steps = at.steps.iter();
        let named = steps.filter(|step| !matches!(step, Step::Field(name) if name == "default"));
        named.cloned().collect()
    };
    let (one, other) = (steps(one), steps(other));
    one.starts_with(&other) || other.starts_with(&one)
}
