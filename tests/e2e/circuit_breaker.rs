//! No more is under way at once than a commit allows, and what is too much is told at once.

use std::collections::BTreeSet;

use mesh_tests::{Answer, Client, Mesh, Options, within};
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

/// Two instances that are judged so, for an hour; nothing is sent again.
async fn judged(detection: &str) -> Mesh {
    let breaker = judge(detection);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write("api/breaker.yaml", &breaker);
        repo.write(
            "api/retries.yaml",
            "type: MeshRetry\nmesh: default\nname: never\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 0}}}]}\n",
        );
    });
    options.only(&["web-1", "api-1", "api-2"]).start().await
}

fn judge(detection: &str) -> String {
    policy(&format!(
        "{{to: [{{targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}, default: {{outlierDetection: {{baseEjectionTime: 1h, {detection}}}}}}}]}}"
    ))
}

/// Who answers these requests, well or not.
async fn asked(client: &Client, requests: usize, path: &str) -> BTreeSet<String> {
    let mut by = BTreeSet::new();
    for _ in 0..requests {
        by.insert(client.get(path).await.by().to_owned());
    }
    by
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// How often this detector has left somebody out.
async fn ejections(mesh: &Mesh, detector: &str) -> Option<String> {
    let metrics = mesh.proxy("web-1").metrics().await;
    let of = |line: &&str| line.starts_with("mesh_ejections_total{") && line.contains(detector);
    let found = metrics.lines().find(of)?;
    Some(found.rsplit_once(' ')?.1.to_owned())
}

#[tokio::test]
async fn an_instance_that_fails_is_left_out_for_a_while() {
    let mesh = judged("healthyPanicThreshold: 0, maxEjectionPercent: 100, detectors: {totalFailures: {consecutive: 3}}").await;
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
    assert_eq!(
        ejections(&mesh, "totalFailures").await.as_deref(),
        Some("1")
    );

    // What is known of an instance outlives a change of configuration.
    mesh.commit("api/note.yaml", "type: MeshTimeout\nmesh: default\nname: t\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {requestTimeout: 9s}}}]}\n").await;
    for _ in 0..6 {
        assert_ne!(client.get("/").await.by(), out);
    }
}

#[tokio::test]
async fn only_what_a_detector_is_for_counts() {
    let mesh = judged("healthyPanicThreshold: 0, maxEjectionPercent: 100, detectors: {gatewayFailures: {consecutive: 3}}").await;
    let client = mesh.client("web-1", "api");
    let both = names(&["api-1", "api-2"]);
    // Failures, but none of a gateway.
    asked(&client, 20, "/status/500").await;
    assert_eq!(asked(&client, 8, "/").await, both);
    asked(&client, 8, "/sick/api-2").await;
    assert_eq!(asked(&client, 8, "/").await, names(&["api-1"]));
    assert_eq!(
        ejections(&mesh, "gatewayFailures").await.as_deref(),
        Some("1")
    );
}

#[tokio::test]
async fn who_fails_more_often_than_may_be_or_than_others_is_left_out() {
    for (detector, numbers) in [
        ("failurePercentage", "threshold: 40"),
        ("successRate", "standardDeviationFactor: '0.5'"),
    ] {
        let mesh = judged(&format!(
            "interval: 500ms, healthyPanicThreshold: 0, maxEjectionPercent: 100, detectors: {{{detector}: {{minimumHosts: 2, requestVolume: 5, {numbers}}}}}"
        ))
        .await;
        let client = mesh.client("web-1", "api");
        // Never two failures in a row: one is well in between.
        within("it is left out", async {
            while ejections(&mesh, detector).await.is_none() {
                asked(&client, 12, "/sick/api-2").await;
                asked(&client, 2, "/").await;
            }
        })
        .await;
        assert_eq!(
            asked(&client, 8, "/").await,
            names(&["api-1"]),
            "{detector}"
        );
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_counted_apart() {
    let mesh = judged("splitExternalAndLocalErrors: true, healthyPanicThreshold: 0, maxEjectionPercent: 100, detectors: {localOriginFailures: {consecutive: 2}}").await;
    let client = mesh.client("web-1", "api");
    // What it answers is no reason, whatever it is.
    asked(&client, 20, "/status/503").await;
    assert_eq!(asked(&client, 8, "/").await.len(), 2);
    mesh.proxy("api-2").kill().await;
    within("it is left out", async {
        while ejections(&mesh, "localOriginFailures").await.is_none() {
            asked(&client, 4, "/").await;
        }
    })
    .await;
    assert_eq!(asked(&client, 8, "/").await, names(&["api-1"]));
}

#[tokio::test]
async fn no_more_are_left_out_than_may_be() {
    let mesh = judged("healthyPanicThreshold: 0, maxEjectionPercent: 50, detectors: {totalFailures: {consecutive: 3}}").await;
    let client = mesh.client("web-1", "api");
    // Both fail, and half of them is left out.
    asked(&client, 30, "/status/500").await;
    assert_eq!(asked(&client, 8, "/").await.len(), 1);
    assert_eq!(
        ejections(&mesh, "totalFailures").await.as_deref(),
        Some("1")
    );

    // All may be: then nobody is there.
    let all = "healthyPanicThreshold: 0, maxEjectionPercent: 100, detectors: {totalFailures: {consecutive: 3}}";
    mesh.commit("api/breaker.yaml", &judge(all)).await;
    asked(&client, 3, "/status/500").await;
    let nobody = client.get("/").await;
    assert_eq!((nobody.status, nobody.by()), (503, ""), "{}", nobody.text());

    // Below a share of instances that are well all of them are used, which is better than none.
    let panics = "healthyPanicThreshold: 60, maxEjectionPercent: 100, detectors: {totalFailures: {consecutive: 3}}";
    mesh.commit("api/breaker.yaml", &judge(panics)).await;
    let by = asked(&client, 8, "/").await;
    assert_eq!(by, names(&["api-1", "api-2"]));
}
