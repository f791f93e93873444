//! `Zone`: a part of the mesh with a control plane of its own (language 3.13).
//!
//! Never lists what is in it: resources say where they are.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Body, Check, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "Zone",
    short: "z",
    to: &[],
    example: include_str!("zone/example.yaml"),
    scope: Scope::Global,
    body: Body::Flat,
    system_only: false,
    name_is_label: true,
    is_policy: false,
    schema: schema::of::<Zone>,
    parse: |body, check| {
        let spec: Zone = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::Zone(spec))
    },
};

/// A zone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Zone {
    /// With `false` its endpoints are withdrawn everywhere. Default: `true`.
    pub(crate) enabled: Option<bool>,
}

impl Zone {
    /// Its fields have no more to hold than their types.
    #[expect(clippy::unused_self, reason = "the shape of every kind")]
    fn check(&self, _: &mut Check<'_>) {}
}
