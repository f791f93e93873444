//! `MeshTCPRoute`: where connections go (language 5.2).
//!
//! Never has a match: a TCP connection shows nothing to match.

use schemars::JsonSchema;
use serde::Deserialize;

use super::target_ref::{BackendRef, TargetRef};
use super::{Body, KindInfo, PolicyInfo, SERVICES, Scope, Spec, Style, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTCPRoute",
    short: "mtcpr",
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    policy: Some(PolicyInfo {
        style: Style::Routes,
        to: SERVICES,
    }),
    schema: schema::of::<MeshTcpRoute>,
    parse: |body, check| {
        let spec: MeshTcpRoute = read::typed(body, check)?;
        Some(Spec::MeshTcpRoute(spec))
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
