//! Selectors that select nothing.
//!
//! Never an error: proxies may register that are in no file.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::policy::applies::{Selection, Subject};
use crate::policy::target::TargetKind;
use crate::repository::MeshView;
use crate::resolve::written;
use crate::service::{Selector, Service};
use crate::similar::listed;

/// Of services and identities.
pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    for service in mesh.services.iter().filter(|s| !s.meta.virtual_document) {
        match &service.selector {
            // Without endpoints it has been reported with its kind.
            Selector::Outside(_) => {}
            Selector::Services(labels) => multi_zone(mesh, service, labels, diagnostics),
            _ => self::service(mesh, service, diagnostics),
        }
    }
    for identity in &mesh.identities {
        let selects = |instance: crate::service::Instance<'_>| identity.selects(instance.meta);
        if identity.is_for_somebody() && !mesh.instances().any(selects) {
            let at = Pointer::default().field("selector");
            let message = format!("no Dataplane is selected by `{}`", identity.meta.kri.name());
            diagnostics.push(nothing(identity.meta.within(&at), message));
        }
    }
}

fn nothing(at: Location, message: String) -> Diagnostic {
    Diagnostic::new(Code::SELECTS_NOTHING, at, message)
}

/// Of one policy.
pub(super) fn policy(mesh: &MeshView, policy: Selection<'_>, diagnostics: &mut Diagnostics) {
    if policy.meta.virtual_document || policy.target.kind == TargetKind::Mesh {
        return;
    }
    let at = Pointer::default().field("targetRef");
    let at = policy.meta.within(&at);
    let applies = |ignoring_section: bool| {
        mesh.carrying(&policy.target.labels).any(|instance| {
            let mut sections = instance.sections();
            if ignoring_section {
                sections.extend(policy.target.section.clone());
            }
            policy.applies(&Subject {
                meta: instance.meta,
                sections: &sections,
            })
        })
    };
    if applies(false) {
        return;
    }
    let labels = match policy.target.labels.is_empty() {
        true => "is there".to_owned(),
        false => format!("carries {}", written(&policy.target.labels)),
    };
    match &policy.target.section {
        Some(section) if applies(true) => {
            let message = format!("no Dataplane that {labels} has an inbound `{section}`");
            diagnostics.push(nothing(at, message));
        }
        _ => {
            diagnostics.push(nothing(at, format!("no Dataplane {labels}")));
        }
    }
}

fn service(mesh: &MeshView, service: &Service, diagnostics: &mut Diagnostics) {
    let name = service.meta.kri.name();
    if mesh.members(service).next().is_none() {
        let at = Pointer::default().field("selector");
        let at = service.meta.within(&at);
        let message = match &service.selector {
            Selector::Nobody | Selector::Services(_) | Selector::Outside(_) => {
                format!("`{name}` has no selector, so nothing serves it")
            }
            Selector::Name(dataplane) => {
                format!("there is no Dataplane `{dataplane}`, so nothing serves `{name}`")
            }
            Selector::Labels(labels) if labels.is_empty() => {
                format!("no Dataplane has an inbound, so nothing serves `{name}`")
            }
            Selector::Labels(labels) => format!(
                "no Dataplane with an inbound carries {}, so nothing serves `{name}`",
                written(labels)
            ),
        };
        diagnostics.push(nothing(at, message));
        return;
    }
    for port in &service.ports {
        let serves = |instance| port.inbounds(instance).next().is_some();
        if !mesh.members(service).any(serves) {
            let target = match &port.target {
                crate::kinds::scalar::PortRef::Number(number) => number.to_string(),
                crate::kinds::scalar::PortRef::Name(name) => name.clone(),
            };
            let message = format!(
                "no Dataplane of `{name}` has an inbound `{target}`, so nothing serves its port `{}`",
                port.section
            );
            let mut diagnostic = nothing(port.at.clone(), message);
            let has: BTreeSet<String> = mesh
                .members(service)
                .flat_map(|instance| instance.sections())
                .map(|section| format!("`{section}`"))
                .collect();
            let has: Vec<String> = has.into_iter().collect();
            diagnostic.help(format!("they have {}", super::several(&has, Clone::clone)));
            diagnostics.push(diagnostic);
        }
    }
}

fn multi_zone(
    mesh: &MeshView,
    service: &Service,
    labels: &BTreeMap<String, String>,
    diagnostics: &mut Diagnostics,
) {
    let name = service.meta.kri.name();
    let members: Vec<&Service> = mesh.united(service).collect();
    let at = Pointer::default().field("selector");
    let at = service.meta.within(&at);
    if members.is_empty() {
        let labels = written(labels);
        let message = format!("no MeshService carries {labels}, so nothing serves `{name}`");
        diagnostics.push(nothing(at, message));
        return;
    }
    let zones: BTreeSet<&str> = members.iter().map(|m| m.meta.kri.zone()).collect();
    if zones.len() > 1 {
        let zones = listed(zones, "and");
        let message = format!(
            "`{name}` has members in {zones}: traffic to another zone does not go through the ingress there in this version"
        );
        let mut diagnostic = Diagnostic::new(Code::NOT_IMPLEMENTED, at, message);
        diagnostic.help("let the proxies of every zone reach the addresses of those in the others");
        diagnostics.push(diagnostic);
    }
    for port in &service.ports {
        if !members
            .iter()
            .any(|member| port.of_member(member).is_some())
        {
            let message = format!(
                "no member of `{name}` has a port `{}`, so nothing serves it",
                port.section
            );
            diagnostics.push(nothing(port.at.clone(), message));
        }
    }
}
