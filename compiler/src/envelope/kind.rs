//! From the name of a kind to what is known of it, or to why it cannot be.
//!
//! Never accepts a kind without an implementation: what would have no effect is refused.

use super::reader::Reader;
use crate::diag::{Code, Pointer};
use crate::kinds::{KINDS, KindInfo};
use crate::similar;

/// Kinds of the language that this version does not implement.
const LATER: [&str; 18] = [
    "GlobalSecret",
    "MeshAccessLog",
    "MeshCircuitBreaker",
    "MeshExternalService",
    "MeshFaultInjection",
    "MeshHealthCheck",
    "MeshLoadBalancingStrategy",
    "MeshMetric",
    "MeshMultiZoneService",
    "MeshOpenTelemetryBackend",
    "MeshPassthrough",
    "MeshRateLimit",
    "MeshRetry",
    "MeshTrace",
    "MeshZoneAddress",
    "Secret",
    "Workload",
    "Zone",
];

/// Kinds that are not part of the language, and what takes their place (language 8.3).
const REPLACED: [(&str, &str); 22] = [
    ("AccessLog", "use MeshAccessLog"),
    ("CircuitBreaker", "use MeshCircuitBreaker"),
    ("ContainerPatch", "sidecars are not injected by this mesh"),
    ("ExternalService", "use MeshExternalService"),
    ("FaultInjection", "use MeshFaultInjection"),
    ("HealthCheck", "use MeshHealthCheck"),
    ("MeshGateway", GATEWAY),
    ("MeshGatewayConfig", GATEWAY),
    ("MeshGatewayInstance", GATEWAY),
    ("MeshGatewayRoute", GATEWAY),
    (
        "MeshProxyPatch",
        "there is no Envoy behind this mesh to patch; say which behaviour you need",
    ),
    (
        "ProxyTemplate",
        "there is no Envoy behind this mesh to patch; say which behaviour you need",
    ),
    ("RateLimit", "use MeshRateLimit"),
    ("Retry", "use MeshRetry"),
    ("Timeout", "use MeshTimeout"),
    ("TrafficLog", "use MeshAccessLog"),
    ("TrafficPermission", "use MeshTrafficPermission"),
    ("TrafficRoute", "use MeshHTTPRoute or MeshTCPRoute"),
    ("TrafficTrace", "use MeshTrace"),
    ("VirtualOutbound", "use HostnameGenerator"),
    ("ZoneEgress", "use a Dataplane with `listeners`"),
    ("ZoneIngress", "use a Dataplane with `listeners`"),
];

const GATEWAY: &str =
    "run a gateway of your choice behind a Dataplane with `networking.gateway` of type DELEGATED";

/// The kind of this name. Reports why there is none.
pub(super) fn find(reader: &mut Reader<'_>, name: &str, at: &Pointer) -> Option<&'static KindInfo> {
    if let Some(kind) = crate::kinds::find(name) {
        return Some(kind);
    }
    if LATER.contains(&name) {
        reader
            .error(
                Code::UNSUPPORTED,
                at,
                format!("`{name}` is a kind that this version does not implement yet"),
            )
            .help("leave the document out for now: accepting it would promise an effect that it does not have");
        return None;
    }
    let replaced = REPLACED.iter().find(|(kind, _)| *kind == name);
    if let Some((_, instead)) = replaced {
        reader
            .error(
                Code::UNSUPPORTED,
                at,
                format!("`{name}` is not a kind of this language any more"),
            )
            .help(*instead);
        return None;
    }
    let finding = reader.error(Code::UNKNOWN_KIND, at, format!("there is no kind `{name}`"));
    let known = KINDS.iter().map(|kind| kind.name);
    let all = known.clone().chain(LATER).collect::<Vec<_>>();
    match similar::nearest(name, all) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None => finding.help(format!("the kinds are {}", similar::listed(known, "and"))),
    };
    None
}
