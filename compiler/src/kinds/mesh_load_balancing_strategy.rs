//! `MeshLoadBalancingStrategy`: which instance gets a request (language 5.10).
//!
//! Never picks one: that is for the proxy.

mod check;
pub(crate) mod locality;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalar::{Percentage, TimeSpan};
use super::target_ref::TargetRef;
use super::{Body, DESTINATIONS, KindInfo, Scope, Spec, read, schema};

pub(crate) use locality::LocalityAwareness;

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshLoadBalancingStrategy",
    short: "mlbs",
    to: DESTINATIONS,
    example: include_str!("mesh_load_balancing_strategy/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshLoadBalancingStrategy>,
    parse: |body, check| {
        let spec: MeshLoadBalancingStrategy = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshLoadBalancingStrategy(spec))
    },
};

/// Which instance of a destination gets a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshLoadBalancingStrategy {
    /// Whose proxies: `Mesh` or `Dataplane`. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination: `Mesh`, `MeshService`, `MeshExternalService`, `MeshMultiZoneService` or, for `hashPolicies`,
    /// `MeshHTTPRoute`.
    #[serde(default)]
    pub(crate) to: Vec<BalancingTo>,
}

/// Balancing towards a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BalancingTo {
    /// Which destinations. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// How.
    pub(crate) default: Option<BalancingConf>,
}

/// How instances are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BalancingConf {
    /// Which zones come first.
    pub(crate) locality_awareness: Option<LocalityAwareness>,
    /// How one of them is chosen. Built in: `RoundRobin`.
    pub(crate) load_balancer: Option<LoadBalancer>,
    /// What makes requests go to the same instance, with `RingHash` and `Maglev`.
    pub(crate) hash_policies: Option<Vec<HashPolicy>>,
}

/// How an instance is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LoadBalancer {
    /// `RoundRobin`, `LeastRequest`, `PeakEWMA`, `RingHash`, `Random` or `Maglev`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<BalancerType>,
    /// For `LeastRequest`.
    pub(crate) least_request: Option<LeastRequest>,
    /// For `PeakEWMA`.
    #[serde(rename = "peakEWMA")]
    pub(crate) peak_ewma: Option<PeakEwma>,
    /// For `RingHash`.
    pub(crate) ring_hash: Option<RingHash>,
    /// For `Maglev`.
    pub(crate) maglev: Option<Maglev>,
    /// Instances that are new, or well again, get less than their share at first. Not for `RingHash` and `Maglev`.
    pub(crate) slow_start: Option<SlowStart>,
}

/// How an instance is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum BalancerType {
    /// One after the other.
    RoundRobin,
    /// The one with the fewest requests, of some.
    LeastRequest,
    /// The one that is expected to answer soonest, of some. Other tools of this language do not know it.
    PeakEWMA,
    /// By a hash, on a ring.
    RingHash,
    /// At random.
    Random,
    /// By a hash, in a table.
    Maglev,
}

/// The fewest requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct LeastRequest {
    /// Of how many, at least 2. Default: 2.
    pub(crate) choice_count: Option<u32>,
    /// How much requests count against weights, at least zero. Default: 1.
    pub(crate) active_request_bias: Option<Percentage>,
}

/// The soonest answer: how long responses took, of which peaks count at once and fade, times the requests under way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct PeakEwma {
    /// Of how many, at least 2. Default: 2.
    pub(crate) choice_count: Option<u32>,
    /// How fast what was measured fades, more than zero: after so long it counts about a third. Default: `10s`.
    pub(crate) decay_time: Option<TimeSpan>,
    /// A request that fails (5xx, no response) counts as one that took at least this long. Default: `1s`.
    pub(crate) failure_penalty: Option<TimeSpan>,
}

/// The first time of an instance that is new, or well again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SlowStart {
    /// How long it is, more than zero. Required.
    pub(crate) window: Option<TimeSpan>,
    /// How the share grows, more than zero: 1 with the time, more than that faster at first. Default: 1.
    pub(crate) aggression: Option<Percentage>,
    /// What an instance gets of its share from the beginning, 1 to 100 percent. Default: 10.
    pub(crate) min_weight_percent: Option<u32>,
}

/// A ring.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RingHash {
    /// `XXHash` or `MurmurHash2`. Default: `XXHash`.
    pub(crate) hash_function: Option<HashFunction>,
    /// 1 to 8000000. Default: 1024.
    pub(crate) min_ring_size: Option<u32>,
    /// 1 to 8000000. Default: 8000000.
    pub(crate) max_ring_size: Option<u32>,
}

/// A function that makes a number of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum HashFunction {
    /// xxHash.
    #[serde(rename = "XXHash")]
    XxHash,
    /// `MurmurHash` 2.
    MurmurHash2,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Maglev {
    /// A prime number, 1 to 5000011. Default: 65537.
    pub(crate) table_size: Option<u32>,
}

/// A part of what is hashed. The member that belongs to `type` is required.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HashPolicy {
    /// `Header`, `Cookie`, `Connection`, `QueryParameter` or `FilterState`. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<HashPolicyType>,
    /// Where this part gives something, do the later ones not count? Default: `false`.
    pub(crate) terminal: Option<bool>,
    /// For `Header`.
    pub(crate) header: Option<HashedName>,
    /// For `Cookie`.
    pub(crate) cookie: Option<HashedCookie>,
    /// For `Connection`.
    pub(crate) connection: Option<HashedConnection>,
    /// For `QueryParameter`.
    pub(crate) query_parameter: Option<HashedName>,
    /// For `FilterState`.
    pub(crate) filter_state: Option<HashedState>,
}

/// What is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum HashPolicyType {
    /// A header of the request.
    Header,
    /// A cookie.
    Cookie,
    /// The address of the client.
    Connection,
    /// A parameter of the query.
    QueryParameter,
    /// A value of a filter. No effect.
    FilterState,
}

/// Something by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HashedName {
    /// Its name. Required.
    pub(crate) name: Option<String>,
}

/// A cookie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HashedCookie {
    /// Its name. Required.
    pub(crate) name: Option<String>,
    /// Where it is missing, one is made that lives this long.
    pub(crate) ttl: Option<TimeSpan>,
    /// Its path, absolute.
    pub(crate) path: Option<String>,
}

/// The connection of the client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HashedConnection {
    /// Is the address hashed?
    #[serde(rename = "sourceIP")]
    pub(crate) source_ip: Option<bool>,
}

/// A value of a filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct HashedState {
    /// Its key. Required.
    pub(crate) key: Option<String>,
}
