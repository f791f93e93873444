//! What a semantic check has at hand: the envelope, the document as it was written, and where findings go.
//!
//! Never shows a finding about something that an earlier stage refused: one mistake gives one message.

use serde_json::Value;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer, Severity};
use crate::model::Meta;

/// The check of one document.
#[derive(Debug)]
pub(crate) struct Check<'a> {
    /// The envelope.
    pub(crate) meta: &'a Meta,
    /// The body as it was written, nulls included.
    pub(crate) raw: &'a Value,
    refused: Vec<Pointer>,
    found: Vec<(Pointer, Diagnostic)>,
    spare: Diagnostic,
}

impl<'a> Check<'a> {
    /// `refused`: places in the body that an earlier stage has reported and that the check cannot see.
    pub(super) fn new(meta: &'a Meta, raw: &'a Value, refused: &[Pointer]) -> Self {
        let at = meta.within(&Pointer::default());
        let spare = Diagnostic {
            code: Code(""),
            severity: Severity::Error,
            message: String::new(),
            at,
            related: Vec::new(),
            help: None,
        };
        Self {
            meta,
            raw,
            refused: refused.to_vec(),
            found: Vec::new(),
            spare,
        }
    }

    /// An error at a place in the body; help and related places can be added to it.
    pub(crate) fn error(
        &mut self,
        code: Code,
        at: &Pointer,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Error, code, at, message.into())
    }

    /// A warning at a place in the body; help and related places can be added to it.
    pub(crate) fn warn(
        &mut self,
        code: Code,
        at: &Pointer,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.add(Severity::Warning, code, at, message.into())
    }

    /// From now on nothing is said about this place: it has been refused.
    pub(super) fn refuse(&mut self, at: Pointer) {
        self.refused.push(at);
    }

    /// Hands over what was found.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) {
        for (_, diagnostic) in self.found {
            diagnostics.push(diagnostic);
        }
    }

    fn add(
        &mut self,
        severity: Severity,
        code: Code,
        at: &Pointer,
        message: String,
    ) -> &mut Diagnostic {
        let diagnostic = Diagnostic {
            code,
            severity,
            message,
            at: self.meta.within(at),
            related: Vec::new(),
            help: None,
        };
        let near = |refused: &Pointer| {
            refused.steps.starts_with(&at.steps) || at.steps.starts_with(&refused.steps)
        };
        if self.refused.iter().any(near) {
            self.spare = diagnostic;
            return &mut self.spare;
        }
        self.found.push((at.clone(), diagnostic));
        match self.found.last_mut() {
            Some((_, diagnostic)) => diagnostic,
            None => &mut self.spare,
        }
    }
}
