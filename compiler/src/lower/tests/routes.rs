//! Routes: the order in which they are tried, what they merge to, and where traffic goes.

use mesh_bundle::resource::{Filter, HttpRoute, PathMatch};

use super::*;

fn routes(compiled: &Compiled, proxy: &str) -> Vec<HttpRoute> {
    match destination(compiled, proxy, &port("api", "http")).traffic {
        Traffic::Http { routes } => routes,
        Traffic::Tcp { .. } => panic!("not HTTP"),
    }
}

/// `path -> cluster*weight@line`.
fn told(routes: &[HttpRoute]) -> Vec<String> {
    let one = |route: &HttpRoute| {
        let path = match &route.matches.path {
            None => "*".to_owned(),
            Some(PathMatch::Exact(path)) => format!("={path}"),
            Some(PathMatch::Prefix(path)) => path.clone(),
            Some(PathMatch::Regex(path)) => format!("~{path}"),
        };
        let backends = route.backends.iter().map(|backend| {
            let cluster = backend.cluster.as_ref().map_or("?", |kri| kri.name());
            format!("{cluster}*{}", backend.weight)
        });
        let backends: Vec<String> = backends.collect();
        format!("{path} -> {}", backends.join(" "))
    };
    routes.iter().map(one).collect()
}

fn route(name: &str, rules: &str) -> String {
    format!(
        "type: MeshHTTPRoute\nname: {name}\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}, sectionName: http}}\n      rules:\n{rules}"
    )
}

fn rule(path: &str, to: &str) -> String {
    let how = match path {
        _ if path.starts_with('=') => "Exact",
        _ if path.starts_with('~') => "RegularExpression",
        _ => "PathPrefix",
    };
    let path = path.trim_start_matches(['=', '~']);
    format!(
        "        - matches: [{{path: {{type: {how}, value: '{path}'}}}}]\n          default: {{backendRefs: [{{kind: MeshService, labels: {{kuma.io/display-name: {to}}}, port: 80}}]}}\n"
    )
}

#[test]
fn the_specific_is_tried_first_and_the_service_last() {
    let rules = [
        rule("~/v[0-9]+", "api"),
        rule("/v2", "api-v2"),
        rule("/admin", "api-v1"),
        rule("=/v2", "api-v1"),
    ];
    let compiled = story(&route("r", &rules.concat()));
    assert_eq!(findings(&compiled), [""; 0]);
    assert_eq!(
        told(&routes(&compiled, "web-1")),
        [
            "=/v2 -> api-v1*1",
            "/admin -> api-v1*1",
            "/v2 -> api-v2*1",
            "~/v[0-9]+ -> api*1",
            "/ -> api*1",
        ]
    );
}

#[test]
fn e5_equal_matches_are_one_rule() {
    let p1 = route("p1", &rule("/v2", "api-v2"));
    let filter = "        - matches: [{path: {type: PathPrefix, value: /v2}}]\n          default:\n            filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-old, value: '1'}]}}]\n            backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api-v1}, port: 80}]\n";
    let p2 = route("p2", &format!("{filter}{}", rule("/admin", "api-v1")));
    let compiled = story(&format!("{p1}---\n{p2}"));
    let routes = routes(&compiled, "web-1");
    assert_eq!(
        told(&routes),
        ["/admin -> api-v1*1", "/v2 -> api-v2*1", "/ -> api*1"]
    );
    assert!(matches!(
        &routes[1].filters[..],
        [Filter::RequestHeaders(_)]
    ));
    assert_eq!(
        routes[1].kri.to_string(),
        "kri_mhttpr_default_default__p1_rule_0"
    );
    assert_eq!(routes[1].origin.to_string(), "mesh.yaml:7");
    assert_eq!(routes[1].backends[0].origin.to_string(), "mesh.yaml:8");
}

#[test]
fn e9_a_share_that_leads_nowhere_keeps_its_weight() {
    let rules = "        - matches: [{path: {type: PathPrefix, value: /}}]\n          default:\n            backendRefs:\n              - {kind: MeshService, labels: {kuma.io/display-name: api}, port: 80, weight: 90}\n              - {kind: MeshService, labels: {kuma.io/display-name: api-v3}, port: 80, weight: 10}\n";
    let compiled = story(&route("canary", rules));
    assert_eq!(findings(&compiled), ["11 dangling-ref"]);
    assert_eq!(
        compiled.diagnostics.list[0].help.as_deref(),
        Some("did you mean `api-v1`?")
    );
    assert_eq!(told(&routes(&compiled, "web-1")), ["/ -> api*90 ?*10"]);
}

#[test]
fn a_match_without_a_path_is_tried_after_all_with_one() {
    let header = "        - matches: [{headers: [{name: x-canary, value: '1'}]}]\n          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api-v2}, port: 80}]}\n";
    let compiled = story(&route("r", header));
    assert_eq!(
        told(&routes(&compiled, "web-1")),
        ["* -> api-v2*1", "/ -> api*1"]
    );
    let compiled = story(&route("r", &format!("{header}{}", rule("/", "api-v1"))));
    assert_eq!(findings(&compiled), ["7 shadowed-rule"]);
    assert_eq!(told(&routes(&compiled, "web-1")), ["/ -> api-v1*1"]);
}

#[test]
fn a_redirect_needs_nobody() {
    let rules = "        - matches: [{path: {type: PathPrefix, value: /old}}]\n          default: {filters: [{type: RequestRedirect, requestRedirect: {hostname: new.example}}]}\n";
    let routes = routes(&story(&route("r", rules)), "web-1");
    assert_eq!(told(&routes), ["/old -> ", "/ -> api*1"]);
    let Filter::Redirect(redirect) = &routes[0].filters[0] else {
        panic!("no redirect");
    };
    assert_eq!(redirect.status, 302);
}

#[test]
fn limits_of_a_route_keep_what_the_service_has() {
    let timeouts = "---\ntype: MeshTimeout\nname: t\nspec:\n  to:\n    - targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}\n      default: {http: {requestTimeout: 1s}}\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {idleTimeout: 7m, http: {requestTimeout: 9s}}\n";
    let compiled = story(&format!("{}{timeouts}", route("r", &rule("/v2", "api-v2"))));
    assert_eq!(findings(&compiled), [""; 0]);
    let routes = routes(&compiled, "web-1");
    let own = routes[0].timeouts.as_ref().unwrap();
    assert_eq!(own.request.value.to_string(), "1s");
    assert_eq!(own.idle.value.to_string(), "7m0s");
    assert_eq!(routes[1].timeouts, None);
}

#[test]
fn connections_are_split_too() {
    let tcp = |port: &str, backend: &str| {
        format!(
            "type: MeshTCPRoute\nname: t\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: {port}}}}}\n      rules:\n        - default:\n            backendRefs:\n              - {{kind: MeshService, labels: {{kuma.io/display-name: {backend}}}, port: 5432, weight: 3}}\n"
        )
    };
    let compiled = story(&tcp("db", "db"));
    assert_eq!(findings(&compiled), [""; 0]);
    let Traffic::Tcp { route } = destination(&compiled, "web-1", &port("db", "sql")).traffic else {
        panic!("not TCP");
    };
    assert_eq!(route.kri.to_string(), "kri_mtcpr_default_default__t_rule_0");
    assert_eq!(route.backends[0].weight, 3);
    assert_eq!(route.backends[0].origin.to_string(), "mesh.yaml:9");
    // An HTTP port with nothing but a TCP route is proxied as bytes, and that is told.
    let compiled = story(&tcp("api", "db"));
    assert_eq!(findings(&compiled), ["5 protocol-mismatch"]);
    let traffic = destination(&compiled, "web-1", &port("api", "http")).traffic;
    assert!(matches!(traffic, Traffic::Tcp { .. }));
}

#[test]
fn requests_cannot_go_to_a_port_of_bytes() {
    let rules = rule("/", "db").replace("port: 80", "port: 5432");
    let compiled = story(&route("r", &rules));
    assert_eq!(findings(&compiled), ["8 protocol-mismatch"]);
    assert!(compiled.diagnostics.has_errors());
    assert_eq!(told(&routes(&compiled, "web-1")), ["/ -> ?*1"]);
}
