//! `dataplanes POLICY` and `dataplanes SERVICE`: the proxies that a policy applies to, or that are behind a service
//! (language 12.6).
//!
//! Never mixes the two: a name that means a policy and a service is refused.

use mesh_bundle::Kri;
use serde::Serialize;

use crate::kinds::Resource;
use crate::policy::target::Target;
use crate::policy::{Policy, is_shadow};
use crate::repository::MeshView;
use crate::service::{Instance, Service};

use super::asked::Asked;
use super::effective::Contribution;
use super::page::Page;
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Dataplanes<'a> {
    of: &'a Kri,
    /// The policy is listed, and has no effect.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shadow: bool,
    dataplanes: Vec<Selected>,
}

/// One proxy.
#[derive(Debug, Serialize)]
struct Selected {
    #[serde(flatten)]
    dataplane: Contribution,
    /// The inbounds that a policy with `rules` applies to, or that serve a port of the service.
    inbounds: Vec<String>,
}

impl<'a> Dataplanes<'a> {
    /// The proxies that a policy applies to.
    pub(super) fn of_policy(asked: &Asked<'a>, mesh: &'a MeshView, document: &'a Resource) -> Self {
        let policy = policy(document);
        let receives = document.body.get("rules").is_some();
        let selected = |instance: Instance<'a>| {
            let proxy = asked.of(mesh, instance);
            let subject = proxy.subject();
            let applies = proxy.is_matched() && policy.applies(&subject);
            let names = proxy.sections.iter().map(|section| section.name.clone());
            let names = names.filter(|name| receives && policy.applies_to_inbound(&subject, name));
            applies.then(|| Selected {
                dataplane: proxy.lines.document(instance.meta).into(),
                inbounds: names.collect(),
            })
        };
        Self {
            of: &document.meta.kri,
            shadow: is_shadow(&document.meta),
            dataplanes: mesh.instances().filter_map(selected).collect(),
        }
    }

    /// The proxies behind a service.
    pub(super) fn of_service(asked: &Asked<'a>, mesh: &'a MeshView, service: &'a Service) -> Self {
        let selected = |instance: Instance<'a>| {
            let ports = service.ports.iter();
            let inbounds = ports.flat_map(|port| port.inbounds(instance));
            Selected {
                inbounds: inbounds.map(|(_, inbound)| inbound.section()).collect(),
                dataplane: asked.analysis.lines().document(instance.meta).into(),
            }
        };
        Self {
            of: &service.meta.kri,
            shadow: false,
            dataplanes: mesh.members(service).map(selected).collect(),
        }
    }
}

/// A document as the machinery sees it.
pub(super) fn policy(document: &Resource) -> Policy {
    Policy {
        meta: document.meta.clone(),
        target: Target::read(document.body.get("targetRef")),
    }
}

impl Answer for Dataplanes<'_> {
    fn show(&self, page: &mut Page) {
        let shadow = match self.shadow {
            true => ", if it were no shadow",
            false => "",
        };
        page.line(
            0,
            &format!("Dataplanes of {}{shadow}", words::name(self.of)),
        );
        for selected in &self.dataplanes {
            let name = words::name(&selected.dataplane.kri);
            let text = match selected.inbounds.is_empty() {
                true => name,
                false => format!("{name}: {}", selected.inbounds.join(", ")),
            };
            page.noted(1, &text, &selected.dataplane);
        }
        if self.dataplanes.is_empty() {
            page.line(1, "none");
        }
    }
}
