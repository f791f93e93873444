//! Whether plaintext is welcome is what the commit says.

use mesh_tests::{Client, Options, request};

const PERMISSIVE: &str = "type: MeshTLS\nmesh: default\nname: migration\nspec:\n  targetRef:\n    kind: Dataplane\n    labels:\n      app: api\n  rules:\n    - default:\n        mode: Permissive\n";

#[tokio::test]
async fn a_permissive_inbound_takes_plaintext_until_it_is_strict_again() {
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .with(|repo| repo.remove("api/canary.yaml"))
        .start()
        .await;
    let stranger = Client::http1(mesh.inbound("api-1"));
    assert!(stranger.try_send(request("GET", "/", "")).await.is_err());

    mesh.commit("api/tls.yaml", PERMISSIVE).await;
    let answer = stranger.get("/").await;
    assert_eq!(
        (answer.status, answer.by()),
        (200, "api-1"),
        "{}",
        answer.text()
    );
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);

    mesh.change(|repo| repo.remove("api/tls.yaml")).await;
    assert!(stranger.try_send(request("GET", "/", "")).await.is_err());
}
