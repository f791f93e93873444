//! `MeshTCPRoute`: where connections go (language 5.2).
//!
//! Never has a match: a TCP connection shows nothing to match.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::target_ref::{BackendRef, TargetRef};
use super::{Body, Check, KindInfo, SERVICES, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTCPRoute",
    short: "mtcpr",
    to: SERVICES,
    example: include_str!("mesh_tcp_route/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshTcpRoute>,
    parse: |body, check| {
        let spec: MeshTcpRoute = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshTcpRoute)
    },
};

/// Where the connections go that the selected proxies make to a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTcpRoute {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination. At least one.
    #[serde(default)]
    pub(crate) to: Vec<TcpRouteTo>,
}

/// Where connections to a destination go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpRouteTo {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// At most one; none is the destination itself. Required.
    pub(crate) rules: Option<Vec<TcpRouteRule>>,
}

/// All connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpRouteRule {
    /// Where to. Required.
    pub(crate) default: Option<TcpRouteConf>,
}

/// Where connections go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TcpRouteConf {
    /// Services by weight, chosen per connection. Required.
    pub(crate) backend_refs: Option<Vec<BackendRef>>,
}

impl MeshTcpRoute {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("to");
        if self.to.is_empty() {
            check.missing(&at).help("at least one destination");
        }
        for (index, to) in self.to.iter().enumerate() {
            to.check(&at.index(index), check);
        }
    }
}

impl TcpRouteTo {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let target = self.target_ref.as_ref();
        TargetRef::check_item(target, &at.field("targetRef"), KIND.to, check);
        let at = at.field("rules");
        let Some(rules) = &self.rules else {
            check
                .missing(&at)
                .help("`rules: []` is the destination itself");
            return;
        };
        if rules.len() > 1 {
            let message = "there can be only one rule: a connection shows nothing to choose by";
            check.invalid(&at, message);
        }
        for (index, rule) in rules.iter().enumerate() {
            let at = at.index(index).field("default").field("backendRefs");
            let conf = rule.default.as_ref();
            match conf.and_then(|conf| conf.backend_refs.as_ref()) {
                Some(backends) if !backends.is_empty() => {
                    BackendRef::check_all(backends, &at, check);
                }
                _ => {
                    let message = "`backendRefs` must name at least one service";
                    check.error(Code::MISSING_FIELD, &at, message);
                }
            }
        }
    }
}
