//! From documents to everything that is published, and what is kept of it for the next time.
//!
//! Never keeps anything without what it was made of: whatever is not the same any more is made anew. A compilation that
//! remembers nothing is one of a repository in which everything is new.

mod names;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use mesh_bundle::{Bundle, BundledProxy, Digest, Issuer, Kri, Resource};

use crate::compile::Secrets;
use crate::diag::Diagnostics;
use crate::kinds::{self, Spec};
use crate::lints::{Compared, Found};
use crate::model::Settings;
use crate::provenance::Provenance;
use crate::repository::{Documents, Global, Lines, MeshView};
use crate::source::Sources;

use super::{Given, external, proxies};
pub(crate) use names::Names;

/// What comes out.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) content: Content,
    pub(crate) secrets: Secrets,
    /// What effective values overrode.
    pub(crate) provenance: Provenance,
}

/// What it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// All of it.
    Bundle,
    /// The content is thrown away: what no finding is about is not kept.
    Findings,
}

/// A bundle before it is sealed.
#[derive(Debug, Default)]
pub(crate) struct Content {
    issuers: BTreeMap<Kri, Issuer>,
    proxies: BTreeMap<Kri, (Digest, Arc<BundledProxy>)>,
    resources: BTreeMap<Digest, Arc<Resource>>,
}

/// What was made of a repository the last time, under the same settings.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) names: Names,
    documents: Documents,
    /// Those of no mesh, in the order of their KRIs.
    global: Vec<Arc<kinds::Resource>>,
    meshes: BTreeMap<String, Mesh>,
    /// What manifests name, and how often.
    resources: BTreeMap<Digest, (usize, Arc<Resource>)>,
}

/// One mesh.
#[derive(Debug, Default)]
struct Mesh {
    /// Shared with whoever asks questions of the last bundle.
    view: Arc<MeshView>,
    /// In the order of its Dataplanes.
    given: Vec<Arc<Given>>,
    found: Found,
}

impl Memory {
    /// The meshes that the last bundle was made of, by name.
    pub(crate) fn views(&self) -> impl Iterator<Item = &Arc<MeshView>> + Clone {
        self.meshes.values().map(|mesh| &mesh.view)
    }

    /// Makes the bundle of the resources of a repository, and says what is wrong between them.
    pub(crate) fn lower(
        &mut self,
        resources: &Arc<Vec<Arc<kinds::Resource>>>,
        sources: &Sources,
        (settings, purpose): (&Settings, Purpose),
        diagnostics: &mut Diagnostics,
    ) -> Lowered {
        let lines = Lines { sources };
        let mut changes = self.documents.update(resources, settings);
        if let Some(changes) = changes.remove("") {
            changes.apply(&mut self.global);
        }
        for name in changes.keys() {
            self.meshes.entry(name.clone()).or_default();
        }
        let global = Global::of(&self.global);
        let around = global.around(lines, settings);
        for (name, mesh) in &mut self.meshes {
            let changes = changes.remove(name).unwrap_or_default();
            let stale = Arc::make_mut(&mut mesh.view).update(&changes, around);
            let before = std::mem::take(&mut mesh.given);
            mesh.given = proxies(&mesh.view, lines, purpose, (before.clone(), &stale));
            count(&mut self.resources, &before, &mesh.given);
            let compared = Compared {
                mesh: &mesh.view,
                given: &mesh.given,
                settings,
            };
            mesh.found.update(compared, &changes, &stale);
        }
        self.meshes
            .retain(|_, mesh| !mesh.view.documents.is_empty());
        for view in self.views() {
            diagnostics.list.extend(view.findings().cloned());
        }
        global.judge(&self.views().map(Arc::as_ref), diagnostics);
        let mut lowered = Lowered::default();
        for mesh in self.meshes.values() {
            mesh.tell(lines, settings, &mut lowered, diagnostics);
        }
        let resources = self.resources.iter();
        let resources = resources.map(|(digest, (_, resource))| (*digest, Arc::clone(resource)));
        lowered.content.resources = match purpose {
            Purpose::Bundle => resources.collect(),
            Purpose::Findings => BTreeMap::new(),
        };
        lowered
    }
}

/// Adds what proxies hold now, and takes away what nobody holds any more.
fn count(
    resources: &mut BTreeMap<Digest, (usize, Arc<Resource>)>,
    before: &[Arc<Given>],
    after: &[Arc<Given>],
) {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    loop {
        match (before.peek(), after.peek()) {
            (None, None) => break,
            (Some(old), Some(given)) if Arc::ptr_eq(old, given) => {
                before.next();
                after.next();
            }
            (Some(old), Some(given)) if old.dataplane.meta.kri > given.dataplane.meta.kri => {
                new.extend(after.next());
            }
            (Some(_), _) => gone.extend(before.next()),
            (None, Some(_)) => new.extend(after.next()),
        }
    }
    for (digest, resource) in new.iter().flat_map(|given| given.resources()) {
        let (count, _) = resources
            .entry(digest)
            .or_insert_with(|| (0, Arc::clone(resource)));
        *count += 1;
    }
    for (digest, _) in gone.iter().flat_map(|given| given.resources()) {
        if let Entry::Occupied(mut entry) = resources.entry(digest) {
            entry.get_mut().0 -= 1;
            if entry.get().0 == 0 {
                entry.remove();
            }
        }
    }
}

impl Mesh {
    /// Says what is in it, and what is wrong with that.
    fn tell(
        &self,
        lines: Lines<'_>,
        settings: &Settings,
        lowered: &mut Lowered,
        diagnostics: &mut Diagnostics,
    ) {
        lowered.secrets.documents.extend(self.view.secrets());
        for identity in &self.view.identities {
            if let Some(issuer) = identity.issuer(lines, &mut lowered.secrets.inline) {
                let kri = identity.meta.kri.clone();
                lowered.content.issuers.insert(kri, issuer);
            }
        }
        for resource in self.view.of_kind("extsvc") {
            if let Spec::MeshExternalService(spec) = &resource.spec {
                let values = external::inlined(spec);
                let kri = &resource.meta.kri;
                let values = values.map(|(pointer, value)| ((kri.clone(), pointer), value));
                lowered.secrets.inline.extend(values);
            }
        }
        for given in &self.given {
            diagnostics.list.extend(given.findings.list.iter().cloned());
        }
        // Each mesh comes in its order, which is the cheap way to fill a map.
        let kri = |given: &Arc<Given>| given.dataplane.meta.kri.clone();
        let notes = self.given.iter();
        let notes = notes.map(|given| (kri(given), Arc::clone(&given.notes)));
        lowered.provenance.notes.append(&mut notes.collect());
        let proxies = self.given.iter().filter_map(|given| {
            let share = given.share.as_ref()?;
            Some((kri(given), (share.digest, Arc::clone(&share.proxy))))
        });
        lowered.content.proxies.append(&mut proxies.collect());
        let compared = Compared {
            mesh: &self.view,
            given: &self.given,
            settings,
        };
        self.found.tell(compared, diagnostics);
    }
}

impl Content {
    pub(crate) fn seal(self) -> Bundle {
        // Sealing fails for values that are no JSON only, which none of these is; a bundle of nothing is then the safe one.
        Bundle::seal(self.issuers, self.proxies, self.resources)
            .unwrap_or_else(|_| crate::compile::empty())
    }
}
