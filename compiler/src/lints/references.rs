//! References of routes and outbounds that lead nowhere, or not to one place.
//!
//! Never follows what items of `to` refer to: that is reported where policies are read.

use serde::de::DeserializeOwned;

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::json::Json;
use crate::kinds::mesh_http_route::HttpRuleConf;
use crate::kinds::mesh_tcp_route::TcpRouteConf;
use crate::kinds::target_ref::BackendRef;
use crate::kinds::{Resource, Spec};
use crate::repository::MeshView;
use crate::service::Instance;

pub(super) fn check(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    match &resource.spec {
        Spec::MeshHttpRoute => {
            for (at, conf) in rules::<HttpRuleConf>(resource) {
                http_rule(mesh, resource, &at, &conf, diagnostics);
            }
        }
        Spec::MeshTcpRoute => {
            for (at, conf) in rules::<TcpRouteConf>(resource) {
                let refs = conf.backend_refs.unwrap_or_default();
                let at = at.field("backendRefs");
                for (index, backend) in refs.iter().enumerate() {
                    let at = resource.meta.within(&at.index(index));
                    reference(mesh, resource, backend, at, false, diagnostics);
                }
            }
        }
        _ => {
            if let Some(instance) = Instance::of(resource) {
                reachable(mesh, instance, diagnostics);
                outbounds(mesh, instance, diagnostics);
            }
        }
    }
}

fn outbounds(mesh: &MeshView, instance: Instance<'_>, diagnostics: &mut Diagnostics) {
    let outbounds = instance.networking().map_or([].as_slice(), |n| &n.outbound);
    for (index, outbound) in outbounds.iter().enumerate() {
        let Some(backend) = &outbound.backend_ref else {
            continue;
        };
        if let Err(unresolved) = mesh.catalogue().outbound(backend, instance.meta) {
            let mut at = instance.outbound_at(index);
            at.pointer = at.pointer.field("backendRef");
            diagnostics.push(unresolved.at(at));
        }
    }
}

/// What a proxy may reach, where that is restricted: a reference may lead to several services.
fn reachable(mesh: &MeshView, instance: Instance<'_>, diagnostics: &mut Diagnostics) {
    let at = Pointer::default()
        .field("networking")
        .field("transparentProxying");
    let at = at.field("reachableBackends").field("refs");
    for (index, one) in instance.reachable().into_iter().flatten().enumerate() {
        if let Err(unresolved) = mesh.catalogue().reachable(one, instance.meta) {
            let at = instance.meta.within(&at.index(index));
            diagnostics.push(unresolved.at(at));
        }
    }
}

/// The confs of all rules of a route, with their places.
fn rules<T: DeserializeOwned>(resource: &Resource) -> Vec<(Pointer, T)> {
    let mut rules = Vec::new();
    for (index, to) in list(resource.body.get("to")).enumerate() {
        let at = Pointer::default().field("to").index(index).field("rules");
        for (index, rule) in list(to.get("rules")).enumerate() {
            if let Some(conf) = rule.get("default").and_then(Json::read) {
                rules.push((at.index(index).field("default"), conf));
            }
        }
    }
    rules
}

fn list(value: Option<&Json>) -> impl Iterator<Item = &Json> {
    value.and_then(Json::as_array).into_iter().flatten()
}

fn http_rule(
    mesh: &MeshView,
    resource: &Resource,
    at: &Pointer,
    conf: &HttpRuleConf,
    diagnostics: &mut Diagnostics,
) {
    let refs = conf.backend_refs.iter().flatten().enumerate();
    let refs = refs.map(|(index, backend)| (at.field("backendRefs").index(index), backend));
    let filters = conf.filters.iter().flatten().enumerate();
    let mirrors = filters.filter_map(|(index, filter)| {
        let at = at.field("filters").index(index).field("requestMirror");
        let backend = filter.request_mirror.as_ref()?.backend_ref.as_ref()?;
        Some((at.field("backendRef"), backend))
    });
    for (at, backend) in refs.chain(mirrors) {
        let at = resource.meta.within(&at);
        reference(mesh, resource, backend, at, true, diagnostics);
    }
}

fn reference(
    mesh: &MeshView,
    resource: &Resource,
    backend: &BackendRef,
    at: Location,
    http: bool,
    diagnostics: &mut Diagnostics,
) {
    match mesh.catalogue().backend(backend, &resource.meta.kri) {
        Err(unresolved) => {
            diagnostics.push(unresolved.at(at));
        }
        Ok(((service, port), remark)) => {
            if http && !port.protocol.is_http() {
                let message = format!(
                    "port `{}` of `{}` speaks tcp, requests cannot be sent to it",
                    port.section,
                    service.meta.kri.name()
                );
                let mut diagnostic = Diagnostic::new(Code::PROTOCOL_MISMATCH, at.clone(), message);
                diagnostic.severity = crate::diag::Severity::Error;
                diagnostic.related(port.at.clone(), "the port");
                diagnostic.help("say what the port speaks: `appProtocol: http`");
                diagnostics.push(diagnostic);
            }
            diagnostics.list.extend(remark.map(|remark| {
                let mut diagnostic = remark.at(at);
                // One of them is taken, so traffic flows.
                diagnostic.severity = crate::diag::Severity::Warning;
                diagnostic
            }));
        }
    }
}
