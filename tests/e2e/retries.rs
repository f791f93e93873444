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
async fn headers_of_a_response_are_reason_enough() {
    let mesh = shop("{numRetries: 3, backOff: {baseInterval: 1ms}, retryOn: [ConnectFailure], retriableResponseHeaders: [{name: x-busy, type: RegularExpression, value: '[1-9]'}]}").await;
    let client = mesh.client("web-1", "api");
    let workload = mesh.workload("api-1");
    let answer = client.get("/told/200/2/x-busy/7").await;
    assert_eq!((answer.header("x-busy"), workload.arrived()), ("", 3));
    // Another value is none.
    let answer = client.get("/told/200/2/x-busy/0").await;
    assert_eq!((answer.header("x-busy"), workload.arrived()), ("0", 4));
}

#[tokio::test]
async fn headers_of_a_request_say_whether_it_may_be_sent_again() {
    let mesh = shop("{numRetries: 1, backOff: {baseInterval: 1ms}, retryOn: [GatewayError], retriableRequestHeaders: [{name: x-again, type: Exact, value: 'yes'}]}").await;
    let client = mesh.client("web-1", "api");
    let workload = mesh.workload("api-1");
    for (value, status, expected) in [
        ("yes", 502, (200, 2)),
        ("no", 503, (503, 1)),
        ("", 504, (504, 1)),
    ] {
        let path = format!("/flaky/{status}/1");
        let mut asked = request("GET", &path, "");
        if !value.is_empty() {
            let headers = asked.headers_mut();
            headers.insert("x-again", value.parse().unwrap());
        }
        let before = workload.arrived();
        let answer = client.send(asked).await;
        let arrived = workload.arrived() - before;
        assert_eq!((answer.status, arrived), expected, "x-again: {value}");
    }
}

#[tokio::test]
async fn who_says_when_to_come_again_is_obeyed() {
    let mesh = shop("{numRetries: 1, backOff: {baseInterval: 1ms}, retryOn: ['429'], rateLimitedBackOff: {resetHeaders: [{name: retry-after, format: Seconds}], maxInterval: 5s}}").await;
    let client = mesh.client("web-1", "api");
    let begin = Instant::now();
    let answer = client.get("/told/429/1/retry-after/1").await;
    let took = begin.elapsed();
    assert_eq!((answer.status, mesh.workload("api-1").arrived()), (200, 2));
    // A second, and up to half a second more.
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    // Longer than anybody waits: as if nothing had been said.
    let begin = Instant::now();
    let answer = client.get("/told/429/1/retry-after/6").await;
    assert_eq!((answer.status, mesh.workload("api-1").arrived()), (200, 4));
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
}

/// Requests of one user always begin with the same instance; and 503 comes from one of them.
async fn by_user(http: &str) -> Mesh {
    let text = policy(http);
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write("api/retries.yaml", &text);
        repo.write(
            "api/balance.yaml",
            "type: MeshLoadBalancingStrategy\nmesh: default\nname: by-user\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      default:\n        hashPolicies: [{type: Header, header: {name: x-user}}]\n        loadBalancer: {type: Maglev}\n",
        );
    });
    options.only(&["web-1", "api-1", "api-2"]).start().await
}

/// What 20 users are told who are all sent to the sick instance first.
async fn statuses(mesh: &Mesh, sick: &str) -> Vec<u16> {
    let client = mesh.client("web-1", "api");
    let ask = |user: usize, path: String| {
        let mut asked = request("GET", &path, "");
        let value = format!("user-{user}").parse().unwrap();
        asked.headers_mut().insert("x-user", value);
        client.send(asked)
    };
    let mut statuses = Vec::new();
    for user in 0..1_000 {
        if ask(user, "/".to_owned()).await.by() == sick {
            statuses.push(ask(user, format!("/sick/{sick}")).await.status);
        }
        if statuses.len() == 20 {
            return statuses;
        }
    }
    panic!("{sick} gets nothing");
}

#[tokio::test]
async fn another_instance_is_tried_where_a_commit_asks_for_it() {
    let retry = "numRetries: 1, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]";
    let mesh = by_user(&format!("{{{retry}}}")).await;
    assert_eq!(statuses(&mesh, "api-1").await, [503; 20]);

    let previous = "hostSelection: [{predicate: OmitPreviousHosts}]";
    let text = policy(&format!("{{{retry}, {previous}}}"));
    mesh.commit("api/retries.yaml", &text).await;
    assert_eq!(statuses(&mesh, "api-1").await, [200; 20]);

    // What is new is passed over: who begins with the old one stays there.
    let tags = "hostSelection: [{predicate: OmitHostsWithTags, tags: {version: v2}}]";
    let text = policy(&format!("{{{retry}, {tags}}}"));
    mesh.commit("api/retries.yaml", &text).await;
    assert_eq!(statuses(&mesh, "api-1").await, [503; 20]);
    assert_eq!(statuses(&mesh, "api-2").await, [200; 20]);
}

#[tokio::test]
async fn an_outage_is_not_multiplied() {
    let mesh =
        shop("{numRetries: 10, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]}").await;
    mesh.commit("api/breaker.yaml", &breaker("{maxRetries: 1}"))
        .await;
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

/// Towards the API, with these `connectionLimits`.
fn breaker(limits: &str) -> String {
    format!(
        "type: MeshCircuitBreaker\nmesh: default\nname: api-breaker\nspec:\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {{connectionLimits: {limits}}}\n"
    )
}

/// How many of 200 requests arrive when all of them fail, the retries included.
async fn outage(mesh: &Mesh) -> u64 {
    let client = mesh.client("web-1", "api");
    let before = mesh.workload("api-1").arrived();
    for _ in 0..200 {
        assert_eq!(client.get("/status/503").await.status, 503);
    }
    mesh.workload("api-1").arrived() - before
}

#[tokio::test]
async fn no_more_than_a_share_of_the_requests_is_sent_again() {
    let mesh = shop("{numRetries: 5, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]}").await;
    // Of a fifth and ten each second nothing is written anywhere. Without a budget 1,200 would arrive.
    mesh.commit("api/breaker.yaml", &breaker("{maxRetries: 1000}"))
        .await;
    let arrived = outage(&mesh).await;
    assert!((240..=400).contains(&arrived), "{arrived}");
    let metrics = mesh.proxy("web-1").metrics().await;
    let withheld = |line: &str| line.starts_with("mesh_retries_withheld_total{");
    assert!(metrics.lines().any(withheld), "{metrics}");

    let fifth = "{maxRetries: 1000, retryBudget: {percent: 20, minRetriesPerSecond: 0}}";
    let mesh = shop("{numRetries: 5, backOff: {baseInterval: 1ms}, retryOn: [GatewayError]}").await;
    mesh.commit("api/breaker.yaml", &breaker(fifth)).await;
    let arrived = outage(&mesh).await;
    assert!((220..=240).contains(&arrived), "{arrived}");

    // What a commit allows is allowed at once.
    let none = "{maxRetries: 1000, retryBudget: {percent: 0, minRetriesPerSecond: 0}}";
    mesh.commit("api/breaker.yaml", &breaker(none)).await;
    assert_eq!(outage(&mesh).await, 200);
}
