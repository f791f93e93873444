//! What is the same for all proxies of a mesh: services with their names and addresses, routes, identities, collectors.
//!
//! Never holds a proxy, nor what only a policy says: who changes one of those leaves this as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_bundle::{Kri, SpiffeId};

use crate::diag::Diagnostics;
use crate::hostname;
use crate::identity::Identity;
use crate::index::Carriers;
use crate::kinds::mesh_trust::MeshTrust;
use crate::kinds::{Resource, Spec};
use crate::lookup::Lookup;
use crate::model::Meta;
use crate::policy::carries;
use crate::policy::target::TargetKind;
use crate::resolve::{Carried, Catalogue};
use crate::service::{Instance, Service};
use crate::telemetry::Collectors;
use crate::vip;

use super::{Around, Changes, MeshView};

/// See above.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// In the order of their KRIs, generated ones included.
    pub(crate) services: Vec<Service>,
    /// Looked at for their names and labels only: what else they say is of their table.
    pub(super) routes: Vec<Arc<Resource>>,
    pub(crate) identities: Vec<Identity>,
    pub(super) trusts: Vec<Arc<Resource>>,
    pub(crate) collectors: Collectors,
    /// The SPIFFE IDs that the proxies behind a port may have.
    pub(crate) servers: Lookup<Kri, Vec<SpiffeId>>,
    /// The ports of multi-zone services that each port of a service serves too.
    pub(super) united: BTreeMap<Kri, Vec<Kri>>,
    /// The zones whose proxies serve nobody.
    pub(super) closed: BTreeSet<String>,
    pub(super) positions: Lookup<Kri, usize>,
    pub(super) carriers: Carried,
}

/// What a frame is made of beside proxies, by short names; of routes see [`MeshView::is_another_frame`].
const KINDS: [&str; 6] = ["msvc", "extsvc", "mzsvc", "mtrust", "mid", "motb"];
const ROUTE: &str = "mhttpr";

impl Frame {
    fn of(view: &MeshView, around: Around<'_>, diagnostics: &mut Diagnostics) -> Self {
        let lines = around.lines;
        let mut frame = Self {
            routes: view.of_kind(ROUTE).to_vec(),
            trusts: view.of_kind("mtrust").to_vec(),
            closed: around.closed.clone(),
            ..Self::default()
        };
        for resource in KINDS.iter().flat_map(|kind| view.of_kind(kind)) {
            let meta = &resource.meta;
            match &resource.spec {
                Spec::MeshService(spec) => frame.services.push(Service::read(meta, spec, lines)),
                Spec::MeshExternalService(spec) => {
                    frame
                        .services
                        .push(Service::read_external(meta, spec, lines));
                }
                Spec::MeshMultiZoneService(spec) => {
                    frame
                        .services
                        .push(Service::read_multi_zone(meta, spec, lines));
                }
                Spec::MeshIdentity(spec) => {
                    let read = Identity::read(meta, spec, around.settings, diagnostics);
                    frame.identities.extend(read);
                }
                _ => {}
            }
        }
        let collectors = view
            .of_kind("motb")
            .iter()
            .filter_map(|resource| match &resource.spec {
                Spec::MeshOpenTelemetryBackend(spec) => Some((&*resource.meta, spec)),
                _ => None,
            });
        frame.collectors = Collectors::of(collectors, lines);
        let instances: Vec<Instance<'_>> = view.instances().collect();
        frame.generate_services(&instances, around.settings.compat, diagnostics);
        hostname::assign(&mut frame.services, around.generators, diagnostics);
        vip::allocate(&mut frame.services, diagnostics);
        frame.index();
        frame
    }

    fn index(&mut self) {
        let services = self.services.iter();
        self.carriers = Carried {
            services: Carriers::of(services.map(|service| &service.meta.labels)),
            routes: Carriers::of(self.routes.iter().map(|route| &route.meta.labels)),
        };
        for (index, service) in self.services.iter().enumerate() {
            let kri = service.meta.kri.clone();
            self.positions.insert_new(kri, index);
        }
    }

    /// What references can lead to.
    pub(crate) fn catalogue(&self) -> Catalogue<'_> {
        Catalogue {
            services: &self.services,
            routes: &self.routes,
            carriers: &self.carriers,
        }
    }

    /// The documents that say whom to trust.
    pub(crate) fn trusts(&self) -> impl Iterator<Item = (&Meta, &MeshTrust)> {
        self.trusts
            .iter()
            .filter_map(|resource| match &resource.spec {
                Spec::MeshTrust(spec) => Some((&*resource.meta, spec)),
                _ => None,
            })
    }

    /// A service by its name.
    pub(crate) fn service(&self, kri: &Kri) -> Option<&Service> {
        self.services.get(*self.positions.get(kri)?)
    }

    /// Is there a service of this kind that carries all of these labels?
    pub(super) fn has_service(&self, kind: TargetKind, labels: &BTreeMap<String, String>) -> bool {
        let candidates = self.carriers.services.candidates(labels).iter();
        let mut services = candidates.filter_map(|index| self.services.get(*index));
        services.any(|service| service.kind() == kind && carries(&service.meta.labels, labels))
    }

    /// Are the proxies of a zone withdrawn everywhere?
    pub(crate) fn is_closed(&self, zone: &str) -> bool {
        self.closed.contains(zone)
    }
}

impl MeshView {
    /// Does anything of the frame change, whatever became of proxies?
    pub(super) fn is_another_frame(&self, changes: &Changes, around: Around<'_>) -> bool {
        fn routes(list: &[Arc<Resource>]) -> impl Iterator<Item = &Meta> {
            let metas = list.iter().map(|resource| &*resource.meta);
            metas.filter(|meta| meta.kri.kind() == ROUTE)
        }
        self.generators != around.generators
            || self.closed != *around.closed
            || KINDS.iter().any(|kind| changes.touch(kind))
            || !routes(&changes.gone).eq(routes(&changes.new))
    }

    /// Makes it anew; where it is another one than before, hands that one back, with [`Frame::moved`].
    pub(super) fn reframe(
        &mut self,
        around: Around<'_>,
    ) -> Option<(Arc<Frame>, Option<Vec<usize>>)> {
        let mut diagnostics = Diagnostics::default();
        self.generators = around.generators.to_vec();
        self.dataplanes = self.of_kind("dp").to_vec();
        self.labelled = Carriers::of(self.instances().map(|instance| &instance.meta.labels));
        let mut frame = Frame::of(self, around, &mut diagnostics);
        self.find_members(&mut frame);
        frame.find_united();
        self.findings = diagnostics.list;
        let moved = frame.moved(&self.frame);
        if moved.as_ref().is_some_and(Vec::is_empty) {
            return None;
        }
        let before = std::mem::replace(&mut self.frame, Arc::new(frame));
        Some((before, moved))
    }
}
