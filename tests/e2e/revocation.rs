//! Who is removed or revoked is refused by its peers at once, whatever its certificate says, and no restart forgets it.

use mesh_tests::{Mesh, Options};

/// The next line of api-1 about somebody whose certificate is revoked.
async fn told(mesh: &Mesh, by: &str, mark: usize) {
    let log = mesh.proxy(by).log();
    let revoked = |line: &mesh_tests::Line| line.field("reason").contains("Revoked");
    log.wait(mark, "refused", revoked).await;
}

#[tokio::test]
async fn who_was_removed_is_refused_until_it_is_back() {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    let mesh = options.only(&["web-1", "api-1"]).start().await;
    let web = mesh.client("web-1", "api");
    assert_eq!(web.get("/").await.status, 200);
    let mut open = web.upgrade("/live").await;
    open.say("hello").await;
    open.hear("hello").await;

    let mark = mesh.proxy("api-1").log().mark();
    mesh.change(|repo| repo.remove("web/dataplane.yaml")).await;
    assert_eq!(open.rest().await, "", "the API said more");
    // Its proxy is there, with its keys, its permission and a certificate for days.
    let refused = web.get("/").await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    told(&mesh, "api-1", mark).await;

    // With meshd away, and after restarts of both.
    mesh.meshd().kill().await;
    let api = mesh.proxy("api-1");
    api.kill().await;
    api.start().await;
    assert_eq!(web.get("/").await.status, 503);
    told(&mesh, "api-1", 0).await;
    mesh.meshd().start().await;
    let revision = mesh.head().await;
    mesh.meshd().settled(&revision).await;
    api.log().says(0, "connected", &[]).await;
    assert_eq!(web.get("/").await.status, 503);

    // Whoever is back is given a certificate that counts: what it kept does not.
    mesh.change(|repo| {
        repo.git(&["revert", "--no-edit", "HEAD"]);
    })
    .await;
    let proxy = mesh.proxy("web-1");
    proxy.kill().await;
    proxy.start().await;
    // It may have come back and asked before it was killed: then there is nothing more to apply.
    proxy.log().says(0, "connected", &[]).await;
    let revision = mesh.head().await;
    mesh.meshd().settled(&revision).await;
    let back = web.get("/").await;
    assert_eq!(back.status, 200, "{}", back.text());
}

#[tokio::test]
async fn who_is_revoked_loses_its_connections_and_may_join_again() {
    let mesh = Options::from_example("shop")
        .only(&["api-1", "db-1"])
        .start()
        .await;
    let api = mesh.client("api-1", "db");
    let mut tunnel = api.open().await;
    tunnel.hear("db-1 ready\n").await;
    let mark = mesh.proxy("db-1").log().mark();
    mesh.meshd()
        .command(&["revoke", "--dataplane", "api-1"])
        .await;
    assert_eq!(tunnel.rest().await, "", "the database said more");
    assert_eq!(api.open().await.rest().await, "", "the database spoke");
    told(&mesh, "db-1", mark).await;

    mesh.fresh("api-1").await;
    let mut tunnel = api.open().await;
    tunnel.hear("db-1 ready\n").await;
}
