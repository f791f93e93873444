//! A receiver lets in as much as the commit says, and no commit makes it forget what it has let in.

use mesh_tests::{Answer, Mesh};

/// An hour, so that nothing is filled again while the test runs.
const LIMIT: &str = "type: MeshRateLimit
mesh: default
name: api-limit
spec:
  targetRef: {kind: Dataplane, labels: {app: api}}
  rules:
    - default:
        local:
          http:
            requestRate: {num: 3, interval: 1h}
            onRateLimit: {headers: {set: [{name: x-limited, value: api}]}}
";

async fn twenty(mesh: &Mesh) -> (usize, Vec<Answer>) {
    let client = mesh.client("web-1", "api");
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(client.get("/").await);
    }
    let served = answers.iter().filter(|one| one.by() == "api-1").count();
    answers.retain(|one| one.by().is_empty());
    (served, answers)
}

#[tokio::test]
async fn every_proxy_counts_alone_and_goes_on_counting_after_a_commit() {
    let mesh = Mesh::from_example("shop").await;
    mesh.change(|repo| {
        // Everything to one instance.
        repo.replace("api/canary.yaml", "weight: 10", "weight: 0");
        repo.write("api/limit.yaml", LIMIT);
    })
    .await;
    let (served, refused) = twenty(&mesh).await;
    assert_eq!((served, refused.len()), (3, 17));
    for answer in &refused {
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.header("x-limited"), "api");
    }

    mesh.change(|repo| {
        repo.replace("api/limit.yaml", "num: 3", "num: 4");
        repo.replace(
            "api/limit.yaml",
            "onRateLimit: {",
            "onRateLimit: {status: 418, ",
        );
    })
    .await;
    let (served, refused) = twenty(&mesh).await;
    assert_eq!((served, refused.len()), (1, 19), "three of four were taken");
    assert!(refused.iter().all(|answer| answer.status == 418));

    let metrics = mesh.proxy("api-1").metrics().await;
    let counted = "mesh_refusals_total{direction=\"inbound\",refusal=\"rate-limit\"} 36";
    assert!(metrics.contains(counted), "{metrics}");

    // The other instance has let in nothing yet.
    mesh.change(|repo| {
        repo.replace("api/canary.yaml", "weight: 0", "weight: 1");
        repo.replace("api/canary.yaml", "weight: 90", "weight: 0");
    })
    .await;
    let client = mesh.client("web-1", "api");
    for expected in [200, 200, 200, 200, 418] {
        assert_eq!(client.get("/").await.status, expected);
    }
}

#[tokio::test]
async fn connections_beyond_the_rate_are_closed() {
    let mesh = Mesh::from_example("shop").await;
    let limit = "type: MeshRateLimit\nmesh: default\nname: db-limit\nspec:\n  targetRef: {kind: Dataplane, labels: {app: db}}\n  rules: [{default: {local: {tcp: {connectionRate: {num: 2, interval: 1h}}}}}]\n";
    mesh.commit("db/limit.yaml", limit).await;
    let client = mesh.client("api-1", "db");
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut tunnel = client.open().await;
        tunnel.hear("db-1 ready\n").await;
        tunnel.say("hello").await;
        tunnel.hear("hello").await;
        open.push(tunnel);
    }
    assert_eq!(client.open().await.rest().await, "");
    // Those that were let in stay.
    for tunnel in &mut open {
        tunnel.say("still").await;
        tunnel.hear("still").await;
    }
}

#[tokio::test]
async fn each_identity_has_the_limit_that_is_for_it() {
    let mesh = Mesh::from_example("shop").await;
    mesh.change(|repo| {
        repo.replace("api/canary.yaml", "weight: 10", "weight: 0");
        let web = "spiffe://default.default.mesh.local/workload/web";
        let both = format!("{web}\n          - spiffeID:\n              type: Exact\n              value: spiffe://default.default.mesh.local/workload/outsider");
        repo.replace("api/permission.yaml", web, &both);
        repo.write("api/limit.yaml", "type: MeshRateLimit\nmesh: default\nname: api-limit\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules:\n    - matches: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/web'}}]\n      default: {local: {http: {requestRate: {num: 3, interval: 1h}}}}\n    - matches: [{spiffeID: {type: Exact, value: 'spiffe://default.default.mesh.local/workload/outsider'}}]\n      default: {local: {http: {requestRate: {num: 7, interval: 1h}}}}\n");
    })
    .await;
    let mut served = Vec::new();
    for name in ["web-1", "outsider-1"] {
        let client = mesh.client(name, "api");
        let mut count = 0;
        for _ in 0..12 {
            let answer = client.get("/").await;
            assert!(matches!(answer.status, 200 | 429), "{}", answer.text());
            count += u32::from(answer.status == 200);
        }
        served.push(count);
    }
    // Neither takes from what is for the other.
    assert_eq!(served, [3, 7]);
}
