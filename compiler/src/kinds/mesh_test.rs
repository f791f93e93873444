//! `MeshTest`: what has to hold of the mesh, asked by `meshc test` and by nobody else.
//!
//! Never reaches a bundle: no proxy is told what is expected of it.

mod check;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::client_match::SpiffeIdMatch;
use super::mesh_http_route::filter::HeaderValue;
use super::mesh_timeout::TimeoutConf;
use super::scalar::{Percentage, TimeSpan};
use super::target_ref::{TargetKind, TargetRef};
use super::{Body, KindInfo, SERVICES, Scope, Spec, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshTest",
    short: "mtest",
    to: SERVICES,
    example: include_str!("mesh_test/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<MeshTest>,
    parse: |body, check| {
        let spec: MeshTest = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshTest(Box::new(spec)))
    },
};

/// What has to hold of the mesh: `meshc test` asks it of the compiled bundle, by the same decisions as the proxies. No proxy
/// ever sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshTest {
    /// What is asked, one after the other. At least one.
    #[serde(default)]
    pub(crate) tests: Vec<Intent>,
}

/// One thing that has to hold: for every client that `from` selects, and every port that `to` selects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Intent {
    /// What reports call it. Default: what it says, in a few words.
    pub(crate) name: Option<String>,
    /// Who sends. Required.
    pub(crate) from: Option<Clients>,
    /// To which ports: all of the services that carry the labels, or one with `sectionName`. Required.
    pub(crate) to: Option<TargetRef>,
    /// Which request, where the port speaks HTTP. Default: `GET /`.
    pub(crate) request: Option<TestRequest>,
    /// What has to hold. Required.
    pub(crate) expect: Option<Expectation>,
}

/// Who sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Clients {
    /// `Dataplane`: the workloads of the repository that carry the `labels`, through their proxies. `SpiffeID`: every
    /// identity that `spiffeID` matches, whether a workload has it today or not. `Plaintext`: whoever comes without mesh
    /// TLS. `Anybody`: all identities that the mesh can vouch for, and whoever comes without one. Required.
    pub(crate) kind: Option<ClientKind>,
    /// For `Dataplane`: all of these. Without labels, every Dataplane of the mesh.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// For `SpiffeID`: which.
    #[serde(rename = "spiffeID")]
    pub(crate) spiffe_id: Option<SpiffeIdMatch>,
    /// All but the identities that one of these matches, and all but the Dataplanes that have one.
    #[serde(default)]
    pub(crate) except: Vec<SpiffeIdMatch>,
}

/// What clients are known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ClientKind {
    /// Their Dataplane.
    Dataplane,
    /// Their identity.
    #[serde(rename = "SpiffeID")]
    SpiffeId,
    /// That they have none.
    Plaintext,
    /// Nothing.
    Anybody,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TestRequest {
    /// In upper case. Default: `GET`.
    pub(crate) method: Option<String>,
    /// Begins with `/`; may have a query. Default: `/`.
    pub(crate) path: Option<String>,
    /// Its headers; `host` is the authority.
    #[serde(default)]
    pub(crate) headers: Vec<HeaderValue>,
}

/// What has to hold. At least one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Expectation {
    /// `Allow`: all of it is served, by every instance. `Deny`: no instance serves any of it.
    pub(crate) access: Option<Access>,
    /// For `Dataplane`: does its proxy speak mesh TLS to every server? For others: do the servers refuse whoever does not?
    pub(crate) encrypted: Option<bool>,
    /// For `Dataplane`: where the request goes.
    pub(crate) route: Option<RouteExpectation>,
    /// Those that are set have to be in effect. For `Dataplane`, in its own proxy; for others, in those of the servers, which
    /// know `http.requestTimeout` and `http.streamIdleTimeout` of a client.
    pub(crate) timeout: Option<TimeoutConf>,
    /// For `Dataplane`: how often the request is sent again at most, or the connection tried again. 0: never.
    pub(crate) retries: Option<u32>,
    /// How many requests, or connections to a port that speaks no HTTP, each server takes from the client.
    pub(crate) rate: Option<RateExpectation>,
}

/// Served, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Access {
    /// All of it is served.
    Allow,
    /// None of it is.
    Deny,
}

/// Where a request goes. Exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RouteExpectation {
    /// To these service ports and no other.
    pub(crate) backends: Option<Vec<ShareExpectation>>,
    /// Back to the client: the status of the redirect.
    pub(crate) redirect: Option<u32>,
}

/// A part of the traffic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ShareExpectation {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Default: `MeshService`.
    pub(crate) kind: Option<TargetKind>,
    /// Of the service. Required.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// The port, by name or number. Default: any.
    pub(crate) section_name: Option<String>,
    /// Percent of the requests, 0 to 100. Default: 100.
    pub(crate) share: Option<Percentage>,
}

/// How much is let in. Either `num` and `interval`, or `disabled`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RateExpectation {
    /// How many.
    pub(crate) num: Option<u32>,
    /// In which time.
    pub(crate) interval: Option<TimeSpan>,
    /// `true`: as many as come.
    pub(crate) disabled: Option<bool>,
}

impl ShareExpectation {
    /// What is named, where nothing is said.
    pub(crate) fn target_kind(&self) -> TargetKind {
        self.kind.clone().unwrap_or(TargetKind::MeshService)
    }
}
