//! `MeshTrafficPermission`: who may talk to a proxy (language 5.5).
//!
//! Never orders anything: a deny of any policy wins over every allow.

use schemars::JsonSchema;
use serde::Deserialize;

use super::client_match::Match;
use super::target_ref::TargetRef;
use super::{Body, KindInfo, PolicyInfo, Scope, Spec, Style, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTrafficPermission",
    short: "mtp",
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    policy: Some(PolicyInfo {
        style: Style::Rules,
        to: &[],
    }),
    schema: schema::of::<MeshTrafficPermission>,
    parse: |body, check| {
        let spec: MeshTrafficPermission = read::typed(body, check)?;
        Some(Spec::MeshTrafficPermission(spec))
    },
};

/// Who may talk to a proxy that has an identity. Any deny wins, then any allow; who is neither denied nor allowed is
/// refused. Over all policies: their order never matters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTrafficPermission {
    /// Whose inbounds: `Mesh` or `Dataplane`, the latter with `sectionName` for one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// Who. At least one.
    #[serde(default)]
    pub(crate) rules: Vec<PermissionRule>,
}

/// Who may, and who may not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PermissionRule {
    /// The lists. Required.
    pub(crate) default: Option<PermissionConf>,
}

/// Lists of clients; at least one of them is not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PermissionConf {
    /// Refused, whatever else allows them.
    #[serde(default)]
    pub(crate) deny: Vec<Match>,
    /// Allowed, unless something denies them.
    #[serde(default)]
    pub(crate) allow: Vec<Match>,
    /// Allowed like `allow`; their traffic is recorded as what a deny would refuse.
    #[serde(default)]
    pub(crate) allow_with_shadow_deny: Vec<Match>,
}
