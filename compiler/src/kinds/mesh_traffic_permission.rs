//! `MeshTrafficPermission`: who may talk to a proxy (language 5.5).
//!
//! Never orders anything: a deny of any policy wins over every allow.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::client_match::Match;
use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTrafficPermission",
    short: "mtp",
    to: &[],
    example: include_str!("mesh_traffic_permission/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshTrafficPermission>,
    parse: |body, check| {
        let spec: MeshTrafficPermission = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshTrafficPermission)
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

impl MeshTrafficPermission {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), true, check);
        let spec = Pointer::default();
        if self.rules.is_empty() {
            check
                .error(Code::MISSING_FIELD, &spec, "a permission must have `rules`")
                .help("`rules: [{default: {allow: […]}}]`");
        }
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check(&spec.field("rules").index(index), check);
        }
    }
}

impl PermissionRule {
    /// What is wrong with an entry is reported beside `default`, as the language has it: `rules[0].allow[0]`.
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let empty = PermissionConf::default();
        let conf = self.default.as_ref().unwrap_or(&empty);
        if *conf == empty {
            let message = "a rule must have at least one of `allow`, `allowWithShadowDeny`, `deny`";
            check
                .error(Code::MISSING_FIELD, at, message)
                .help("who is in no list is denied already");
        }
        let lists = [
            ("deny", &conf.deny),
            ("allow", &conf.allow),
            ("allowWithShadowDeny", &conf.allow_with_shadow_deny),
        ];
        for (name, list) in lists {
            for (index, entry) in list.iter().enumerate() {
                entry.check(&at.field(name).index(index), check);
            }
        }
    }
}
