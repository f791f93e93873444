//! What a question is about, found by its name.
//!
//! Never takes the first of several: a name that means more than one thing is refused, with a way to say which.

use std::sync::Arc;

use mesh_bundle::Kri;
use mesh_bundle::resource::Protocol;
use serde::Serialize;

use crate::analysis::Analysis;
use crate::diag::{Location, Pointer};
use crate::kinds::dataplane::{Dataplane, Inbound, ListenerType};
use crate::kinds::{self, KindInfo, Resource};
use crate::model::Compat;
use crate::policy::Table;
use crate::policy::applies::Subject;
use crate::repository::{Lines, MeshView};
use crate::service::{Instance, Service, protocol};
use crate::similar::nearest;

use super::NotShown;

/// Everything that can be asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) analysis: &'a Analysis,
    pub(super) meshes: &'a [Arc<MeshView>],
}

/// A proxy, as questions see it.
#[derive(Debug)]
pub(super) struct Proxy<'a> {
    pub(super) mesh: &'a MeshView,
    pub(super) instance: Instance<'a>,
    pub(super) lines: Lines<'a>,
    /// Inbounds, then listeners between zones.
    pub(super) sections: Vec<Section>,
    names: Vec<String>,
    /// Kuma finds policies for it.
    matched: bool,
}

/// Where a proxy takes traffic.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Section {
    pub(super) kri: Kri,
    /// What policies call it.
    pub(super) name: String,
    pub(super) address: String,
    pub(super) port: u32,
    pub(super) protocol: Protocol,
    /// What it does between zones; `None` for an inbound of the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone_proxy: Option<ListenerType>,
    /// Has it a name of its own?
    #[serde(skip)]
    pub(super) is_named: bool,
    #[serde(skip)]
    pub(super) at: Location,
}

impl<'a> Asked<'a> {
    /// The meshes, by name.
    pub(super) fn views(&self) -> impl Iterator<Item = &'a MeshView> + Clone + use<'a> {
        self.meshes.iter().map(Arc::as_ref)
    }

    /// A proxy, by the name of its Dataplane.
    pub(super) fn proxy(&self, name: &str) -> Result<Proxy<'a>, NotShown> {
        let known = self.views().flat_map(|mesh| {
            let instances = mesh.instances();
            instances.map(move |instance| (&instance.meta.kri, (mesh, instance)))
        });
        let (mesh, instance) = one("Dataplane", name, known)?;
        Ok(self.of(mesh, instance))
    }

    /// A proxy, by its place in a mesh.
    pub(super) fn of(&self, mesh: &'a MeshView, instance: Instance<'a>) -> Proxy<'a> {
        let sections = sections(instance);
        let gateway = instance.networking().is_some_and(|n| n.gateway.is_some());
        Proxy {
            matched: self.analysis.settings.compat == Compat::Off
                || gateway
                || !sections.is_empty(),
            names: sections
                .iter()
                .map(|section| section.name.clone())
                .collect(),
            lines: self.analysis.lines(),
            mesh,
            instance,
            sections,
        }
    }

    /// A service, written or generated.
    pub(super) fn service(&self, name: &str) -> Result<(&'a MeshView, &'a Service), NotShown> {
        let known = self.views().flat_map(|mesh| {
            let services = mesh.services.iter();
            services.map(move |service| (&service.meta.kri, (mesh, service)))
        });
        one("service", name, known)
    }

    /// A policy.
    pub(super) fn policy(&self, name: &str) -> Result<(&'a MeshView, &'a Resource), NotShown> {
        let known = self.views().flat_map(|mesh| {
            let documents = mesh.documents.iter().map(AsRef::as_ref);
            let documents =
                documents.filter(|document| kind_of(document).is_some_and(|kind| kind.is_policy));
            documents.map(move |document| (&document.meta.kri, (mesh, document)))
        });
        one("policy", name, known)
    }
}

impl<'a> Proxy<'a> {
    pub(super) fn kri(&self) -> &'a Kri {
        &self.instance.meta.kri
    }

    /// As policies look at it.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            meta: self.instance.meta,
            sections: &self.names,
        }
    }

    /// The policies that could apply, in the order in which kinds act (language 0.2).
    pub(super) fn tables(&self) -> Vec<&'a Table> {
        let p = &self.mesh.policies;
        let all = [
            &p.http_route,
            &p.tcp_route,
            &p.tls,
            &p.load_balancing,
            &p.passthrough,
            &p.access_log,
            &p.trace,
            &p.fault_injection,
            &p.rate_limit,
            &p.timeout,
            &p.permission,
            &p.health_check,
            &p.circuit_breaker,
            &p.retry,
            &p.metric,
        ];
        match self.matched {
            true => all.iter().map(|table| &***table).collect(),
            false => Vec::new(),
        }
    }

    /// Does Kuma find policies for it?
    pub(super) fn is_matched(&self) -> bool {
        self.matched
    }
}

/// The kind of a document.
pub(super) fn kind_of(document: &Resource) -> Option<&'static KindInfo> {
    let short = document.meta.kri.kind();
    kinds::KINDS
        .iter()
        .copied()
        .find(|kind| kind.short == short)
}

/// The one thing that goes by a name: its display name, `Kind/name`, or its KRI.
pub(super) fn one<'k, T>(
    what: &'static str,
    name: &str,
    known: impl Iterator<Item = (&'k Kri, T)> + Clone,
) -> Result<T, NotShown> {
    let kri = name.parse::<Kri>().ok().map(|kri| kri.without_section());
    let (kind, plain) = match name.split_once('/') {
        Some((kind, plain)) => (kinds::find(kind).map(|kind| kind.short), plain),
        None => (None, name),
    };
    let named = |candidate: &Kri| match &kri {
        Some(kri) => kri == candidate,
        None => candidate.name() == plain && kind.is_none_or(|kind| candidate.kind() == kind),
    };
    let mut found = known.clone().filter(|(candidate, _)| named(candidate));
    match (found.next(), found.next()) {
        (Some((_, one)), None) => Ok(one),
        (Some((first, _)), Some((second, _))) => Err(NotShown::Ambiguous {
            what,
            name: name.to_owned(),
            first: Box::new(first.clone()),
            second: Box::new(second.clone()),
        }),
        (None, _) => {
            let names = known.map(|(kri, _)| kri.name());
            Err(NotShown::Unknown {
                what,
                name: name.to_owned(),
                near: nearest(plain, names).map(str::to_owned),
            })
        }
    }
}

fn sections(instance: Instance<'_>) -> Vec<Section> {
    let Dataplane { networking } = instance.spec;
    let Some(networking) = networking else {
        return Vec::new();
    };
    let own = networking.address.clone().unwrap_or_default();
    let section = |name: String| (instance.meta.kri.with_section(name.as_str()), name);
    let inbound = |(index, inbound): (usize, &Inbound)| {
        let (kri, name) = section(inbound.section());
        Section {
            kri,
            name,
            address: inbound.address.clone().unwrap_or_else(|| own.clone()),
            port: inbound.port.unwrap_or_default(),
            protocol: protocol(inbound.protocol.as_deref()),
            zone_proxy: None,
            is_named: inbound.name.is_some(),
            at: instance.inbound_at(index),
        }
    };
    let listeners = networking.listeners.iter().enumerate();
    let listeners = listeners.map(|(index, listener)| {
        let port = listener.port.unwrap_or_default();
        let (kri, name) = section(listener.name.clone().unwrap_or_else(|| port.to_string()));
        let at = Pointer::default().field("networking").field("listeners");
        Section {
            kri,
            name,
            address: listener.address.clone().unwrap_or_default(),
            port,
            protocol: Protocol::Tcp,
            zone_proxy: listener.kind,
            is_named: listener.name.is_some(),
            at: instance.meta.within(&at.index(index)),
        }
    });
    instance.inbounds().map(inbound).chain(listeners).collect()
}
