//! Services that say something else than before under the same names and labels: who could see that.
//!
//! Never asks what a reference leads to: whoever refers to labels that such a service carries is looked at again, wherever
//! that led and leads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::json::Json;
use crate::kinds::{Resource, SERVICES};
use crate::parallel::{self, SMALL};
use crate::policy::carries;
use crate::policy::target::DISPLAY_NAME;
use crate::service::{Instance, Service};

use super::{Frame, MeshView};

/// To ask everybody about so many costs about as much as to make everything again.
const MOST: usize = 16;

impl Frame {
    /// The services that are others than in the frame before, as indices of both; `None` where anything else is another
    /// thing too, or there are too many.
    pub(super) fn moved(&self, before: &Self) -> Option<Vec<usize>> {
        // Each field is named, so that none that is added is forgotten. The last two are made of names and labels.
        let Self {
            services,
            routes,
            identities,
            trusts,
            collectors,
            servers: _,
            united: _,
            closed,
            positions: _,
            carriers: _,
        } = self;
        let metas = |resources: &[Arc<Resource>], others: &[Arc<Resource>]| {
            let metas = resources.iter().map(|resource| &resource.meta);
            metas.eq(others.iter().map(|resource| &resource.meta))
        };
        let named = |(old, new): (&Service, &Service)| {
            let (old, new) = (&old.meta, &new.meta);
            old.kri == new.kri && old.labels == new.labels && old.created == new.created
        };
        let pairs = || before.services.iter().zip(services);
        let alike = services.len() == before.services.len()
            && pairs().all(named)
            && metas(routes, &before.routes)
            && *identities == before.identities
            && *trusts == before.trusts
            && *collectors == before.collectors
            && *closed == before.closed;
        let moved = pairs()
            .enumerate()
            .filter(|(_, (old, new))| old != new || !self.serves_alike(new, before));
        let moved: Vec<usize> = moved.map(|(place, _)| place).take(MOST + 1).collect();
        (alike && moved.len() <= MOST).then_some(moved)
    }

    /// Is each port of a service, which is the same as before, served by the same?
    fn serves_alike(&self, service: &Service, before: &Self) -> bool {
        service.ports.iter().all(|port| {
            let kri = service.kri(port);
            self.servers.get(&kri) == before.servers.get(&kri)
                && self.united.get(&kri) == before.united.get(&kri)
        })
    }
}

impl MeshView {
    /// The policies that refer to any of these services.
    pub(super) fn referring(&self, services: &[&Service]) -> Vec<Arc<Resource>> {
        let documents = &self.documents;
        let refers = parallel::map(documents, SMALL, |document| {
            services
                .iter()
                .any(|service| mentions(&document.body, &service.meta.labels))
        });
        let documents = documents.iter().zip(refers);
        let referring = documents.filter_map(|(document, refers)| refers.then_some(document));
        referring.cloned().collect()
    }
}

/// Could a proxy send to a service, by its own document?
pub(super) fn could_send(instance: Instance<'_>, service: &Service) -> bool {
    let named = |name: &Option<String>, labels: &BTreeMap<String, String>| {
        let own = &service.meta.labels;
        let of_name = |name: &String| own.get(DISPLAY_NAME).is_none_or(|own| own == name);
        name.as_ref().is_none_or(of_name) && carries(own, labels)
    };
    let networking = instance.networking();
    let outbounds = networking.map_or([].as_slice(), |networking| &networking.outbound);
    let mut outbounds = outbounds.iter().filter_map(|one| one.backend_ref.as_ref());
    if outbounds.any(|one| named(&one.name, &one.labels)) {
        return true;
    }
    instance.captures_outbound()
        && match instance.reachable() {
            None => true,
            Some(refs) => refs.iter().any(|one| named(&one.name, &one.labels)),
        }
}

/// Is there a reference in this to a service that carries these?
fn mentions(body: &Json, labels: &BTreeMap<String, String>) -> bool {
    let carried = |(key, value): &(Box<str>, Json)| {
        value.as_str().is_none() || labels.get(&**key).map(String::as_str) == value.as_str()
    };
    let kind = body.get("kind").and_then(Json::as_str);
    let wanted = body.get("labels").map(Json::fields).unwrap_or_default();
    let of_service = |kind| SERVICES.iter().any(|service| service.as_str() == kind);
    kind.is_some_and(of_service) && wanted.iter().all(carried)
        || body.fields().iter().any(|(_, part)| mentions(part, labels))
        || body
            .as_array()
            .is_some_and(|items| items.iter().any(|item| mentions(item, labels)))
}
