//! The resources of a repository by mesh, with what the language adds to them: default policies, generated services,
//! hostnames and virtual IPs.
//!
//! Never depends on the order of files: everything is in the order of KRIs. Never depends on what a mesh held before:
//! whatever is taken over from then is what would be made of the same documents now.

mod documents;
mod exchange;
mod frame;
mod members;
mod moved;
mod part;
mod policies;
mod stale;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use mesh_bundle::{Kri, Origin};

use crate::diag::{Code, Diagnostic, Diagnostics, Location};
use crate::hostname::{self, Generator};
use crate::index::Carriers;
use crate::kinds::{Resource, Spec};
use crate::lookup::Lookup;
use crate::lower::load_balancing::compared;
use crate::lower::retry;
use crate::model::{Meta, Settings};
use crate::policy::Source;
use crate::service::{Instance, Service};
use crate::source::Sources;

pub(crate) use documents::{Changes, Documents};
pub(crate) use frame::Frame;
pub(crate) use part::Part;
pub(crate) use policies::Policies;
pub(crate) use stale::Stale;

/// Turns places into origins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lines<'a> {
    pub(crate) sources: &'a Sources,
}

/// Everything of one mesh.
#[derive(Debug, Clone, Default)]
pub(crate) struct MeshView {
    /// In the order of their KRIs, default policies included.
    pub(crate) documents: Vec<Arc<Resource>>,
    /// The Dataplanes among them.
    pub(crate) dataplanes: Vec<Arc<Resource>>,
    /// What is the same for all proxies.
    frame: Arc<Frame>,
    /// What was wrong while that was made.
    findings: Vec<Diagnostic>,
    pub(crate) policies: Policies,
    /// The proxies behind each service, as indices of `dataplanes`.
    members: Lookup<Kri, Vec<usize>>,
    /// The services that each proxy is behind, as indices of `services`.
    serving: Vec<Vec<usize>>,
    labelled: Carriers,
    /// The labels that clients compare with those of their servers.
    pub(crate) compared: BTreeSet<String>,
    /// What services were named by.
    generators: Vec<Generator>,
}

/// What a mesh is looked at with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) lines: Lines<'a>,
    pub(crate) settings: &'a Settings,
    generators: &'a [Generator],
    closed: &'a BTreeSet<String>,
}

/// What is of no mesh and concerns all of them.
#[derive(Debug)]
pub(crate) struct Global {
    generators: Vec<Generator>,
    /// The zones whose proxies serve nobody, with the documents that say so.
    closed: BTreeMap<String, Location>,
    zones: BTreeSet<String>,
}

impl Lines<'_> {
    /// A document as a whole.
    pub(crate) fn document(self, meta: &Meta) -> Origin {
        self.origin(&meta.kri, meta.virtual_document, &meta.at)
    }

    /// A place in a document.
    pub(crate) fn within(self, meta: &Meta, at: &Location) -> Origin {
        self.origin(&meta.kri, meta.virtual_document, at)
    }

    /// What set a value.
    pub(crate) fn source(self, source: &Source) -> Origin {
        self.origin(&source.resource, source.virtual_document, &source.at)
    }

    fn origin(self, resource: &Kri, virtual_document: bool, at: &Location) -> Origin {
        Origin {
            resource: resource.clone(),
            file: at.file.clone(),
            line: match virtual_document {
                true => 0,
                false => self.sources.line(at),
            },
        }
    }
}

impl Global {
    /// Of the documents that are of no mesh.
    pub(crate) fn of(documents: &[Arc<Resource>]) -> Self {
        let generators = documents
            .iter()
            .filter_map(|resource| match &resource.spec {
                Spec::HostnameGenerator(spec) => Some((&*resource.meta, &**spec)),
                _ => None,
            });
        let mut closed = BTreeMap::new();
        for resource in documents {
            let Meta { kri, at, .. } = &*resource.meta;
            if matches!(&resource.spec, Spec::Zone(zone) if zone.enabled == Some(false)) {
                closed.entry(kri.name().to_owned()).or_insert(at.clone());
            }
        }
        Self {
            generators: hostname::generators(generators),
            zones: closed.keys().cloned().collect(),
            closed,
        }
    }

    pub(crate) fn around<'a>(&'a self, lines: Lines<'a>, settings: &'a Settings) -> Around<'a> {
        Around {
            lines,
            settings,
            generators: &self.generators,
            closed: &self.zones,
        }
    }

    /// Says what in it concerns nothing.
    pub(crate) fn judge<'a>(
        &self,
        views: &(impl Iterator<Item = &'a MeshView> + Clone),
        diagnostics: &mut Diagnostics,
    ) {
        hostname::idle(
            &self.generators,
            |kind, labels| views.clone().any(|view| view.has_service(kind, labels)),
            diagnostics,
        );
        for (zone, at) in &self.closed {
            let inside = |view: &MeshView| {
                let mut instances = view.instances();
                instances.any(|instance| instance.meta.kri.zone() == *zone)
            };
            if !views.clone().any(inside) {
                let message =
                    format!("no Dataplane is of the zone `{zone}`, so nothing is withdrawn");
                let mut diagnostic = Diagnostic::new(Code::SELECTS_NOTHING, at.clone(), message);
                diagnostic.help("the zone of a Dataplane is its label `kuma.io/zone`, or the zone of the repository");
                diagnostics.push(diagnostic);
            }
        }
    }
}

impl MeshView {
    /// Brings it up to date, and says for whom something is another than before. Of a view of nothing, in which everything
    /// is new, this makes the view of a mesh.
    pub(crate) fn update(&mut self, changes: &Changes, around: Around<'_>) -> Stale {
        changes.apply(&mut self.documents);
        let mut stale = Stale::default();
        let mut before = None;
        let proxies = changes.touch("dp");
        if self.is_another_frame(changes, around) || proxies && !self.exchange(changes) {
            stale.findings = true;
            stale.roster = true;
            before = self.reframe(around);
            stale.all = matches!(before, Some((_, None)));
        } else if proxies {
            stale.roster = !exchange::listen_alike(changes);
        }
        let before = before.as_ref().map(|(frame, moved)| (&**frame, moved));
        let frame = (&*self.frame, before.map(|(frame, _)| frame));
        self.policies
            .update(&self.documents, frame, changes, around.settings);
        let near = self.policies.load_balancing.confs().flat_map(compared);
        let passed_over = self.policies.retry.confs().flat_map(retry::compared);
        let compared: BTreeSet<String> = near.chain(passed_over).map(str::to_owned).collect();
        // What it makes of a proxy is looked at with each permission.
        stale.findings |= changes.touch("mtls");
        if self.compared != compared {
            stale.all = true;
            self.compared = compared;
        }
        let compat = around.settings.compat;
        stale.select(self, changes, compat);
        if let Some((before, Some(moved))) = before {
            stale.follow(self, before, moved, compat);
        }
        stale
    }

    /// What is wrong with the mesh as a whole, and with what policies refer to.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        let tables = self.policies.all().into_iter();
        let tables = tables.flat_map(|table| &table.findings);
        self.findings.iter().chain(tables)
    }

    /// What its `Secret` documents hold, by mesh and name.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = ((String, String), String)> {
        self.of_kind("secret").iter().filter_map(|resource| {
            let Spec::Secret(secret) = &resource.spec else {
                return None;
            };
            let kri = &resource.meta.kri;
            Some((
                (kri.mesh().to_owned(), kri.name().to_owned()),
                secret.data.clone()?,
            ))
        })
    }

    /// The documents of a kind, by its short name.
    pub(crate) fn of_kind(&self, short: &str) -> &[Arc<Resource>] {
        documents::of_kind(&self.documents, short)
    }

    /// The documents of a name: one, but for what was written for Kuma.
    pub(crate) fn named(&self, kri: &Kri) -> &[Arc<Resource>] {
        let documents = self.of_kind(kri.kind());
        let start = documents.partition_point(|document| document.meta.kri < *kri);
        let rest = documents.get(start..).unwrap_or_default();
        let length = rest.partition_point(|document| document.meta.kri == *kri);
        rest.get(..length).unwrap_or_default()
    }

    /// The proxies, in the order of their KRIs.
    pub(crate) fn instances(&self) -> impl Iterator<Item = Instance<'_>> + Clone {
        self.dataplanes
            .iter()
            .filter_map(|dataplane| Instance::of(dataplane))
    }

    /// A proxy by its place among `dataplanes`.
    fn instance(&self, place: usize) -> Option<Instance<'_>> {
        Instance::of(self.dataplanes.get(place)?)
    }

    /// The proxies that could carry all of these labels.
    pub(crate) fn carrying(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> impl Iterator<Item = Instance<'_>> {
        let places = self.places_carrying(labels).iter();
        places.filter_map(|place| self.instance(*place))
    }

    /// Their places among `dataplanes`.
    fn places_carrying(&self, labels: &BTreeMap<String, String>) -> &[usize] {
        self.labelled.candidates(labels)
    }

    /// The services that a proxy is behind, by its place among `dataplanes`.
    pub(crate) fn served_by(&self, place: usize) -> impl Iterator<Item = &Service> {
        let serving = self.serving(place).iter();
        serving.filter_map(|index| self.services.get(*index))
    }

    /// The same as indices of `services`.
    pub(crate) fn serving(&self, place: usize) -> &[usize] {
        self.serving.get(place).map_or(&[], Vec::as_slice)
    }

    /// The proxies behind a service.
    pub(crate) fn members(&self, service: &Service) -> impl Iterator<Item = Instance<'_>> {
        let members = self.members.get(&service.meta.kri);
        let members = members.map_or([].as_slice(), Vec::as_slice);
        members.iter().filter_map(|place| self.instance(*place))
    }
}

/// What is the same for all proxies is asked of the mesh itself.
impl Deref for MeshView {
    type Target = Frame;

    fn deref(&self) -> &Frame {
        &self.frame
    }
}
