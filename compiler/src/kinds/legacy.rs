//! What older versions of this language had, and what took its place (language section 8).
//!
//! Never rewrites a document: it only gives the words that a refusal comes with.

use crate::diag::{Pointer, Step};

use super::target_ref::Position;

/// A field that was there once.
struct Field {
    /// Kinds, empty for every kind.
    kinds: &'static [&'static str],
    /// The end of its path; `*` is any step, an index is left out.
    path: &'static [&'static str],
    help: &'static str,
}

const fn field(
    kinds: &'static [&'static str],
    path: &'static [&'static str],
    help: &'static str,
) -> Field {
    Field { kinds, path, help }
}

const ROUTES: &[&str] = &["MeshHTTPRoute", "MeshTCPRoute"];
const BY_NAME: &str = "select by labels: `labels: {kuma.io/display-name: <name>}`";
const BY_NAMESPACE: &str = "select by labels: `labels: {k8s.kuma.io/namespace: <namespace>}`";
const BY_TAGS: &str =
    "select by `labels` of the resources themselves, with `kind: Dataplane` at the top of a policy";
const TAGS: &str = "tags became `labels` of the Dataplane: `kuma.io/service` is the label `kuma.io/workload`, `kuma.io/protocol` is the field `protocol`";

/// The longest path that fits wins, so the general ones may stand beside the special ones.
const FIELDS: &[Field] = &[
    field(&[], &["targetRef", "name"], BY_NAME),
    field(&[], &["targetRef", "namespace"], BY_NAMESPACE),
    field(&[], &["targetRef", "tags"], BY_TAGS),
    field(
        &[],
        &["targetRef", "mesh"],
        "traffic between meshes leaves through a MeshExternalService",
    ),
    field(
        &[],
        &["targetRef", "proxyTypes"],
        "remove it: to select gateways only, use `kind: Dataplane` with their labels",
    ),
    field(
        &["MeshTrafficPermission"],
        &["spec", "from"],
        "use `rules`, each with lists `allow`, `deny`, `allowWithShadowDeny` of SPIFFE IDs",
    ),
    field(
        &[],
        &["spec", "from"],
        "use `rules`: `from: [{targetRef: {kind: Mesh}, default: …}]` is `rules: [{default: …}]`",
    ),
    field(ROUTES, &["backendRefs", "name"], BY_NAME),
    field(ROUTES, &["backendRefs", "namespace"], BY_NAMESPACE),
    field(
        ROUTES,
        &["backendRefs", "tags"],
        "make a MeshService that selects the proxies with these labels, and refer to it",
    ),
    field(ROUTES, &["backendRef", "name"], BY_NAME),
    field(ROUTES, &["backendRef", "namespace"], BY_NAMESPACE),
    field(
        ROUTES,
        &["backendRef", "tags"],
        "make a MeshService that selects the proxies with these labels, and refer to it",
    ),
    field(
        &["Mesh"],
        &["mtls"],
        "use a MeshIdentity with the provider `Bundled`, and a MeshTLS for the mode",
    ),
    field(&["Mesh"], &["tracing"], "use a MeshTrace"),
    field(&["Mesh"], &["logging"], "use a MeshAccessLog"),
    field(&["Mesh"], &["metrics"], "use a MeshMetric"),
    field(
        &["Mesh"],
        &["networking"],
        "use a MeshPassthrough: `passthrough: false` is `passthroughMode: None`",
    ),
    field(
        &["Mesh"],
        &["routing"],
        "remove it: routing is local first by default, a MeshLoadBalancingStrategy changes that",
    ),
    field(
        &["Mesh"],
        &["constraints"],
        "remove it: a repository has review for that",
    ),
    field(
        &["Mesh"],
        &["meshServices"],
        "remove it: MeshServices are always used",
    ),
    field(
        &["MeshService"],
        &["selector", "dataplaneTags"],
        "use `dataplaneLabels: {matchLabels: …}`, with `kuma.io/workload` for `kuma.io/service`",
    ),
    field(&["Dataplane"], &["inbound", "tags"], TAGS),
    field(
        &["Dataplane"],
        &["outbound", "tags"],
        "use `backendRef: {kind: MeshService, name: <service>, port: <port>}`",
    ),
    field(
        &["Dataplane"],
        &["inbound", "interface"],
        "use `address`, `port` and `servicePort`",
    ),
    field(
        &["Dataplane"],
        &["outbound", "interface"],
        "use `address` and `port`",
    ),
    field(
        &["Dataplane"],
        &["outbound", "service"],
        "use `backendRef: {kind: MeshService, name: <service>, port: <port>}`",
    ),
    field(
        &["Dataplane"],
        &["transparentProxying", "reachableServices"],
        "use `reachableBackends: {refs: [{kind: MeshService, name: <service>}]}`",
    ),
    field(
        &["Dataplane"],
        &["inbound"],
        "it belongs under `networking`",
    ),
    field(
        &["Dataplane"],
        &["outbound"],
        "it belongs under `networking`",
    ),
    field(&["Dataplane"], &["probes"], "remove it"),
    field(
        &["Dataplane"],
        &["metrics"],
        "use a MeshMetric that selects this Dataplane",
    ),
    field(
        &["Dataplane"],
        &["networking", "advertisedAddress"],
        "use a MeshZoneAddress",
    ),
    field(
        &["Dataplane"],
        &["networking", "advertisedPort"],
        "use a MeshZoneAddress",
    ),
    field(
        &["MeshIdentity"],
        &["provider", "ca"],
        "it belongs under `provider.bundled`",
    ),
    field(
        &["HostnameGenerator"],
        &["mesh"],
        "remove it: a generator names the services of every mesh",
    ),
];

/// What took the place of a field. `pointer` is that of the field, from the root of the document.
pub(crate) fn field_help(kind: &str, pointer: &Pointer) -> Option<&'static str> {
    let names = pointer.steps.iter().filter_map(|step| match step {
        Step::Field(name) | Step::Again(name) => Some(name.as_str()),
        Step::Index(_) => None,
    });
    let names: Vec<&str> = names.collect();
    let fits = |field: &&Field| {
        (field.kinds.is_empty() || field.kinds.contains(&kind)) && names.ends_with(field.path)
    };
    // A path of one step is that of a field at the top of the body.
    let top = |field: &&Field| {
        field.path.len() > 1 || names.len() == 1 || matches!(names.as_slice(), ["spec", _])
    };
    let mut fitting: Vec<&Field> = FIELDS.iter().filter(fits).filter(top).collect();
    fitting.sort_by_key(|field| (field.path.len(), field.kinds.len()));
    fitting.last().map(|field| field.help)
}

/// What took the place of a kind in a reference.
pub(super) fn target_kind(kind: &str, position: Position) -> Option<&'static str> {
    match (kind, position) {
        ("MeshSubset", Position::Top) => Some("use `kind: Dataplane` with `labels`"),
        ("MeshSubset" | "MeshServiceSubset", Position::To | Position::Backend) => {
            Some("make a MeshService that selects these proxies, and refer to it by its labels")
        }
        ("MeshService" | "MeshServiceSubset", Position::Top) => {
            Some("use `kind: Dataplane` with the labels that the MeshService selects")
        }
        ("MeshGateway", _) => Some(
            "builtin gateways do not exist here: use a delegated gateway, and `kind: Dataplane` with its labels",
        ),
        ("MeshHTTPRoute", Position::Top) => {
            Some("use the route in `to`: `to: [{targetRef: {kind: MeshHTTPRoute, labels: …}}]`")
        }
        ("Mesh", Position::To) => {
            Some("a route is about one destination: refer to a MeshService by its labels")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_were_there_once() {
        let check = |kind: &str, path: &[&str], expected: Option<&str>| {
            let steps = path.iter().map(|name| match name.parse() {
                Ok(index) => Step::Index(index),
                Err(_) => Step::Field((*name).to_owned()),
            });
            let pointer = Pointer {
                steps: steps.collect(),
            };
            let found = field_help(kind, &pointer);
            match expected {
                Some(expected) => assert!(
                    found.is_some_and(|help| help.contains(expected)),
                    "{kind} {path:?}: {found:?}"
                ),
                None => assert_eq!(found, None, "{kind} {path:?}"),
            }
        };
        check(
            "MeshTimeout",
            &["spec", "targetRef", "name"],
            Some("kuma.io/display-name"),
        );
        check(
            "MeshTimeout",
            &["spec", "to", "0", "targetRef", "tags"],
            Some("labels"),
        );
        check("MeshTimeout", &["spec", "from"], Some("rules: [{default"));
        check("MeshTrafficPermission", &["spec", "from"], Some("SPIFFE"));
        check("Mesh", &["mtls"], Some("MeshIdentity"));
        check("Mesh", &["spec", "mtls"], Some("MeshIdentity"));
        check(
            "Dataplane",
            &["networking", "inbound", "0", "tags"],
            Some("kuma.io/workload"),
        );
        check("Dataplane", &["inbound"], Some("under `networking`"));
        check("Dataplane", &["networking", "admin", "inbound"], None);
        check(
            "MeshHTTPRoute",
            &[
                "spec",
                "to",
                "0",
                "rules",
                "1",
                "default",
                "backendRefs",
                "0",
                "name",
            ],
            Some("display-name"),
        );
        check("MeshTimeout", &["spec", "nonsense"], None);
    }
}
