//! What a commit does to the traffic of its first wave keeps it from everybody else: it is taken back within seconds.

use std::time::{Duration, Instant};

use mesh_tests::{Mesh, Options};
use serde_json::Value;

/// What a commit has to be taken back within, from when its first wave holds it.
const LIMIT: Duration = Duration::from_secs(15);

/// Nobody may call the API any more.
const DENIED: &str = "type: MeshTrafficPermission\nmesh: default\nname: api-clients\nspec:\n  targetRef:\n    kind: Dataplane\n    labels:\n      app: api\n  rules:\n    - default:\n        deny:\n          - spiffeID:\n              type: Exact\n              value: spiffe://default.default.mesh.local/workload/web\n";
/// Where the workload answers 500.
const BROKEN: &str = "type: MeshHTTPRoute\nmesh: default\nname: broken\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /}}]\n          default:\n            filters:\n              - type: URLRewrite\n                urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /status/500}}\n            backendRefs:\n              - {kind: MeshService, labels: {kuma.io/display-name: api}, port: 80}\n";

/// The mesh of the example; the first wave has these labels.
async fn open(labels: &str) -> Mesh {
    let text = format!(
        "[rollout]\nbake = \"1h\"\n\n[rollout.traffic]\nmin-requests = 50\nmax-added-failures-percent = 5\nmax-added-denials-percent = 5\n\n[[rollout.waves]]\nname = \"canary\"\nlabels = {{ {labels} }}\n"
    );
    let options = Options::from_example("shop").with(|repo| {
        repo.remove("api/test.yaml");
        // All instances serve alike.
        repo.remove("api/canary.yaml");
        repo.write("meshc.toml", &text);
    });
    options.start().await
}

/// Sends requests until meshd has come to a decision about this commit, and tells when its first wave had it, and when nobody had
/// it any more.
async fn decided(mesh: &Mesh, bad: &str, canary: &str) -> (Duration, Value) {
    let begin = Instant::now();
    let mut held = None;
    loop {
        for _ in 0..25 {
            mesh.client("web-1", "api").get("/").await;
        }
        let config = mesh.proxy(canary).config().await;
        let has_it = config["revision"] == *bad;
        let status = mesh.meshd().status().await.status;
        let is_returned = !status["rollout"]["returned"].is_null();
        held = held.or(has_it.then(Instant::now));
        if let (Some(held), true, false) = (held, is_returned, has_it) {
            return (held.elapsed(), status);
        }
        let waited = begin.elapsed();
        assert!(waited < Duration::from_secs(90), "no decision: {status:#}");
    }
}

/// Nobody but the first wave ever had this commit.
async fn only(mesh: &Mesh, canary: &str, bad: &str) {
    for name in ["web-1", "api-1", "api-2", "db-1", "outsider-1"] {
        let log = mesh.proxy(name).log();
        if name == canary {
            log.says(0, "applied", &[("revision", bad)]).await;
        } else {
            let applied = log.all(0, "applied", |line| line.has(&[("revision", bad)]));
            assert!(applied.is_empty(), "{name}");
        }
    }
}

async fn taken_back(labels: &str, canary: &str, (path, text): (&str, &str), gate: &str) {
    let mesh = open(labels).await;
    let first = mesh.head().await;
    for _ in 0..100 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
    mesh.repo().write(path, text);
    let bad = mesh.repo().commit("Break it");
    let (after, status) = decided(&mesh, &bad, canary).await;
    println!("{gate}: taken back {after:?} after the first wave held it");
    assert!(after < LIMIT, "{after:?}");
    let returned = &status["rollout"]["returned"];
    assert_eq!(returned["gate"], gate, "{status:#}");
    let status = mesh.meshd().settled(&bad).await;
    assert_eq!(status.revision(), first);
    let stalled = &status.status["conditions"][1];
    assert_eq!(stalled["type"], "Stalled");
    let why = stalled["message"].as_str().unwrap_or_default();
    assert!(
        why.contains(gate) && why.contains("wave `canary`") && why.contains(" % of "),
        "{why}"
    );
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    only(&mesh, canary, &bad).await;
    let shown = mesh.meshd().commanded(&["status"]).await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("was taken back") && shown.contains(gate),
        "{shown}"
    );
}

#[tokio::test]
async fn a_permission_that_denies_is_taken_back_from_the_first_wave() {
    let commit = ("api/permission.yaml", DENIED);
    taken_back("version = \"v2\"", "api-2", commit, "Denials").await;
}

#[tokio::test]
async fn a_route_that_leads_to_failures_is_taken_back_from_the_first_wave() {
    let commit = ("web/broken.yaml", BROKEN);
    taken_back("app = \"web\"", "web-1", commit, "Failures").await;
}

#[tokio::test]
async fn a_restart_in_a_wave_does_not_make_what_it_did_the_measure() {
    let mesh = open("app = \"web\"").await;
    for _ in 0..100 {
        assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    }
    mesh.repo().write("web/broken.yaml", BROKEN);
    let bad = mesh.repo().commit("Break it");
    let log = mesh.proxy("web-1").log();
    log.says(0, "applied", &[("revision", &bad)]).await;
    // Nothing was sent since: the next meshd sees all of it.
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    let (_, status) = decided(&mesh, &bad, "web-1").await;
    let returned = &status["rollout"]["returned"];
    assert_eq!(returned["gate"], "Failures", "{status:#}");
    let why = returned["message"].as_str().unwrap_or_default();
    assert!(why.contains("before 0 %"), "{why}");
}
