//! Mesh: the isolation domain (language 3.1).
//!
//! Never switches a feature on: what older Mesh documents carried has kinds of its own now.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Body, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "Mesh",
    short: "m",
    scope: Scope::Global,
    body: Body::Flat,
    system_only: false,
    name_is_label: true,
    policy: None,
    schema: schema::of::<Mesh>,
    parse: |body, check| {
        let spec: Mesh = read::typed(body, check)?;
        Some(Spec::Mesh(spec))
    },
};

/// An isolation domain. A proxy of one mesh has no destination, identity, trust or policy from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Mesh {
    /// Default policies that this mesh does not get: names of kinds (`MeshTimeout`, `MeshCircuitBreaker`, `MeshRetry`),
    /// or `*` for all. Default: none is skipped (language 4.13).
    #[serde(default)]
    pub(crate) skip_creating_initial_policies: Vec<String>,
}
