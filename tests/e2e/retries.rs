//! What fails is tried again as often as a commit says, and no more often.

use std::time::{Duration, Instant};

use mesh_tests::{Mesh, Options, request};

/// Retries towards the API, with this `http` section.
fn policy(http: &str) -> String {
    format!(
        "type: MeshRetry\nmesh: default\nname: api-retries\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {{http: {http}}}\n"
    )
}

/// One instance behind `api`, so that what arrives there is all that was sent.
async fn shop(http: &str) -> Mesh {
    let text = policy(http);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write("api/retries.yaml", &text);
    });
    options.only(&["web-1", "api-1"]).start().await
}

#[tokio::test]
async fn a_request_is_sent_again_until_it_is_answered_well() {
    let mesh = shop("{numRetries: 2, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]}").await;
    let client = mesh.client("web-1", "api");
    let workload = mesh.workload("api-1");

    let answer = client.get("/flaky/503/2").await;
    assert_eq!(
        (answer.status, workload.arrived()),
        (200, 3),
        "{}",
        answer.text()
    );

    // Two are not enough here: the client is told what the last one was told.
    let before = workload.arrived();
    let answer = client.get("/flaky/503/9").await;
    assert_eq!((answer.status, workload.arrived() - before), (503, 3));

    // Nobody has asked for this one to be sent again.
    let before = workload.arrived();
    let answer = client.get("/flaky/500/9").await;
    assert_eq!((answer.status, workload.arrived() - before), (500, 1));

    let metrics = mesh.proxy("web-1").metrics().await;
    let retried = metrics
        .lines()
        .filter(|line| line.starts_with("mesh_retries_total{"));
    let retried: u64 = retried
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum();
    assert_eq!(retried, 4, "{metrics}");
}

#[tokio::test]
async fn a_body_is_sent_again_with_its_request() {
    let mesh = shop("{numRetries: 3, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]}").await;
    let client = mesh.client("web-1", "api");
    let small = "x".repeat(10_000);
    let answer = client.send(request("POST", "/flaky/503/2", &small)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["body"].as_str().map(str::len), Some(10_000));

    // More than a proxy keeps: it is sent once.
    let before = mesh.workload("api-1").arrived();
    let large = "x".repeat(1_000_000);
    let answer = client.send(request("POST", "/flaky/502/1", &large)).await;
    assert_eq!(
        (answer.status, mesh.workload("api-1").arrived() - before),
        (502, 1)
    );
}

#[tokio::test]
async fn only_the_methods_that_are_named_are_sent_again() {
    let mesh = shop(
        "{numRetries: 2, backOff: {baseInterval: 1ms}, retryOn: [GatewayError, HttpMethodGet]}",
    )
    .await;
    let client = mesh.client("web-1", "api");
    assert_eq!(client.get("/flaky/503/1").await.status, 200);
    let before = mesh.workload("api-1").arrived();
    let answer = client.send(request("POST", "/flaky/502/1", "x")).await;
    assert_eq!(
        (answer.status, mesh.workload("api-1").arrived() - before),
        (502, 1)
    );
}

#[tokio::test]
async fn one_try_has_its_own_time() {
    let mesh = shop(
        "{numRetries: 1, perTryTimeout: 200ms, backOff: {baseInterval: 1ms}, retryOn: [Reset]}",
    )
    .await;
    let client = mesh.client("web-1", "api");
    let begin = Instant::now();
    let answer = client.get("/hold").await;
    let took = begin.elapsed();
    assert_eq!(
        (answer.status, mesh.workload("api-1").arrived()),
        (504, 2),
        "{}",
        answer.text()
    );
    assert!(took >= Duration::from_millis(400), "{took:?}");
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

#[tokio::test]
async fn an_outage_is_not_multiplied() {
    let mesh =
        shop("{numRetries: 10, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]}").await;
    let breaker = "type: MeshCircuitBreaker\nmesh: default\nname: api-breaker\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default: {connectionLimits: {maxRetries: 1}}\n";
    mesh.commit("api/breaker.yaml", breaker).await;
    let client = mesh.client("web-1", "api");
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..40 {
        all.spawn(async move { client.get("/status/503").await.status });
    }
    while let Some(status) = all.join_next().await {
        assert_eq!(status.expect("an answer"), 503);
    }
    // Without the limit each would be sent eleven times.
    let arrived = mesh.workload("api-1").arrived();
    assert!(arrived < 40 * 6, "{arrived}");
}
