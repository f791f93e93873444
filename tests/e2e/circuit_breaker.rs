//! No more is under way at once than a commit allows, and what is too much is told at once.

use mesh_tests::{Answer, Client, Mesh, Options};
use tokio::task::JoinSet;

fn policy(body: &str) -> String {
    format!("type: MeshCircuitBreaker\nmesh: default\nname: breaker\nspec: {body}\n")
}

/// One instance behind each service, and nothing is sent again.
async fn shop(breaker: &str) -> Mesh {
    let text = policy(breaker);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write("api/breaker.yaml", &text);
        repo.write(
            "api/retries.yaml",
            "type: MeshRetry\nmesh: default\nname: never\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 0}}}]}\n",
        );
    });
    options.only(&["web-1", "api-1", "db-1"]).start().await
}

fn ask(all: &mut JoinSet<Answer>, client: Client) {
    all.spawn(async move { client.get("/hold").await });
}

async fn next(all: &mut JoinSet<Answer>) -> Answer {
    all.join_next().await.expect("an answer").expect("no panic")
}

#[tokio::test]
async fn one_request_more_than_may_be_is_refused() {
    let mesh = shop("{to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {connectionLimits: {maxRequests: 2}}}]}").await;
    let client = mesh.client("web-1", "api");
    let mut all = JoinSet::new();
    for _ in 0..3 {
        ask(&mut all, client);
    }
    let refused = next(&mut all).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(refused.text().contains("overflow"), "{}", refused.text());
    mesh.workload("api-1").release();
    for _ in 0..2 {
        assert_eq!(next(&mut all).await.status, 200);
    }
    assert_eq!(mesh.workload("api-1").arrived(), 2);
    // There is room again.
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn a_workload_with_one_connection_lets_one_request_wait() {
    let mesh = shop("{targetRef: {kind: Dataplane, labels: {app: api}}, rules: [{default: {connectionLimits: {maxConnections: 1, maxPendingRequests: 1}}}]}").await;
    let client = mesh.client("web-1", "api");
    let mut all = JoinSet::new();
    for _ in 0..3 {
        ask(&mut all, client);
    }
    let refused = next(&mut all).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    mesh.workload("api-1").arrives_after(0).await;
    assert_eq!(mesh.workload("api-1").arrived(), 1);
    mesh.workload("api-1").release();
    for _ in 0..2 {
        assert_eq!(next(&mut all).await.status, 200);
    }
    assert_eq!(mesh.workload("api-1").arrived(), 2);
}

#[tokio::test]
async fn one_connection_more_than_may_be_is_closed() {
    let mesh = shop("{to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: db}}, default: {connectionLimits: {maxConnections: 1}}}]}").await;
    let client = mesh.client("api-1", "db");
    let mut first = client.open().await;
    first.hear("db-1 ready\n").await;
    first.say("select 1").await;
    first.hear("select 1").await;
    let mut second = client.open().await;
    assert_eq!(second.rest().await, "");
    // The first is untouched.
    first.say("select 2").await;
    first.hear("select 2").await;
}

#[tokio::test]
async fn an_instance_that_fails_is_left_out_for_a_while() {
    let breaker = policy(
        "{to: [{targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}, default: {outlierDetection: {baseEjectionTime: 1h, healthyPanicThreshold: 0, maxEjectionPercent: 100, detectors: {totalFailures: {consecutive: 3}}}}}]}",
    );
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write("api/breaker.yaml", &breaker);
        repo.write(
            "api/retries.yaml",
            "type: MeshRetry\nmesh: default\nname: never\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 0}}}]}\n",
        );
    });
    let mesh = options.only(&["web-1", "api-1", "api-2"]).start().await;
    let client = mesh.client("web-1", "api");
    let mut failed = std::collections::BTreeMap::new();
    // One instance after the other, so that the first of them has failed three times after five or six.
    while failed.values().max() < Some(&3) {
        let answer = client.get("/flaky/500/999").await;
        assert_eq!(answer.status, 500);
        *failed.entry(answer.by().to_owned()).or_insert(0) += 1;
    }
    let out = failed.iter().find(|(_, count)| **count == 3);
    let out = out.map(|(by, _)| by.clone()).unwrap_or_default();
    for _ in 0..10 {
        let answer = client.get("/").await;
        assert_eq!(answer.status, 200);
        assert_ne!(answer.by(), out);
    }
    let metrics = mesh.proxy("web-1").metrics().await;
    let ejected = metrics
        .lines()
        .find(|line| line.starts_with("mesh_ejections_total{"));
    assert!(
        ejected.is_some_and(|line| line.contains("totalFailures") && line.ends_with(" 1")),
        "{metrics}"
    );

    // What is known of an instance outlives a change of configuration.
    mesh.commit("api/note.yaml", "type: MeshTimeout\nmesh: default\nname: t\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 9s}}}]}\n").await;
    for _ in 0..6 {
        assert_ne!(client.get("/").await.by(), out);
    }
}
