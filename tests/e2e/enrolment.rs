//! Who may become a proxy of the mesh: only whoever holds a token, for what the token says, as often as it says.

use std::path::Path;

use mesh_tests::{Mesh, Options, Proxy, Token};

/// A mesh without proxies, and a proxy for `dataplane` that holds this token.
async fn stranger(mesh: &Mesh, dataplane: &str, token: &Path) -> Proxy {
    let meshd = mesh.meshd().delivery().to_string();
    let state = mesh.directory().join("stranger");
    Proxy::new(dataplane, &meshd, token, &state).with(&["--dataplane", dataplane])
}

/// meshd says no, with a reason, and the proxy serves nothing.
async fn assert_refused(mesh: &Mesh, proxy: &Proxy) {
    let meshd = mesh.meshd().process().log().clone();
    let mark = meshd.mark();
    let process = proxy.launch();
    let refused = meshd.says(mark, "refused", &[]).await;
    assert!(!refused.field("reason").is_empty(), "{refused}");
    assert!(!refused.field("remote").is_empty(), "{refused}");
    assert!(process.log().all(0, "ready", |_| true).is_empty());
    assert!(meshd.all(mark, "proxy enrolled", |_| true).is_empty());
    let outbound = mesh.outbound("web-1", "api");
    let open = mesh_tests::Client::http1(outbound).connect().await;
    assert!(open.is_err(), "a refused proxy listens on {outbound}");
}

#[tokio::test]
async fn a_token_that_nobody_gave_is_refused() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let token = mesh.directory().join("web.token");
    mesh.meshd().token(Token::Dataplane("api-1"), &token).await;
    let text = std::fs::read_to_string(&token).unwrap();
    let mut fields = Token::read(&text);
    fields["scope"]["dataplane"] = "web-1".into();
    std::fs::write(&token, Token::write(&fields, &text)).unwrap();
    assert_refused(&mesh, &stranger(&mesh, "web-1", &token).await).await;
}

#[tokio::test]
async fn a_token_of_another_workload_is_refused() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let token = mesh.directory().join("outsider.token");
    mesh.meshd()
        .token(Token::Workload("outsider"), &token)
        .await;
    assert_refused(&mesh, &stranger(&mesh, "web-1", &token).await).await;
}

#[tokio::test]
async fn a_token_that_was_used_is_refused() {
    let mesh = Options::from_example("shop").only(&["web-1"]).start().await;
    mesh.proxy("web-1").kill().await;
    let token = mesh.directory().join("web-1.token");
    assert_refused(&mesh, &stranger(&mesh, "web-1", &token).await).await;
}

#[tokio::test]
async fn a_text_that_is_no_token_ends_the_proxy_with_a_reason() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let token = mesh.directory().join("no.token");
    std::fs::write(&token, "let me in").unwrap();
    let process = stranger(&mesh, "web-1", &token).await.launch();
    assert!(!process.exited().await.success());
    let said = process.log().to_string();
    assert!(said.contains("no.token"), "{said}");
    assert!(
        !said.contains("let me in"),
        "the secret is in the log: {said}"
    );
}

#[tokio::test]
async fn another_control_plane_is_not_spoken_to() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let other = Options::from_example("shop").start_meshd().await;
    let token = mesh.directory().join("web.token");
    mesh.meshd().token(Token::Dataplane("web-1"), &token).await;
    let meshd = other.meshd().delivery().to_string();
    let proxy = Proxy::new("web-1", &meshd, &token, &mesh.directory().join("stranger"));
    let process = proxy.launch();
    // The pin in the token is that of another authority: the token must not leave the proxy.
    let line = process
        .log()
        .find(0, "that it does not trust it", |line| {
            line.level() != "INFO"
        })
        .await;
    assert!(line.field("reason").contains("trust"), "{line}");
    let log = other.meshd().process().log().clone();
    assert!(log.all(0, "proxy enrolled", |_| true).is_empty());
}

#[tokio::test]
async fn a_revoked_token_is_refused() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let token = mesh.directory().join("web.token");
    mesh.meshd().token(Token::Dataplane("web-1"), &token).await;
    let fields = Token::read(&std::fs::read_to_string(&token).unwrap());
    let id = fields["id"].as_str().unwrap();
    mesh.meshd().command(&["revoke", "--token", id]).await;
    assert_refused(&mesh, &stranger(&mesh, "web-1", &token).await).await;
}

#[tokio::test]
async fn a_revoked_proxy_is_cut_off_and_needs_a_new_token() {
    let mesh = Options::from_example("shop").only(&["db-1"]).start().await;
    let meshd = mesh.meshd().process().log().clone();
    let mark = meshd.mark();
    mesh.meshd()
        .command(&["revoke", "--dataplane", "db-1"])
        .await;
    let gone = |line: &mesh_tests::Line| line.field("proxy").contains("db-1");
    meshd.wait(mark, "disconnected", gone).await;
    meshd.says(mark, "refused", &[("dataplane", "db-1")]).await;
    let mark = meshd.mark();
    mesh.fresh("db-1").await;
    meshd.wait(mark, "connected", gone).await;
}
