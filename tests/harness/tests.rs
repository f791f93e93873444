//! The harness without a mesh: what its workloads and clients do when nothing is between them.

use std::process::Command;

use super::*;

async fn workload(protocol: &str) -> (Block, Workload) {
    let block = Block::claim();
    let address = block.address("127.0.0.11:8080");
    let workload = Workload::start("api-1", protocol, address).await;
    (block, workload)
}

#[tokio::test]
async fn a_workload_tells_what_it_received() {
    let (_block, workload) = workload("http").await;
    let client = Client::http1(workload.address());
    let answer = client.send(request("POST", "/a?b", "c")).await;
    assert_eq!((answer.status, answer.by()), (200, "api-1"));
    let told = answer.json();
    assert_eq!((&told["uri"], &told["body"]), (&"/a?b".into(), &"c".into()));
    assert_eq!(client.get("/status/404").await.status, 404);
    assert_eq!(workload.arrived(), 2);
    let mut socket = client.upgrade("/").await;
    socket.say("ping").await;
    socket.hear("ping").await;
    socket.finish().await;
    assert_eq!(socket.rest().await, "");
}

#[tokio::test]
async fn trailers_come_after_the_message() {
    let (_block, workload) = workload("grpc").await;
    let mut call = request("POST", "/a.B/C", "message");
    let grpc = hyper::header::HeaderValue::from_static("application/grpc");
    call.headers_mut().insert("content-type", grpc);
    let answer = Client::http2(workload.address()).send(call).await;
    assert_eq!(answer.text(), "message");
    assert_eq!(answer.trailers["grpc-status"], "0");
}

#[tokio::test]
async fn a_half_closed_connection_carries_the_farewell() {
    let (_block, workload) = workload("tcp").await;
    let mut tunnel = Client::http1(workload.address()).open().await;
    tunnel.hear("api-1 ready\n").await;
    tunnel.say("x").await;
    tunnel.hear("x").await;
    tunnel.finish().await;
    assert_eq!(tunnel.rest().await, "bye\n");
}

#[tokio::test]
async fn a_load_counts_what_fails() {
    let (_block, workload) = workload("http").await;
    let load = Load::start(Client::http1(workload.address()), "/", 2);
    load.more(20).await;
    let address = workload.address();
    drop(workload);
    load.more(5).await;
    let again = Workload::start("api-2", "http", address).await;
    again.arrives_after(0).await;
    let tally = load.stop().await;
    assert!(
        tally.by["api-1"] >= 20 && tally.by["api-2"] >= 1,
        "{tally:?}"
    );
    assert!(!tally.failures.is_empty(), "{tally:?}");
}

#[tokio::test]
async fn a_capture_shows_what_is_not_encrypted() {
    let Ok(capture) = Capture::start() else {
        // Not the right to look: the demo says so where it matters.
        return;
    };
    let (_block, workload) = workload("http").await;
    Client::http1(workload.address())
        .get("/readable-by-all")
        .await;
    let seen = capture.stop();
    assert!(seen.shows(workload.address(), "readable-by-all"));
    assert!(seen.only_tls(workload.address()).is_err());
}

#[tokio::test]
async fn a_process_is_heard_and_ends() {
    let script = r#"echo '{"message":"listening","admin":"x"}' >&2; exec tail -f /dev/null"#;
    let process = Process::start("sh", Command::new("sh").args(["-c", script]));
    let line = process.log().says(0, "listening", &[]).await;
    assert_eq!(line.field("admin"), "x");
    assert!(process.runs());
    process.kill().await;
    assert!(!process.runs());
}

#[test]
fn a_repository_has_a_history() {
    let repo = Repo::from_example("shop", Block::claim());
    let first = repo.git(&["rev-parse", "HEAD"]);
    let moved = repo.read("web/dataplane.yaml");
    assert!(!moved.contains("127.0.0.11"), "{moved}");
    repo.replace("api/canary.yaml", "weight: 10", "weight: 11");
    assert_ne!(repo.commit("Change"), first);
}

#[test]
fn a_token_is_read_and_written() {
    let fields = serde_json::json!({"id": "a", "mesh": "b", "pin": "c"});
    let text = Token::write(&fields, "mesh1.e30.signature");
    assert_eq!(Token::read(&text), fields);
    assert!(text.ends_with(".signature"), "{text}");
}
