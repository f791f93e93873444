//! The kinds of the language: one line each in [`KINDS`], one file each in `kinds/`.
//!
//! Never looks at more than one document: what needs the rest of the repository is for the stages after this one.
//!
//! The types are lenient on purpose, every field optional: `Deserialize` ignores what it does not know and takes what it
//! can, so that one mistake does not hide the others. Strictness is the JSON Schema made of the same types (unknown
//! fields, wrong types, words out of a list) and the semantic checks (all else).

pub(crate) mod certificate;
pub(crate) mod client_match;
pub(crate) mod data_source;
pub(crate) mod dataplane;
pub(crate) mod hostname_generator;
pub(crate) mod mesh;
pub(crate) mod mesh_access_log;
pub(crate) mod mesh_circuit_breaker;
pub(crate) mod mesh_external_service;
pub(crate) mod mesh_fault_injection;
pub(crate) mod mesh_health_check;
pub(crate) mod mesh_http_route;
pub(crate) mod mesh_identity;
pub(crate) mod mesh_load_balancing_strategy;
pub(crate) mod mesh_metric;
pub(crate) mod mesh_multi_zone_service;
pub(crate) mod mesh_open_telemetry_backend;
pub(crate) mod mesh_passthrough;
pub(crate) mod mesh_rate_limit;
pub(crate) mod mesh_retry;
pub(crate) mod mesh_service;
pub(crate) mod mesh_tcp_route;
pub(crate) mod mesh_test;
pub(crate) mod mesh_timeout;
pub(crate) mod mesh_tls;
pub(crate) mod mesh_trace;
pub(crate) mod mesh_traffic_permission;
pub(crate) mod mesh_trust;
pub(crate) mod mesh_zone_address;
pub(crate) mod scalar;
pub(crate) mod secret;
pub(crate) mod target_ref;
pub(crate) mod telemetry_ref;
pub(crate) mod workload;
pub(crate) mod zone;

pub(crate) mod grammar;
pub(crate) mod legacy;
pub(crate) mod unknown;

mod check;
mod conf;
mod filled;
mod read;
mod received;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

use crate::json::Json;
use crate::model::Meta;

pub(crate) use check::Check;
pub(crate) use filled::{conf as filled_conf, resource as filled};
pub(crate) use read::read;

use target_ref::TargetKind;

/// What is known about a kind before any document of it is read.
#[derive(Debug)]
pub(crate) struct KindInfo {
    /// As documents write it.
    pub(crate) name: &'static str,
    /// In KRIs (language 0.2).
    pub(crate) short: &'static str,
    /// What an item of `to` may refer to.
    pub(crate) to: &'static [TargetKind],
    /// A small document that shows what it is for, for the reference; it begins with a comment that says what it does.
    pub(crate) example: &'static str,
    /// Does it belong to a mesh?
    pub(crate) scope: Scope,
    /// Where its fields stand.
    pub(crate) body: Body,
    /// On Kubernetes only in the system namespace (language 2.3).
    pub(crate) system_only: bool,
    /// Its name becomes a part of DNS names, so it has to be a DNS-1035 label (language 2.4).
    pub(crate) name_is_label: bool,
    /// Does it attach behaviour, by a `targetRef`?
    pub(crate) is_policy: bool,
    /// JSON Schema (draft-07) of the body, without the keys of the envelope.
    pub(crate) schema: fn() -> Value,
    /// Types a body (nulls removed) and checks it. What cannot be read is reported and left out. Call [`read`].
    pub(crate) parse: fn(&Value, &mut Check<'_>) -> Option<Spec>,
}

/// Does a kind belong to a mesh?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// It does not.
    Global,
    /// It does.
    Mesh,
}

/// Where the fields of a kind stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// Beside the envelope's own ([`ENVELOPE`]) in universal format, under `spec` on Kubernetes.
    Flat,
    /// Under `spec`.
    Spec,
}

/// Keys at the top of a universal document that belong to its envelope (language 2.2), not to the body of a flat kind.
pub(crate) const ENVELOPE: [&str; 9] = [
    "type",
    "mesh",
    "name",
    "labels",
    "creationTime",
    "modificationTime",
    "kri",
    "status",
    "snis",
];

/// The body of a document, typed; what is large is boxed, since every policy has room for the largest. Of most policies nothing: they are typed to be checked, and merged as they are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Spec {
    Mesh(mesh::Mesh),
    Dataplane(Box<dataplane::Dataplane>),
    MeshService(mesh_service::MeshService),
    HostnameGenerator(Box<hostname_generator::HostnameGenerator>),
    MeshIdentity(Box<mesh_identity::MeshIdentity>),
    MeshTrust(mesh_trust::MeshTrust),
    MeshHttpRoute,
    MeshTcpRoute,
    MeshTls(mesh_tls::MeshTls),
    MeshTimeout,
    MeshTrafficPermission,
    MeshExternalService(Box<mesh_external_service::MeshExternalService>),
    MeshMultiZoneService(mesh_multi_zone_service::MeshMultiZoneService),
    MeshOpenTelemetryBackend(mesh_open_telemetry_backend::MeshOpenTelemetryBackend),
    MeshRetry(mesh_retry::MeshRetry),
    MeshCircuitBreaker,
    MeshHealthCheck,
    MeshRateLimit,
    MeshFaultInjection,
    MeshLoadBalancingStrategy(mesh_load_balancing_strategy::MeshLoadBalancingStrategy),
    MeshAccessLog,
    MeshMetric,
    MeshTrace,
    MeshPassthrough,
    Secret(secret::Secret),
    Zone(zone::Zone),
    MeshZoneAddress(mesh_zone_address::MeshZoneAddress),
    Workload(workload::Workload),
    MeshTest(Box<mesh_test::MeshTest>),
}

/// A document that was read, checked and typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resource {
    /// Its envelope.
    pub(crate) meta: Arc<Meta>,
    /// Its body.
    pub(crate) spec: Spec,
    /// The body of a policy as it was written, without nulls: what is merged. Pointers into it are relative to
    /// [`Meta::body`]. Null for any other kind, whose `spec` says all of it.
    pub(crate) body: Json,
}

/// What a route can lead to.
pub(crate) const SERVICES: &[TargetKind] = &[
    TargetKind::MeshService,
    TargetKind::MeshExternalService,
    TargetKind::MeshMultiZoneService,
];

/// What traffic can be addressed to.
const DESTINATIONS: &[TargetKind] = &[
    TargetKind::Mesh,
    TargetKind::MeshService,
    TargetKind::MeshExternalService,
    TargetKind::MeshMultiZoneService,
    TargetKind::MeshHttpRoute,
];

/// What traffic can be addressed to, as a whole.
const WHOLE_DESTINATIONS: &[TargetKind] = &[
    TargetKind::Mesh,
    TargetKind::MeshService,
    TargetKind::MeshExternalService,
    TargetKind::MeshMultiZoneService,
];

/// All kinds that this version reads.
pub(crate) static KINDS: [&KindInfo; 30] = [
    &mesh::KIND,
    &dataplane::KIND,
    &mesh_service::KIND,
    &hostname_generator::KIND,
    &mesh_identity::KIND,
    &mesh_trust::KIND,
    &mesh_http_route::KIND,
    &mesh_tcp_route::KIND,
    &mesh_tls::KIND,
    &mesh_timeout::KIND,
    &mesh_traffic_permission::KIND,
    &mesh_external_service::KIND,
    &mesh_multi_zone_service::KIND,
    &mesh_open_telemetry_backend::KIND,
    &mesh_retry::KIND,
    &mesh_circuit_breaker::KIND,
    &mesh_health_check::KIND,
    &mesh_rate_limit::KIND,
    &mesh_fault_injection::KIND,
    &mesh_load_balancing_strategy::KIND,
    &mesh_access_log::KIND,
    &mesh_metric::KIND,
    &mesh_trace::KIND,
    &mesh_passthrough::KIND,
    &secret::KIND,
    &secret::GLOBAL,
    &zone::KIND,
    &mesh_zone_address::KIND,
    &workload::KIND,
    &mesh_test::KIND,
];

/// The kind of this name, where this version reads it.
pub(crate) fn find(name: &str) -> Option<&'static KindInfo> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}
