//! What would mend a finding: changes to one document, by the places that they are about.
//!
//! Never holds a byte range: like the place of a finding, what a change does to the text is looked up in the sources.

use serde_json::Value;

use super::{Code, CodeInfo, Diagnostic, NewDocument, Pointer};

/// Codes of which some finding can be mended, sorted.
const FIXABLE: [Code; 11] = [
    Code::HEADER_CASE,
    Code::LEGACY,
    Code::MISSING_FIELD,
    Code::NO_EFFECT,
    Code::PREFIX_BOUNDARY,
    Code::READ_ONLY_FIELD,
    Code::UNKNOWN_FIELD,
    Code::UNQUOTED_FRACTION,
    Code::UNUSED_SUPPRESSION,
    Code::VIP_COLLISION,
    Code::WRONG_TYPE,
];

/// Changes to the document of a finding after which it is not found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, in a few words: `put it into quotes`.
    pub description: String,
    /// The document means the same afterwards, or what it was surely meant to mean.
    pub safe: bool,
    /// All of them, or none. Places are from the root of the document.
    pub changes: Vec<Change>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The entry of a mapping is taken out.
    Remove(Pointer),
    /// The key of an entry becomes another.
    Rename(Pointer, String),
    /// A value becomes another.
    Replace(Pointer, Value),
    /// A scalar becomes the text that it is written as.
    Quote(Pointer),
    /// A mapping gets one entry more, as its last; labels stand behind the name.
    Insert(Pointer, String, Value),
    /// The file gets one document more, as its last, unless the repository has it.
    Append(NewDocument),
    /// The comment of this number becomes another, or none.
    Comment(usize, Option<String>),
}

impl CodeInfo {
    /// Is there anything that `meshc check --fix` can do about some findings of this code?
    #[must_use]
    pub fn is_fixable(&self) -> bool {
        FIXABLE.contains(&self.code)
    }
}

impl Diagnostic {
    /// Offers a fix after which the document means the same. The changes are made of the place of the finding.
    pub(crate) fn safe_fix(
        &mut self,
        description: &str,
        changes: impl FnOnce(&Pointer) -> Vec<Change>,
    ) -> &mut Self {
        self.offer(description, true, changes)
    }

    /// Offers a fix that somebody should look at.
    pub(crate) fn unsafe_fix(
        &mut self,
        description: &str,
        changes: impl FnOnce(&Pointer) -> Vec<Change>,
    ) -> &mut Self {
        self.offer(description, false, changes)
    }

    fn offer(
        &mut self,
        description: &str,
        safe: bool,
        changes: impl FnOnce(&Pointer) -> Vec<Change>,
    ) -> &mut Self {
        self.fix = Some(Fix {
            description: description.to_owned(),
            safe,
            changes: changes(&self.at.pointer),
        });
        self
    }
}
