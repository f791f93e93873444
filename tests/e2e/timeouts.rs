//! How long a client waits is what the commit says.

use std::time::{Duration, Instant};

use mesh_tests::{Client, Mesh, Options, within};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A client and one instance, and these limits on the client's side of what it sends to the API.
async fn limited(limits: &str) -> Mesh {
    let policy = format!(
        "type: MeshTimeout\nmesh: default\nname: api-from-web\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: web}}}}\n  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api}}}}\n      default: {limits}\n"
    );
    let options = Options::from_example("shop").with(move |repo| {
        repo.remove("api/canary.yaml");
        repo.write("api/timeouts.yaml", &policy);
        repo.write(
            "api/retries.yaml",
            "type: MeshRetry\nmesh: default\nname: never\nspec: {to: [{targetRef: {kind: Mesh}, default: {http: {numRetries: 0}}}]}\n",
        );
    });
    options.only(&["web-1", "api-1"]).start().await
}

/// No sooner than it may, and long before any other limit.
fn assert_took(begin: Instant, millis: u64, what: &str) {
    let took = begin.elapsed();
    let least = Duration::from_millis(millis - millis / 10);
    assert!(took >= least, "{what}: {took:?}");
    assert!(
        took < Duration::from_millis(millis + 4_000),
        "{what}: {took:?}"
    );
}

#[tokio::test]
async fn each_limit_of_a_request_ends_it() {
    for (limit, status) in [
        ("requestTimeout: 400ms", 504),
        ("requestTimeout: 0s, streamIdleTimeout: 400ms", 504),
        ("requestTimeout: 0s, maxStreamDuration: 400ms", 504),
    ] {
        let mesh = limited(&format!("{{http: {{{limit}}}}}")).await;
        let begin = Instant::now();
        let answer = mesh.client("web-1", "api").get("/hold").await;
        assert_took(begin, 400, limit);
        assert_eq!(answer.status, status, "{limit}: {}", answer.text());
        assert_eq!(mesh.workload("api-1").arrived(), 1, "{limit}");
    }
}

/// Waits until the other side has closed.
async fn closed(tcp: &mut TcpStream) {
    within("the connection is closed", async {
        // What was still under way is read, whatever it is.
        while matches!(tcp.read(&mut [0; 4_096]).await, Ok(1..)) {}
    })
    .await;
}

#[tokio::test]
async fn each_limit_of_a_connection_closes_it() {
    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: api\r\n\r\n";
    for (limit, sent) in [
        ("idleTimeout: 500ms", ASK),
        ("http: {maxConnectionDuration: 500ms}", ASK),
        ("http: {requestHeadersTimeout: 500ms}", &ASK[..20]),
    ] {
        let mesh = limited(&format!("{{{limit}}}")).await;
        let to = mesh.outbound("web-1", "api");
        assert_eq!(Client::http1(to).get("/").await.status, 200);
        let begin = Instant::now();
        let mut tcp = TcpStream::connect(to).await.unwrap();
        tcp.write_all(sent).await.unwrap();
        closed(&mut tcp).await;
        assert_took(begin, 500, limit);
    }
}

#[tokio::test]
async fn who_does_not_take_a_connection_is_waited_for_no_longer_than_that() {
    let mesh = limited("{http: {requestTimeout: 10s}}").await;
    let client = mesh.client("web-1", "api");
    let workload = mesh.workload("api-1");
    workload.stop();
    // Somebody who listens, takes nothing, and has no room for another one that waits.
    let deaf = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    deaf.set_reuse_address(true).unwrap();
    within("its address is free", async {
        while deaf.bind(&workload.address().into()).is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    deaf.listen(0).unwrap();
    let _waiting = std::net::TcpStream::connect(workload.address()).unwrap();
    let policy = "type: MeshTimeout\nmesh: default\nname: own\nspec:\n  targetRef: {kind: Dataplane, labels: {app: api}}\n  rules: [{default: {connectionTimeout: 400ms}}]\n";
    mesh.commit("api/own.yaml", policy).await;
    let begin = Instant::now();
    let answer = client.get("/").await;
    assert_took(begin, 400, "connectionTimeout");
    assert_eq!((answer.status, answer.by()), (503, ""), "{}", answer.text());
    let refusal = answer.header("x-mesh-refusal").to_owned();
    assert!(refusal.starts_with("connect-timeout"), "{refusal}");
}

#[tokio::test]
async fn a_commit_shortens_the_wait() {
    let mesh = Mesh::from_example("shop").await;
    let client = mesh.client("web-1", "api");
    let begin = Instant::now();
    let answer = client.get("/hold").await;
    let long = begin.elapsed();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(long >= Duration::from_millis(2_900), "{long:?}");

    mesh.change(|repo| {
        repo.replace(
            "api/timeouts.yaml",
            "requestTimeout: 3s",
            "requestTimeout: 300ms",
        );
    })
    .await;
    let begin = Instant::now();
    let answer = client.get("/hold").await;
    let short = begin.elapsed();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(short >= Duration::from_millis(250), "{short:?}");
    assert!(short < Duration::from_millis(2_500), "{short:?}");
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn a_receiver_limits_what_it_lets_others_hold() {
    let mesh = Mesh::from_example("shop").await;
    let policy = "type: MeshTimeout\nmesh: default\nname: api-limits\nspec:\n  targetRef:\n    kind: Dataplane\n    labels:\n      app: api\n  rules:\n    - default:\n        http:\n          requestTimeout: 300ms\n";
    mesh.commit("api/limits.yaml", policy).await;
    let begin = Instant::now();
    let answer = mesh.client("web-1", "api").get("/hold").await;
    let took = begin.elapsed();
    assert_eq!(answer.status, 504, "{}", answer.text());
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}
