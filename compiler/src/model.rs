//! What the front half of the compiler hands to the back half: named, labelled, typed documents.
//!
//! Holds no text and no span: places are [`Location`]s.

use std::collections::BTreeMap;

use mesh_bundle::Kri;

use crate::diag::{Location, Pointer};

/// The inputs that are not files (language 1). Part of what a bundle is a function of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the local zone.
    pub zone: String,
    /// Whether the repository speaks for one zone or for many.
    pub mode: Mode,
    /// Kubernetes namespace whose policies have the role `system`.
    pub system_namespace: String,
    /// Inject the four default policies per Mesh (language 4.13).
    pub default_policies: bool,
    /// The documents are not a whole repository: what would need the rest of it is a warning.
    pub partial: bool,
    /// Let shadow policies count, to see what they would change (language 4.12). What is compiled so is never published.
    pub with_shadow: bool,
    /// When it is, in seconds since 1970: for what expires. Findings may depend on it, a bundle never does.
    pub now: Option<i64>,
    /// Which of these somebody has said; the others are assumed.
    pub given: Given,
    /// Whose rules hold where this language and Kuma's differ.
    pub compat: Compat,
}

/// Settings that somebody has said. Where a document is judged on its own, one that contradicts what is only assumed may be
/// right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Given {
    /// [`Settings::zone`].
    pub zone: bool,
    /// [`Settings::system_namespace`].
    pub system_namespace: bool,
}

impl Settings {
    /// Is it certain for which zone the documents are?
    pub(crate) fn knows_zone(&self) -> bool {
        self.given.zone || !self.partial
    }

    /// Is it certain which namespace is the system's?
    pub(crate) fn knows_system_namespace(&self) -> bool {
        self.given.system_namespace || !self.partial
    }
}

/// Whose rules hold where this language and Kuma's differ (language 10). Only `meshc inspect --as kuma` asks for Kuma's:
/// what is checked, built and published never depends on this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compat {
    /// This language's.
    #[default]
    Off,
    /// Kuma's. Documents are read as Kuma reads them: labels count as they are written, what is not understood is passed
    /// over, no finding is an error, and defaults are filled in before anything merges. Of the quirks, Q-06, Q-07, Q-09, Q-10
    /// and Q-27 hold. Q-24 needs nothing: the older one wins here too, and only equal ages are told apart by KRI.
    Kuma,
}

/// Whether the repository speaks for one zone or for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every resource is of the local zone.
    Zone,
    /// Resources without a zone label are of global origin.
    Global,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: "default".to_owned(),
            mode: Mode::Zone,
            system_namespace: "kuma-system".to_owned(),
            default_policies: true,
            partial: false,
            with_shadow: false,
            now: None,
            given: Given::default(),
            compat: Compat::Off,
        }
    }
}

/// How a document was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `type`, `mesh`, `name` at top level (language 2.2).
    Universal,
    /// `apiVersion`, `kind`, `metadata` (language 2.3).
    Kubernetes,
}

/// What the envelope of a document says, with computed labels (language 2.2 to 2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Kind, mesh, zone, namespace and display name.
    pub kri: Kri,
    /// How the document was written.
    pub format: Format,
    /// Computed labels included.
    pub labels: BTreeMap<String, String>,
    /// `creationTime` where the document has one: older wins ties (language 2.6).
    pub created: Option<String>,
    /// The document.
    pub at: Location,
    /// Where in the document its body is: `/spec`, or the root for flat kinds in universal format.
    pub body: Pointer,
    /// Made by the compiler (a default policy, a generated service), not found in a file.
    pub virtual_document: bool,
}

impl Meta {
    /// A place inside the body of the document, from a pointer relative to the body.
    #[must_use]
    pub fn within(&self, relative: &Pointer) -> Location {
        let mut pointer = self.body.clone();
        pointer.steps.extend(relative.steps.iter().cloned());
        Location {
            pointer,
            ..self.at.clone()
        }
    }
}
