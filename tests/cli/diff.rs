//! `meshc diff`, in a git repository of the shop.
//!
//! Never reads the git configuration of whoever runs the tests.

use super::run::Repo;

const PERMISSION: &str = include_str!("../../examples/shop/api/permission.yaml");

/// The shop as the only commit of `main`.
fn shop() -> Repo {
    Repo::shop_without(&["canary.yaml"]).committed()
}

#[test]
fn a_file_that_moves_is_no_change_in_meaning() {
    let repo = shop();
    repo.meshc(&["diff", "--exit-code"]).exits(0);
    std::fs::remove_file(repo.path("permission.yaml")).expect("it is there");
    repo.write("teams/api/who.yaml", format!("# Moved.\n{PERMISSION}"));
    let ran = repo.meshc(&["diff", "--exit-code"]);
    assert_eq!(ran.exits(0).stdout, "no change in meaning\n");
}

#[test]
fn who_reaches_what_is_told_with_the_line() {
    let repo = shop();
    repo.write(
        "permission.yaml",
        PERMISSION.replace("workload/web", "workload/outsider"),
    );
    repo.write(
        "timeouts.yaml",
        include_str!("../../examples/shop/api/timeouts.yaml").replace("3s", "5s"),
    );
    let ran = repo.meshc(&["diff", "--exit-code"]);
    for line in [
        "  + outsider -> api:http: all requests  (permission.yaml:13)\n",
        "  - web -> api:http: all requests  (permission.yaml:12)\n",
        "  ~ timeouts.request 3s -> 5s: outsider-1, web-1 to api:http  (timeouts.yaml:13)\n",
    ] {
        assert!(ran.exits(1).stdout.contains(line), "{line}{}", ran.stdout);
    }
    let comment = repo.meshc(&["diff", "--format", "markdown"]);
    let comment = &comment.exits(0).stdout;
    assert!(comment.starts_with("<!-- meshc diff -->\n"), "{comment}");
    assert!(comment.contains("-->|opened|"), "{comment}");
    let json = repo.meshc(&["diff", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.exits(0).stdout).expect("JSON");
    assert_eq!(json["proxies"]["changed"].as_array().map(Vec::len), Some(4));
    // The same between two revisions.
    repo.git(&["commit", "--quiet", "--all", "--message", "Let others in"]);
    let between = repo.meshc(&["diff", "HEAD~1..HEAD"]);
    assert_eq!(between.exits(0).stdout, ran.stdout);
    let against = repo.meshc(&["diff", "--against", "HEAD~1", "."]);
    assert_eq!(against.exits(0).stdout, ran.stdout);
}

#[test]
fn settings_are_those_of_each_revision() {
    let repo = shop();
    repo.write("meshc.toml", "zone = \"east\"\n");
    repo.git(&["add", "."]);
    repo.git(&["commit", "--quiet", "--message", "A zone"]);
    repo.meshc(&["diff", "--exit-code"]).exits(0);
    repo.meshc(&["diff", "--exit-code", "HEAD~1..HEAD"])
        .exits(1);
}

#[test]
fn what_cannot_be_compared_is_said() {
    let repo = shop();
    repo.meshc(&["diff", "nope..HEAD"])
        .exits(2)
        .complains("there is no revision `nope`");
    repo.write("broken.yaml", "type: Mehs\n");
    repo.meshc(&["diff"])
        .exits(2)
        .complains("the work tree has 1 error, so it means nothing");
    let outside = Repo::with("a.yaml", "type: Mesh\nname: default\n");
    outside
        .meshc(&["diff"])
        .exits(2)
        .complains("is in no git repository");
}

/// A policy that is new, and how its settings are told.
const POLICIES: [(&str, &[&str]); 6] = [
    (
        "type: MeshRetry\nmesh: default\nname: again\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default:\n        http:\n          numRetries: 7\n          retryOn: [GatewayError, HttpMethodGet]\n",
        &[
            "~ retry.numRetries 5 -> 7: outsider-1, web-1 to api:http  (new.yaml:9)",
            "- retry.retryOn.conditions[ConnectFailure]: outsider-1, web-1 to api:http  (new.yaml:10)",
            "- retry.retryOn.conditions[RefusedStream]: outsider-1, web-1 to api:http  (new.yaml:10)",
            "+ retry.retryOn.methods GET: outsider-1, web-1 to api:http  (new.yaml:10)",
        ],
    ),
    (
        "type: MeshRateLimit\nmesh: default\nname: few\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules:\n    - default:\n        local: {http: {requestRate: {num: 5, interval: 10s}}}\n",
        &[
            "+ rateLimits http (rate (interval 10s, num 5), status 429): api-1, api-2 at inbound http  (new.yaml:8)",
        ],
    ),
    (
        "type: MeshMetric\nmesh: default\nname: seen\nspec:\n  default:\n    backends: [{type: Prometheus, prometheus: {port: 5670, path: /metrics}}]\n",
        &[
            "+ metrics (backends (path /metrics, port 5670, tls disabled, type prometheus)): 5 proxies as a whole  (new.yaml:6)",
        ],
    ),
    (
        "type: MeshCircuitBreaker\nmesh: default\nname: bounds\nspec:\n  to:\n    - targetRef: {kind: Mesh}\n      default:\n        connectionLimits: {maxPendingRequests: 7}\n",
        &[
            "~ circuitBreaker.limits.maxPendingRequests 1024 -> 7: api-1, api-2 to db:sql  (new.yaml:8)",
            "~ circuitBreaker.limits.maxPendingRequests 1024 -> 7: outsider-1, web-1 to api:http  (new.yaml:8)",
        ],
    ),
    (
        "type: MeshTLS\nmesh: default\nname: loose\nspec:\n  rules:\n    - default:\n        mode: Permissive\n",
        &[
            "~ tls strict -> permissive: api-1, api-2 at inbound http  (new.yaml:7)",
            "~ tls strict -> permissive: db-1 at inbound sql  (new.yaml:7)",
        ],
    ),
    (
        "type: Dataplane\nmesh: default\nname: api-3\nlabels: {app: api, kuma.io/workload: api}\nnetworking:\n  address: 127.0.0.23\n  inbound: [{name: http, port: 9080, servicePort: 8080, protocol: http}]\n",
        &["+ server api-3 127.0.0.23:9080: to api:http  (new.yaml:7)"],
    ),
];

#[test]
fn every_setting_names_the_line_that_causes_it() {
    let repo = shop();
    for (document, lines) in POLICIES {
        repo.write("new.yaml", document);
        let ran = repo.meshc(&["diff"]);
        let said = ran.exits(0).stdout.split("settings\n").nth(1);
        let said = said.and_then(|said| said.split("\n\n").next());
        let said: Vec<&str> = said.unwrap_or_default().lines().map(str::trim).collect();
        assert_eq!(said, lines, "{document}");
    }
}
