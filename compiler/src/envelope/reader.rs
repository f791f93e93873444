//! Reads fields of one envelope, and reports what is not as it should be.
//!
//! Never converts: a name that is written as a number is not a name.

use crate::diag::{Change, Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::kinds::legacy;
use crate::model::Settings;
use crate::similar;
use crate::source::{Node, NodeKind};

/// One document and where its findings go.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) root: &'a Node,
    pub(super) at: Location,
    pub(super) settings: &'a Settings,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        root: &'a Node,
        at: Location,
        settings: &'a Settings,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        Self {
            root,
            at,
            settings,
            diagnostics,
        }
    }

    /// A finding about a value.
    pub(super) fn error(
        &mut self,
        code: Code,
        pointer: &Pointer,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let at = Location {
            pointer: pointer.clone(),
            ..self.at.clone()
        };
        self.diagnostics.push(Diagnostic::new(code, at, message))
    }

    /// A finding about a key.
    pub(super) fn error_key(
        &mut self,
        code: Code,
        pointer: &Pointer,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let finding = self.error(code, pointer, message);
        finding.at.key = true;
        finding
    }

    /// Findings about forms of older versions.
    pub(super) fn legacy(&mut self, forms: &legacy::Forms) {
        forms.report(&self.at, self.diagnostics);
    }

    /// The string at a place. Nothing there is nothing; something else is reported.
    pub(super) fn string(&mut self, pointer: &Pointer) -> Option<&'a str> {
        let node = self.present(pointer)?;
        if let NodeKind::Text(text, _) = &node.kind {
            return Some(text);
        }
        let name = pointer.dotted();
        let message = format!("`{name}` must be a string, found {}", node.noun());
        let finding = self.error(Code::WRONG_TYPE, pointer, message);
        if let Some(quoted) = quoted(node) {
            finding
                .help(format!("put it into quotes: `{quoted}`"))
                .safe_fix("put it into quotes", |at| vec![Change::Quote(at.clone())]);
        }
        None
    }

    /// The mapping at a place. Nothing there is nothing; something else is reported.
    pub(super) fn mapping(&mut self, pointer: &Pointer) -> Option<&'a Node> {
        let node = self.present(pointer)?;
        if let NodeKind::Mapping(..) = node.kind {
            return Some(node);
        }
        let name = pointer.dotted();
        let message = format!("`{name}` must be a mapping, found {}", node.noun());
        self.error(Code::WRONG_TYPE, pointer, message);
        None
    }

    /// What stands at a place; a null counts as absent.
    pub(super) fn present(&self, pointer: &Pointer) -> Option<&'a Node> {
        let node = self.root.find(pointer)?;
        (node.kind != NodeKind::Null).then_some(node)
    }

    /// Reports the keys of a mapping that are none of `known`.
    pub(super) fn only(&mut self, pointer: &Pointer, known: &[&str]) {
        let Some(node) = self.root.find(pointer) else {
            return;
        };
        for entry in node.entries() {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let place = match pointer.steps.is_empty() {
                true => "this document".to_owned(),
                false => format!("`{}`", pointer.dotted()),
            };
            let finding = self.error_key(
                Code::UNKNOWN_FIELD,
                &pointer.field(key),
                format!("there is no field `{key}` in {place}"),
            );
            let help = match similar::nearest(key, known.iter().copied()) {
                Some(near) => {
                    if node.entry(near).is_none() {
                        finding.unsafe_fix("rename it", |at| {
                            vec![Change::Rename(at.clone(), near.to_owned())]
                        });
                    }
                    format!("did you mean `{near}`?")
                }
                None => format!(
                    "the fields are {}",
                    similar::listed(known.iter().copied(), "and")
                ),
            };
            finding.help(similar::with_stranger(help, key));
        }
    }

    /// The time of creation, for ties. As text it sorts by time where all are in UTC.
    pub(super) fn created(&mut self, pointer: &Pointer) -> Option<String> {
        let text = self.string(pointer)?;
        let shape = "0000-00-00T00:00:00";
        let whole = text.strip_suffix('Z').filter(|rest| {
            let same = |(found, shape): (u8, u8)| match shape {
                b'0' => found.is_ascii_digit(),
                shape => found == shape,
            };
            rest.len() >= shape.len() && rest.bytes().zip(shape.bytes()).all(same)
        });
        if whole.is_none() {
            self.error(
                Code::INVALID_VALUE,
                pointer,
                format!("`{text}` is not a time in UTC"),
            )
            .help("write it as `2026-11-24T10:00:00Z`, or remove it");
        }
        whole.map(str::to_owned)
    }
}

/// A scalar as the string that was probably meant.
pub(crate) fn quoted(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Bool(value) => Some(format!("\"{value}\"")),
        NodeKind::Number(number) => Some(format!("\"{number}\"")),
        _ => None,
    }
}
