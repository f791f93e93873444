//! Kinds that are not here, each with what to do instead (language 0.2, 7 and 8.3).
//!
//! Never accepts one: a document that is read and then ignored would look as if it had an effect.

use crate::diag::Code;
use crate::similar;
use crate::source::Node;

use super::{KINDS, legacy};

/// Why a kind is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// `legacy`, `unsupported` or `unknown-kind`.
    pub(crate) code: Code,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: String,
}

/// Kinds of the language that nothing of this version looks at.
const LATER: [&str; 1] = ["ContainerPatch"];

/// Kinds that configure another proxy.
const PATCHES: [&str; 1] = ["MeshProxyPatch"];

/// Why a kind is refused that this version does not know.
pub(crate) fn refusal(name: &str, root: &Node) -> Refusal {
    let refuse = |code: Code, message: String, help: String| Refusal {
        code,
        message,
        help,
    };
    let unsupported = |message: String, help: String| refuse(Code::UNSUPPORTED, message, help);
    if let Some((message, help)) = legacy::replacement(name, root) {
        return refuse(Code::LEGACY, message, help);
    }
    if LATER.contains(&name) {
        let message = format!("`{name}` has no effect: this version injects no proxy into a pod");
        let help = "remove it, or leave it to whoever injects".to_owned();
        return refuse(Code::NOT_IMPLEMENTED, message, help);
    }
    if PATCHES.contains(&name) {
        let message = format!("`{name}` patches the configuration of another proxy than ours");
        return unsupported(message, legacy::PATCH.to_owned());
    }
    let message = format!("there is no kind `{name}`");
    let known = KINDS.iter().map(|kind| kind.name);
    let help = match similar::nearest(name, known.clone().chain(LATER)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the kinds are {}", similar::listed(known, "and")),
    };
    refuse(
        Code::UNKNOWN_KIND,
        message,
        similar::with_stranger(help, name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{NodeKind, Span};

    #[test]
    fn what_is_said_of_a_kind_that_is_not_here() {
        let check = |name: &str, code: Code, message: &str, help: &str| {
            let found = refusal(name, &nothing());
            assert_eq!(found.code, code, "{name}");
            assert!(found.message.contains(message), "{name}: {}", found.message);
            assert!(found.help.contains(help), "{name}: {}", found.help);
        };
        check(
            "ContainerPatch",
            Code::NOT_IMPLEMENTED,
            "`ContainerPatch` has no effect",
            "whoever injects",
        );
        check(
            "TrafficRoute",
            Code::LEGACY,
            "does not exist any more",
            "MeshHTTPRoute",
        );
        check(
            "MeshGateway",
            Code::LEGACY,
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
        // Section 8.3 of the language, and section 7 for gateways.
        let legacy = [
            "AccessLog",
            "CircuitBreaker",
            "ExternalService",
            "FaultInjection",
            "Gateway",
            "GatewayClass",
            "HTTPRoute",
            "HealthCheck",
            "MeshGateway",
            "MeshGatewayConfig",
            "MeshGatewayInstance",
            "MeshGatewayRoute",
            "ProxyTemplate",
            "RateLimit",
            "Retry",
            "Timeout",
            "TrafficLog",
            "TrafficPermission",
            "TrafficRoute",
            "TrafficTrace",
            "VirtualOutbound",
            "ZoneEgress",
            "ZoneIngress",
        ];
        for name in legacy {
            assert_eq!(refusal(name, &nothing()).code, Code::LEGACY, "{name}");
        }
        for name in LATER.iter().chain(&PATCHES).chain(&legacy) {
            assert!(super::super::find(name).is_none(), "{name}");
        }
        for kind in KINDS {
            assert_ne!(
                refusal(kind.name, &nothing()).code,
                Code::LEGACY,
                "{}",
                kind.name
            );
        }
    }

    /// The root of a document that says nothing.
    fn nothing() -> Node {
        Node {
            kind: NodeKind::Null,
            span: Span::default(),
        }
    }
}
