//! Day 0: a commit, a mesh, and a request over mutual TLS that neither workload had to change for.

use mesh_tests::{Knock, Line, Mesh, Probe};

const WEB: &str = "spiffe://default.default.mesh.local/workload/web";
const API: &str = "spiffe://default.default.mesh.local/workload/api";

fn is_tls13(line: &Line) -> bool {
    line.field("tls_version").replace('_', ".").contains("1.3")
}

#[tokio::test]
async fn web_reaches_api_and_both_ends_verify_each_other() {
    let mesh = Mesh::from_example("shop").await;
    let answer = mesh.client("web-1", "api").get("/cart?item=7").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.by().starts_with("api-"), "{answer:?}");

    let web = mesh.proxy("web-1").log();
    let sent = web
        .says(0, "connection", &[("direction", "outbound")])
        .await;
    assert!(is_tls13(&sent), "{sent}");
    assert!(!sent.field("cipher").is_empty(), "{sent}");
    assert!(sent.has(&[("local_id", WEB), ("peer_id", API)]), "{sent}");

    let api = mesh.proxy(answer.by()).log();
    let received = api.says(0, "connection", &[("direction", "inbound")]).await;
    assert!(is_tls13(&received), "{received}");
    assert!(
        received.has(&[("local_id", API), ("peer_id", WEB)]),
        "{received}"
    );
    assert_eq!(sent.field("cipher"), received.field("cipher"));
}

#[tokio::test]
async fn the_workload_sees_the_request_and_who_sent_it() {
    let mesh = Mesh::from_example("shop").await;
    let mut request = mesh_tests::request("POST", "/cart?item=7", "two of them");
    let forged = "URI=spiffe://default.default.mesh.local/workload/boss";
    let forged = forged.parse().unwrap();
    request
        .headers_mut()
        .insert("x-forwarded-client-cert", forged);
    let answer = mesh.client("web-1", "api").send(request).await;
    let seen = answer.json();
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["uri"], "/cart?item=7");
    assert_eq!(seen["body"], "two of them");
    assert_eq!(seen["headers"]["host"], "mesh.test");
    let sender = seen["headers"]["x-forwarded-client-cert"].to_string();
    assert!(sender.contains(WEB), "{seen}");
    assert!(!sender.contains("boss"), "{seen}");
}

#[tokio::test]
async fn bytes_reach_the_database_and_each_direction_ends_on_its_own() {
    let mesh = Mesh::from_example("shop").await;
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    tunnel.say("select 1;").await;
    tunnel.hear("select 1;").await;
    tunnel.finish().await;
    assert_eq!(tunnel.rest().await, "bye\n");
}

#[tokio::test]
async fn an_inbound_presents_the_identity_of_its_workload() {
    let mesh = Mesh::from_example("shop").await;
    let knock: Knock = Probe::at(mesh.inbound("api-1")).knock().await;
    assert_eq!(knock.version.as_deref(), Some("TLSv1_3"), "{knock:?}");
    assert_eq!(knock.presented, [API]);
}

#[tokio::test]
async fn what_is_served_is_what_meshc_builds() {
    let mesh = Mesh::from_example("shop").await;
    let bundle = mesh.built().await;
    let served = mesh.meshd().status().await;
    assert_eq!(served.digest(), bundle.digest.to_string());
    let (same, other) = mesh.holders().await;
    assert_eq!((same.len(), other.len()), (5, 0), "{other:?}");
}
