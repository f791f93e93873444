//! Parts of policies for a protocol that nothing speaks of what they are about.
//!
//! Never about policies for a whole mesh: those say something for every protocol. Never said while one port fits.

use mesh_bundle::resource::Protocol;

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::json::Json;
use crate::kinds::Resource;
use crate::policy::target::Target;
use crate::repository::MeshView;
use crate::service::{Instance, protocol};

use super::protocols::ports;

/// A part of a conf, and for what it is.
struct Part {
    /// The kind, by its short name.
    kind: &'static str,
    /// From the conf.
    path: &'static [&'static str],
    fits: fn(Protocol) -> bool,
    /// What has to be spoken.
    wanted: &'static str,
}

const fn part(
    kind: &'static str,
    path: &'static [&'static str],
    fits: fn(Protocol) -> bool,
    wanted: &'static str,
) -> Part {
    Part {
        kind,
        path,
        fits,
        wanted,
    }
}

fn plain_http(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Http | Protocol::Http2)
}

fn grpc(protocol: Protocol) -> bool {
    protocol == Protocol::Grpc
}

fn tcp(protocol: Protocol) -> bool {
    protocol == Protocol::Tcp
}

const TO: [Part; 6] = [
    part("mr", &["http"], plain_http, "http or http2"),
    part("mr", &["grpc"], grpc, "grpc"),
    part("mr", &["tcp"], tcp, "tcp"),
    part("mt", &["http"], Protocol::is_http, "HTTP"),
    part("mhc", &["http"], plain_http, "http or http2"),
    part("mhc", &["grpc"], grpc, "grpc"),
];

const RULES: [Part; 3] = [
    part("mt", &["http"], Protocol::is_http, "HTTP"),
    part("mrl", &["local", "http"], Protocol::is_http, "HTTP"),
    part("mfi", &["http"], Protocol::is_http, "HTTP"),
];

pub(super) fn check(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    let kind = resource.meta.kri.kind();
    if TO.iter().any(|part| part.kind == kind) {
        sent(mesh, resource, diagnostics);
    }
    if RULES.iter().any(|part| part.kind == kind) {
        received(mesh, resource, diagnostics);
    }
}

fn items<'a>(resource: &'a Resource, list: &str) -> impl Iterator<Item = (Pointer, &'a Json)> {
    let at = Pointer::default().field(list);
    let items = resource.body.get(list).and_then(Json::as_array);
    let items = items.into_iter().flatten().enumerate();
    items.map(move |(index, item)| (at.index(index), item))
}

fn sent(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    for (at, item) in items(resource, "to") {
        let mut target = Target::read(item.get("targetRef"));
        target.confine(&resource.meta);
        let towards = mesh.catalogue().towards(&target).unwrap_or_default();
        let spoken: Vec<(Protocol, Location)> = towards
            .iter()
            .flat_map(|towards| ports(mesh, towards))
            .map(|(_, port)| (port.protocol, port.at.clone()))
            .collect();
        judge(&TO, resource, (&at, item), &spoken, diagnostics);
    }
}

fn received(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    let target = Target::read(resource.body.get("targetRef"));
    if target.labels.is_empty() {
        return;
    }
    let mut spoken = Vec::new();
    let carries =
        |instance: &Instance<'_>| crate::policy::carries(&instance.meta.labels, &target.labels);
    for instance in mesh.carrying(&target.labels).filter(carries) {
        for (index, inbound) in instance.inbounds() {
            let wanted = target.section.as_ref();
            if wanted.is_none_or(|section| *section == inbound.section()) {
                let own = protocol(inbound.protocol.as_deref());
                spoken.push((own, instance.inbound_at(index)));
            }
        }
    }
    for (at, item) in items(resource, "rules") {
        judge(&RULES, resource, (&at, item), &spoken, diagnostics);
    }
}

fn judge(
    parts: &[Part],
    resource: &Resource,
    (at, item): (&Pointer, &Json),
    spoken: &[(Protocol, Location)],
    diagnostics: &mut Diagnostics,
) {
    let Some((first, first_at)) = spoken.first() else {
        return;
    };
    let of_kind = parts
        .iter()
        .filter(|part| part.kind == resource.meta.kri.kind());
    for part in of_kind {
        let mut at = at.field("default");
        let mut conf = item.get("default");
        for name in part.path {
            at = at.field(*name);
            conf = conf.and_then(|conf| conf.get(name));
        }
        if conf.is_none() || spoken.iter().any(|(protocol, _)| (part.fits)(*protocol)) {
            continue;
        }
        let name = part.path.join(".");
        let message = format!(
            "`{name}` has no effect: nothing that this is about speaks {}",
            part.wanted
        );
        let at = resource.meta.within(&at);
        let mut diagnostic = Diagnostic::new(Code::PROTOCOL_MISMATCH, at, message);
        diagnostic.related(first_at.clone(), format!("this speaks {}", first.as_str()));
        diagnostic.help("remove it, or say at the port what it speaks");
        diagnostics.push(diagnostic);
    }
}
