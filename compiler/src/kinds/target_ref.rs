//! Who a policy, a route or a rule refers to: `targetRef` (language 4.2) and `backendRef` (language 4.6).
//!
//! Never resolves a reference: whether anything carries the labels is a question to the whole repository.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Whose proxy a policy configures, or which destinations an item is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TargetRef {
    /// What is referred to. At the top of a policy: `Mesh` (every proxy) or `Dataplane` (proxies by their labels). In
    /// `to`: `Mesh` (every destination), `MeshService`, `MeshExternalService`, `MeshMultiZoneService` or
    /// `MeshHTTPRoute`, as far as the policy supports it. Required.
    pub(crate) kind: Option<TargetKind>,
    /// Every resource of the kind that carries all of these labels. Required, except for `Dataplane`, where none means
    /// all; not allowed for `Mesh`. `kuma.io/display-name` selects by name.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// One port of what is selected: the name of a port or an inbound, or its number where it has no name.
    pub(crate) section_name: Option<String>,
}

/// Where a route sends traffic, or where a copy of it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BackendRef {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Required.
    pub(crate) kind: Option<TargetKind>,
    /// The one resource of the kind that carries all of these labels. Required. `kuma.io/display-name` selects by name.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// The port of the service, by name or number. Not needed where the service has one port.
    pub(crate) section_name: Option<String>,
    /// The port of the service, by number. Required for `MeshMultiZoneService`.
    pub(crate) port: Option<u32>,
    /// The share of the traffic, relative to the sum of all weights. Default: 1. 0 sends nothing.
    pub(crate) weight: Option<u32>,
}

/// A kind that can be referred to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum TargetKind {
    /// Everything of the mesh.
    Mesh,
    /// Proxies.
    Dataplane,
    /// Services of the mesh.
    MeshService,
    /// Services outside of the mesh.
    MeshExternalService,
    /// Services of several zones.
    MeshMultiZoneService,
    /// Traffic that a route matched.
    #[serde(rename = "MeshHTTPRoute")]
    MeshHttpRoute,
    /// Anything else: the check refuses it, so that later stages never see it.
    #[serde(untagged)]
    Other(String),
}

impl BackendRef {
    /// The share that this reference asks for.
    pub(crate) fn effective_weight(&self) -> u32 {
        self.weight.unwrap_or(1)
    }
}

impl TargetKind {
    /// As documents write it.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Mesh => "Mesh",
            Self::Dataplane => "Dataplane",
            Self::MeshService => "MeshService",
            Self::MeshExternalService => "MeshExternalService",
            Self::MeshMultiZoneService => "MeshMultiZoneService",
            Self::MeshHttpRoute => "MeshHTTPRoute",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl JsonSchema for TargetKind {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TargetKind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A text, not a list: which kinds a place supports depends on the place, and the check knows the words for it.
        json_schema!({ "type": "string" })
    }
}
