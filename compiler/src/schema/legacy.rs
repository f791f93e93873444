//! Fields that documents of an older language have, and what to write instead (language 8.1, 8.2).
//!
//! Never rewrites: what a document says must stand in it.

use crate::diag::{Pointer, Step};

/// What to write instead of a field that is known from the older language.
pub(super) fn instead(kind: &str, around: &Pointer, field: &str) -> Option<&'static str> {
    let inside = around.steps.iter().rev().find_map(|step| match step {
        Step::Field(name) | Step::Again(name) => Some(name.as_str()),
        Step::Index(_) => None,
    });
    let reference = matches!(inside, Some("targetRef" | "backendRef" | "backendRefs"));
    Some(match (kind, field) {
        (_, "name") if reference => {
            "select by a label instead: `labels: {kuma.io/display-name: <name>}`"
        }
        (_, "namespace") if reference => {
            "select by a label instead: `labels: {k8s.kuma.io/namespace: <namespace>}`"
        }
        (_, "tags") if reference => "select by `labels` instead",
        (_, "mesh") if reference => "references to other meshes are not part of this language",
        (_, "proxyTypes") if reference => "remove it; select gateways by their labels",
        ("MeshTrafficPermission", "from") => {
            "write `rules` instead, each with `allow`, `deny` or `allowWithShadowDeny`"
        }
        (_, "from") if around.steps.is_empty() => {
            "write `rules` instead, with `matches` for the clients"
        }
        ("Mesh", "mtls") => "write a MeshIdentity instead, and a MeshTLS for the mode",
        ("Mesh", "logging") => "write a MeshAccessLog instead",
        ("Mesh", "tracing") => "write a MeshTrace instead",
        ("Mesh", "metrics") => "write a MeshMetric instead",
        ("Mesh", "networking") => "write a MeshPassthrough instead",
        ("MeshService", "dataplaneTags") => "select by `dataplaneLabels` instead",
        ("Dataplane", "tags") => {
            "write `labels` at the top of the document, and `protocol` on the inbound"
        }
        ("Dataplane", "reachableServices") => "write `reachableBackends` instead",
        ("Dataplane", "probes" | "metrics") => "remove it",
        _ => return None,
    })
}
