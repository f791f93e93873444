//! Kinds that this version does not act on, each with what to do instead (language 0.2, 7 and 8.3).
//!
//! Never accepts one: a document that is read and then ignored would look as if it had an effect.

use crate::diag::Code;
use crate::similar;

use super::{KINDS, find};

/// Why a kind is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `unsupported` or `unknown-kind`.
    pub(crate) code: Code,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: String,
}

/// Kinds of the language that later versions read.
const LATER: [&str; 1] = ["ContainerPatch"];

/// Kinds that were there once, and what took their place.
const LEGACY: [(&str, &str); 16] = [
    ("AccessLog", "MeshAccessLog"),
    ("CircuitBreaker", "MeshCircuitBreaker"),
    ("ExternalService", "MeshExternalService"),
    ("FaultInjection", "MeshFaultInjection"),
    ("HealthCheck", "MeshHealthCheck"),
    ("RateLimit", "MeshRateLimit"),
    ("Retry", "MeshRetry"),
    ("Timeout", "MeshTimeout"),
    ("TrafficLog", "MeshAccessLog"),
    ("TrafficPermission", "MeshTrafficPermission"),
    ("TrafficRoute", "MeshHTTPRoute` or a `MeshTCPRoute"),
    ("TrafficTrace", "MeshTrace"),
    ("VirtualOutbound", "HostnameGenerator"),
    ("ZoneEgress", "Dataplane` with `listeners"),
    (
        "ZoneIngress",
        "Dataplane` with `listeners` and a `MeshZoneAddress",
    ),
    ("DataplaneInsight", "Dataplane"),
];

const GATEWAYS: [&str; 7] = [
    "Gateway",
    "GatewayClass",
    "HTTPRoute",
    "MeshGateway",
    "MeshGatewayConfig",
    "MeshGatewayInstance",
    "MeshGatewayRoute",
];

const PATCHES: [&str; 2] = ["MeshProxyPatch", "ProxyTemplate"];

/// Why a kind is refused that this version does not know, or does not act on.
pub(crate) fn refusal(name: &str) -> Refusal {
    let refuse = |code: Code, message: String, help: String| Refusal {
        code,
        message,
        help,
    };
    let unsupported = |message: String, help: String| refuse(Code::UNSUPPORTED, message, help);
    let legacy = LEGACY.iter().find(|(legacy, _)| *legacy == name);
    if let Some((_, modern)) = legacy {
        let message = format!("`{name}` does not exist any more");
        return unsupported(message, format!("use a `{modern}`"));
    }
    if LATER.contains(&name) || find(name).is_some() {
        let message = format!("`{name}` is not supported by this version yet");
        return unsupported(message, later(name).to_owned());
    }
    if GATEWAYS.contains(&name) {
        let message = format!("`{name}` is not supported: the mesh has no gateway of its own");
        let help = "run a gateway of your choice beside a proxy whose Dataplane has `gateway: {type: DELEGATED}`; routes to services become `MeshHTTPRoute`s";
        return unsupported(message, help.to_owned());
    }
    if PATCHES.contains(&name) {
        let message = format!("`{name}` patches the configuration of another proxy than ours");
        let help = "use the policy for what the patch does: timeouts a `MeshTimeout`, headers a `MeshHTTPRoute`, who may connect a `MeshTrafficPermission`";
        return unsupported(message, help.to_owned());
    }
    let message = format!("there is no kind `{name}`");
    let known = KINDS.iter().map(|kind| kind.name);
    let help = match similar::nearest(name, known.clone().chain(LATER)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let acting = KINDS.iter().filter(|kind| kind.has_effect);
            let acting = acting.map(|kind| kind.name);
            format!("the kinds are {}", similar::listed(acting, "and"))
        }
    };
    refuse(
        Code::UNKNOWN_KIND,
        message,
        similar::with_stranger(help, name),
    )
}

/// What to do until then.
fn later(name: &str) -> &'static str {
    match name {
        "Secret" | "GlobalSecret" => {
            "keep secrets out of the repository: meshd reads them from its environment or from files"
        }
        "Workload" => "remove it: it follows from the labels of the Dataplanes",
        "MeshRetry" | "MeshCircuitBreaker" => {
            "remove it; a `MeshTimeout` bounds how long a failing service is waited for"
        }
        "MeshRateLimit" | "MeshFaultInjection" | "MeshHealthCheck" => {
            "remove it: traffic is not changed by it in this version"
        }
        "MeshAccessLog" | "MeshMetric" | "MeshTrace" | "MeshOpenTelemetryBackend" => {
            "remove it: every proxy gives metrics at `/metrics` of its admin address and logs what it refuses"
        }
        "MeshPassthrough" => {
            "remove it: traffic that leaves the mesh does not pass the proxies in this version"
        }
        _ => "remove it: this version is for one zone, with the kinds of the guide",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_kind_that_is_not_here() {
        let check = |name: &str, code: Code, message: &str, help: &str| {
            let found = refusal(name);
            assert_eq!(found.code, code, "{name}");
            assert!(found.message.contains(message), "{name}: {}", found.message);
            assert!(found.help.contains(help), "{name}: {}", found.help);
        };
        check(
            "MeshRetry",
            Code::UNSUPPORTED,
            "`MeshRetry` is not supported by this version yet",
            "MeshTimeout",
        );
        check(
            "TrafficRoute",
            Code::UNSUPPORTED,
            "does not exist any more",
            "`MeshHTTPRoute` or a `MeshTCPRoute`",
        );
        check(
            "MeshGateway",
            Code::UNSUPPORTED,
            "no gateway of its own",
            "DELEGATED",
        );
        check(
            "MeshProxyPatch",
            Code::UNSUPPORTED,
            "another proxy",
            "MeshHTTPRoute",
        );
        check(
            "MeshTimout",
            Code::UNKNOWN_KIND,
            "there is no kind `MeshTimout`",
            "did you mean `MeshTimeout`?",
        );
        check(
            "meshservice",
            Code::UNKNOWN_KIND,
            "there is no kind",
            "did you mean `MeshService`?",
        );
        check(
            "Deployment",
            Code::UNKNOWN_KIND,
            "there is no kind",
            "the kinds are `Mesh`",
        );
        check(
            "",
            Code::UNKNOWN_KIND,
            "there is no kind ``",
            "the kinds are",
        );
    }

    #[test]
    fn a_kind_is_either_here_or_not() {
        let elsewhere = LATER.iter().chain(&GATEWAYS).chain(&PATCHES);
        let legacy = LEGACY.iter().map(|(name, _)| name);
        for name in elsewhere.chain(legacy) {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
