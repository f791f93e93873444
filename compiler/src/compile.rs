//! The whole compiler in one function, stage by stage.
//!
//! Never fails and never panics: any bytes give a bundle and findings. Whoever calls it must not publish a bundle that has
//! errors beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use mesh_bundle::{Bundle, Digest, FORMAT, Kri};

use crate::analysis::Analysis;
use crate::diag::{Code, Diagnostic, Diagnostics, Location, Severity};
use crate::envelope;
use crate::gateway;
use crate::kinds::Resource;
use crate::kinds::legacy::gateway_api::Gateways;
use crate::lower::{Lowered, Memory, Purpose};
use crate::model::{Compat, Settings};
use crate::provenance::Provenance;
use crate::reading::{Judged, Readings};
use crate::source::Sources;
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
    /// Of each Dataplane, computed ones included: by these a rollout chooses its cohorts.
    pub labels: Labels,
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

/// What is wrong with a repository.
#[derive(Debug)]
pub struct Checked {
    /// Sorted by place.
    pub diagnostics: Diagnostics,
    /// What was read: diagnostics are rendered with it.
    pub sources: Sources,
    /// What documents say: a process that ends after this need not take it apart.
    #[expect(dead_code, reason = "it is kept, not read")]
    readings: Readings,
}

/// What a repository means.
pub(crate) struct Judgement {
    pub(crate) checked: Checked,
    pub(crate) lowered: Lowered,
    /// What later stages saw of it.
    pub(crate) resources: Arc<Vec<Arc<Resource>>>,
}

/// Compiles a repository.
#[must_use]
pub fn compile(world: &dyn World, settings: &Settings) -> Compiled {
    let readings = Readings::of(world, settings, None);
    judge(&readings, settings, Purpose::Bundle, &mut Memory::default()).compiled()
}

/// Compiles a repository for the findings alone.
#[must_use]
pub fn check(world: &dyn World, settings: &Settings) -> Checked {
    let readings = Readings::of(world, settings, None);
    let checked = judge(
        &readings,
        settings,
        Purpose::Findings,
        &mut Memory::default(),
    )
    .checked;
    Checked {
        readings,
        ..checked
    }
}

/// Compiles a repository, and keeps what it was compiled from for questions.
#[must_use]
pub fn analyse(world: &dyn World, settings: &Settings) -> Analysis {
    let readings = Readings::of(world, settings, None);
    let mut memory = Memory::default();
    let judgement = judge(&readings, settings, Purpose::Bundle, &mut memory);
    Analysis::new(judgement, &memory, settings)
}

/// The labels of Dataplanes. A copy costs nothing, and most repositories never ask.
#[derive(Clone, Default)]
pub struct Labels(Arc<Vec<Arc<Resource>>>);

/// Nothing of what documents hold.
impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Labels").finish_non_exhaustive()
    }
}

impl Labels {
    /// Of each Dataplane.
    #[must_use]
    pub fn by_dataplane(&self) -> BTreeMap<Kri, BTreeMap<String, String>> {
        let dataplanes = self.0.iter().map(|resource| &resource.meta);
        let dataplanes = dataplanes.filter(|meta| meta.kri.kind() == "dp");
        let labels = dataplanes.map(|meta| (meta.kri.clone(), meta.labels.clone()));
        labels.collect()
    }
}

impl Judgement {
    pub(crate) fn compiled(self) -> Compiled {
        Compiled {
            labels: Labels(self.resources),
            bundle: self.lowered.content.seal(),
            diagnostics: self.checked.diagnostics,
            sources: self.checked.sources,
            secrets: self.lowered.secrets,
            provenance: self.lowered.provenance,
        }
    }
}

/// From what stands in each file to what all of it means. What is remembered was made under the same settings.
pub(crate) fn judge(
    readings: &Readings,
    settings: &Settings,
    purpose: Purpose,
    memory: &mut Memory,
) -> Judgement {
    let mut sources = readings.sources();
    let mut diagnostics = Diagnostics {
        list: readings.findings.clone(),
        ..Diagnostics::default()
    };
    let files = readings.files.iter().map(|(_, file)| file);
    for file in files.clone() {
        diagnostics.list.extend(file.findings.iter().cloned());
    }
    let documents: Vec<&Judged> = files.clone().flat_map(|file| &file.judged).collect();
    let mut sound: Vec<bool> = documents.iter().map(|document| document.sound).collect();
    // As they are written for Kuma, the labels of two documents may say the same.
    let ours = settings.compat == Compat::Off;
    let named = memory.names.are_clear(&readings.files);
    let found = diagnostics.list.len();
    if ours && !named {
        envelope::duplicates(&documents, &mut sound, &mut diagnostics);
    }
    let gateways = gateways(readings, &mut sources, &mut diagnostics);
    // A Mesh may stand in what could not be read.
    let whole = ours && !gateways && !files.clone().any(|file| file.unread);
    if whole && !named {
        envelope::meshes(&documents, &sound, &mut diagnostics);
    }
    let clear = whole && diagnostics.list.len() == found;
    memory.names.keep(&readings.files, clear);
    let mut resources = Vec::new();
    // What may be missing only because its document could not be read is not reported as missing.
    let mut complete = !diagnostics.has_errors();
    for (document, sound) in documents.iter().zip(&sound) {
        // What was read of a repository that is too large is not judged without the rest.
        if readings.cut || diagnostics.are_enough() {
            break;
        }
        diagnostics.list.extend(document.findings.iter().cloned());
        let resource = document.content.as_ref().ok();
        // What is written in an older form has been refused with its envelope.
        let usable = *sound && (!ours || !document.legacy);
        let resource = resource.filter(|_| usable);
        complete &= resource.is_some();
        resources.extend(resource.map(Arc::clone));
    }
    let resources = Arc::new(resources);
    let mut between = Diagnostics::default();
    let asked = (settings, purpose);
    let lowered = memory.lower(&resources, &sources, asked, &mut between);
    let routes = files.clone().flat_map(|file| &file.gateways);
    between.list.extend(gateway::ungranted(routes));
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
    if !ours {
        diagnostics.forgive();
    }
    diagnostics.sort(&sources);
    Judgement {
        checked: Checked {
            diagnostics,
            sources,
            readings: Readings::default(),
        },
        lowered,
        resources,
    }
}

/// Says which documents of the Gateway API were meant for the mesh, and whether there are any.
fn gateways(readings: &Readings, sources: &mut Sources, diagnostics: &mut Diagnostics) -> bool {
    let documents = readings.files.iter().flat_map(|(_, file)| &file.gateways);
    let mut known = Gateways::default();
    for (_, root) in documents.clone() {
        known.note(root);
    }
    let mut found = false;
    for (at, root) in documents {
        if let Some((message, help)) = known.replacement(root) {
            let mut at = at.clone();
            at.pointer = at.pointer.field("kind");
            let finding = Diagnostic::new(Code::LEGACY, at, message);
            diagnostics.push(finding).help(help);
            sources.claim();
            found = true;
        }
    }
    found
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
