//! The whole compiler in one function, stage by stage.
//!
//! Never fails and never panics: any bytes give a bundle and findings. Whoever calls it must not publish a bundle that has
//! errors beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use mesh_bundle::{Bundle, Digest, FORMAT, Kri};

use crate::analysis::Analysis;
use crate::diag::{Diagnostic, Diagnostics, Location, Severity};
use crate::envelope::{self, Draft};
use crate::kinds;
use crate::lower::lower;
use crate::model::{Compat, Settings};
use crate::provenance::Provenance;
use crate::schema;
use crate::source::{Identity, Sources};
use crate::suppress;
use crate::world::World;

/// What comes out.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// Not to be published when there are errors.
    pub bundle: Bundle,
    /// Sorted by place.
    pub diagnostics: Diagnostics,
    /// What was read: diagnostics are rendered with it.
    pub sources: Sources,
    /// What stands in documents and must not stand in a bundle.
    pub secrets: Secrets,
    /// What effective values overrode: for `meshc inspect`.
    pub provenance: Provenance,
}

/// Values that documents hold inline, for meshd alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// By issuer and JSON pointer.
    pub inline: BTreeMap<(Kri, String), String>,
    /// Of `Secret` documents, by mesh and name, in base64.
    pub documents: BTreeMap<(String, String), String>,
}

/// Says where values are, never what they are.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("inline", &self.inline.keys())
            .field("documents", &self.documents.keys())
            .finish()
    }
}

/// Compiles a repository.
#[must_use]
pub fn compile(world: &dyn World, settings: &Settings) -> Compiled {
    analyse(world, settings).compiled
}

/// Compiles a repository, and keeps what it was compiled from for questions.
#[must_use]
pub fn analyse(world: &dyn World, settings: &Settings) -> Analysis {
    let mut diagnostics = Diagnostics::default();
    let mut sources = Sources::load(world, &mut diagnostics);
    if settings.compat == Compat::Kuma {
        sources.forgive();
    }
    let envelopes = envelope::read(&sources, settings, &mut diagnostics);
    for at in &envelopes.foreign {
        sources.identify(at, Identity::Foreign);
    }
    let mut resources = Vec::new();
    // What may be missing only because its document could not be read is not reported as missing.
    let mut complete = !diagnostics.has_errors();
    for draft in envelopes.drafts {
        // What was read of a repository that is too large is not judged without the rest.
        if sources.cut || diagnostics.are_enough() {
            break;
        }
        let kri = draft.meta.kri.clone();
        sources.identify(&draft.meta.at, Identity::Resource(kri));
        let forms = kinds::legacy::of(&draft, &sources);
        forms.report(&draft.meta.at, &mut diagnostics);
        let told = diagnostics.list.len();
        let refused = schema::check(&draft, &sources, &mut diagnostics);
        let Draft {
            kind,
            meta,
            body,
            sound,
            bodiless: _,
        } = draft;
        let body_at = meta.body.clone();
        let mut found = Diagnostics::default();
        let resource = kinds::read(kind, meta, &body, &refused.values, &mut found);
        let new = found.list.into_iter();
        diagnostics
            .list
            .extend(new.filter(|finding| !refused.explains(finding, &body_at)));
        forms.silence(&mut diagnostics, told);
        // What this version does not act on has been refused with its envelope.
        let resource = match settings.compat {
            Compat::Off => resource.filter(|_| sound && kind.has_effect && forms.is_empty()),
            Compat::Kuma => resource.filter(|_| sound).map(|it| kinds::filled(kind, it)),
        };
        complete &= resource.is_some();
        resources.extend(resource);
    }
    let mut between = Diagnostics::default();
    let lowered = lower(&resources, &sources, settings, &mut between);
    // Nor is anything said of a place that has been refused: one mistake, one finding.
    let refused = diagnostics.list.iter();
    let refused = refused.filter(|finding| finding.severity == Severity::Error);
    let refused: BTreeSet<Location> = refused.map(|finding| finding.at.clone()).collect();
    let told = |finding: &Diagnostic| {
        (complete || !finding.code.needs_repository()) && !refused.contains(&finding.at)
    };
    diagnostics
        .list
        .extend(between.list.into_iter().filter(told));
    if settings.partial {
        diagnostics.judge_alone();
    }
    suppress::apply(&sources, settings.partial, &mut diagnostics);
    if settings.compat == Compat::Kuma {
        diagnostics.forgive();
    }
    diagnostics.sort(&sources);
    let compiled = Compiled {
        bundle: lowered.bundle,
        diagnostics,
        sources,
        secrets: lowered.secrets,
        provenance: lowered.provenance,
    };
    Analysis::new(compiled, resources, settings)
}

/// A bundle of nothing.
pub(crate) fn empty() -> Bundle {
    Bundle::seal(BTreeMap::new(), BTreeMap::new(), BTreeMap::new()).unwrap_or_else(|_| Bundle {
        format: FORMAT,
        revision: None,
        digest: Digest::of(&[]),
        issuers: BTreeMap::new(),
        proxies: BTreeMap::new(),
        resources: BTreeMap::new(),
    })
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
