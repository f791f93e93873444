//! `MeshService`: a named group of proxies with ports (language 3.3).
//!
//! Never looks for the proxies that it selects.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::PortRef;
use super::{Body, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshService",
    short: "msvc",
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: true,
    policy: None,
    schema: schema::of::<MeshService>,
    parse: |body, check| {
        let spec: MeshService = read::typed(body, check)?;
        Some(Spec::MeshService(spec))
    },
};

/// A named group of proxies with ports: a destination of the mesh, with a hostname and a virtual IP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshService {
    /// Which proxies belong to the service. Without it none does.
    pub(crate) selector: Option<ServiceSelector>,
    /// The ports that clients address. Each is a destination of its own.
    #[serde(default)]
    pub(crate) ports: Vec<ServicePort>,
    /// Read-only: whether there is a healthy endpoint.
    pub(crate) state: Option<ServiceState>,
    /// Read-only: the SPIFFE IDs of the proxies that belong to the service.
    #[serde(default)]
    pub(crate) identities: Vec<ServiceIdentity>,
}

/// Which proxies belong to a service. At most one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServiceSelector {
    /// All proxies of the mesh and zone that carry these labels.
    pub(crate) dataplane_labels: Option<DataplaneLabels>,
    /// One proxy, by the name of its Dataplane.
    pub(crate) dataplane_ref: Option<DataplaneRef>,
}

/// Proxies by their labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct DataplaneLabels {
    /// All pairs must be among the labels of the Dataplane. Without pairs every proxy with an inbound belongs to it.
    #[serde(default)]
    pub(crate) match_labels: BTreeMap<String, String>,
}

/// One proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct DataplaneRef {
    /// The name of its Dataplane.
    pub(crate) name: Option<String>,
}

/// A port of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServicePort {
    /// The port that clients address, 1 to 65535, once per service. Required.
    pub(crate) port: Option<u32>,
    /// The inbound of the proxies that serves it: its port as a number, or its name. Default: the inbound with the
    /// number in `port`.
    pub(crate) target_port: Option<PortRef>,
    /// What `sectionName` calls this port. Default: the number as text. Once per service.
    pub(crate) name: Option<String>,
    /// What clients speak: `tcp`, `http`, `http2` or `grpc`. Default: `tcp`.
    pub(crate) app_protocol: Option<String>,
}

/// Whether a service has healthy endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ServiceState {
    /// At least one.
    Available,
    /// None.
    Unavailable,
}

/// An identity of the proxies of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ServiceIdentity {
    /// `SpiffeID`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// The identity.
    pub(crate) value: Option<String>,
}
