//! Mesh: the isolation domain (language 3.1).
//!
//! Never switches a feature on: what older Mesh documents carried has kinds of its own now.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::{Body, Check, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "Mesh",
    short: "m",
    to: &[],
    example: include_str!("mesh/example.yaml"),
    scope: Scope::Global,
    body: Body::Flat,
    system_only: false,
    name_is_label: true,
    is_policy: false,
    schema: schema::of::<Mesh>,
    parse: |body, check| {
        let spec: Mesh = read::typed(body, check)?;
        spec.check(check);
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

/// The kinds that a mesh gets default policies of, and the word for all of them (language 4.13).
const SKIPPABLE: [&str; 4] = ["*", "MeshTimeout", "MeshCircuitBreaker", "MeshRetry"];

impl Mesh {
    fn check(&self, check: &mut Check<'_>) {
        let at = Pointer::default().field("skipCreatingInitialPolicies");
        for (index, name) in self.skip_creating_initial_policies.iter().enumerate() {
            if !SKIPPABLE.contains(&name.as_str()) {
                let message = format!("there are no default policies of the kind `{name}`");
                check.warn(Code::NO_EFFECT, &at.index(index), message).help(
                    "one of `MeshTimeout`, `MeshCircuitBreaker`, `MeshRetry`, or `*` for all",
                );
            }
        }
    }
}
