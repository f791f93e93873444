//! Two ends that speak differently, and routes for another protocol than their destination's.
//!
//! Never an error: bytes flow, only not as the documents say.

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::json::Json;
use crate::kinds::{Resource, Spec};
use crate::policy::outbound::Towards;
use crate::policy::target::Target;
use crate::repository::MeshView;
use crate::service::{Port, Service, protocol};

/// Of services.
pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    for service in mesh.services.iter().filter(|s| !s.meta.virtual_document) {
        for port in &service.ports {
            self::port(mesh, service, port, diagnostics);
            multi_zone(mesh, service, port, diagnostics);
        }
    }
}

/// Of one route.
pub(super) fn document(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    match &resource.spec {
        Spec::MeshHttpRoute => route(mesh, resource, true, diagnostics),
        Spec::MeshTcpRoute => route(mesh, resource, false, diagnostics),
        _ => {}
    }
}

fn port(mesh: &MeshView, service: &Service, port: &Port, diagnostics: &mut Diagnostics) {
    for instance in mesh.members(service) {
        for (index, inbound) in port.inbounds(instance) {
            let own = protocol(inbound.protocol.as_deref());
            // HTTP/1.1 and the two forms of HTTP/2 are understood by every HTTP inbound.
            if own == port.protocol || (own.is_http() && port.protocol.is_http()) {
                continue;
            }
            let message = format!(
                "port `{}` of `{}` speaks {}, the inbound `{}` of `{}` that serves it {}",
                port.section,
                service.meta.kri.name(),
                port.protocol.as_str(),
                inbound.section(),
                instance.meta.kri.name(),
                own.as_str()
            );
            let at = port.at.clone();
            let mut diagnostic = Diagnostic::new(Code::PROTOCOL_MISMATCH, at, message);
            diagnostic.related(instance.inbound_at(index), "the inbound");
            diagnostic
                .help("let `appProtocol` of the port and `protocol` of the inbound say the same");
            diagnostics.push(diagnostic);
            // One instance says enough.
            return;
        }
    }
}

/// A port of a multi-zone service, and those of its members.
fn multi_zone(mesh: &MeshView, service: &Service, port: &Port, diagnostics: &mut Diagnostics) {
    for member in mesh.united(service) {
        let Some(serving) = port.of_member(member) else {
            continue;
        };
        if serving.protocol == port.protocol
            || (serving.protocol.is_http() && port.protocol.is_http())
        {
            continue;
        }
        let message = format!(
            "port `{}` of `{}` speaks {}, port `{}` of its member `{}` {}",
            port.section,
            service.meta.kri.name(),
            port.protocol.as_str(),
            serving.section,
            member.meta.kri.name(),
            serving.protocol.as_str()
        );
        let mut diagnostic = Diagnostic::new(Code::PROTOCOL_MISMATCH, port.at.clone(), message);
        diagnostic.related(serving.at.clone(), "the port of the member");
        diagnostic.help("let `appProtocol` of both say the same");
        diagnostics.push(diagnostic);
        // One member says enough.
        return;
    }
}

/// A route for requests to a port that speaks none has no effect; one for connections hides what a port speaks.
fn route(mesh: &MeshView, resource: &Resource, http: bool, diagnostics: &mut Diagnostics) {
    let items = resource.body.get("to").and_then(Json::as_array);
    for (index, item) in items.into_iter().flatten().enumerate() {
        let mut target = Target::read(item.get("targetRef"));
        target.confine(&resource.meta);
        let at = Pointer::default()
            .field("to")
            .index(index)
            .field("targetRef");
        for towards in mesh.catalogue().towards(&target).unwrap_or_default() {
            let ports: Vec<(&Service, &Port)> = ports(mesh, &towards);
            let odd = ports
                .iter()
                .find(|(_, port)| port.protocol.is_http() != http);
            let fitting = ports
                .iter()
                .any(|(_, port)| port.protocol.is_http() == http);
            let Some((service, port)) = odd.filter(|_| !fitting) else {
                continue;
            };
            let name = format!("port `{}` of `{}`", port.section, service.meta.kri.name());
            let message = match http {
                true => format!("{name} speaks tcp, so this route has no effect on it"),
                false => format!(
                    "{name} speaks {}, as connections they lose their routes, timeouts and logs",
                    port.protocol.as_str()
                ),
            };
            let at = resource.meta.within(&at);
            let mut diagnostic = Diagnostic::new(Code::PROTOCOL_MISMATCH, at, message);
            diagnostic.related(port.at.clone(), "the port");
            diagnostic.help(match http {
                true => "if it speaks HTTP, say so: `appProtocol: http`",
                false => "use a MeshHTTPRoute, which can split requests",
            });
            diagnostics.push(diagnostic);
        }
    }
}

pub(super) fn ports<'a>(mesh: &'a MeshView, towards: &Towards) -> Vec<(&'a Service, &'a Port)> {
    let (kri, section) = match towards {
        Towards::Service(kri) => (kri.clone(), None),
        Towards::Port(kri) => (kri.without_section(), Some(kri.section())),
        Towards::Mesh | Towards::Route(_) => return Vec::new(),
    };
    let services = mesh.service(&kri).into_iter();
    let ports = services.flat_map(|service| service.ports.iter().map(move |port| (service, port)));
    ports
        .filter(|(_, port)| section.is_none_or(|section| section == port.section))
        .collect()
}
