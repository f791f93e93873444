//! From plaintext to strict mutual TLS by commits, while clients keep sending.

use mesh_tests::{Load, Options};

const PERMISSIVE: &str = "type: MeshTLS
mesh: default
name: migration
spec:
  rules:
    - default:
        mode: Permissive
";

#[tokio::test]
async fn a_mesh_becomes_strict_and_no_request_fails() {
    let identity = std::sync::Mutex::new(String::new());
    let mesh = Options::from_example("shop")
        .with(|repo| {
            let text = repo.read("mesh.yaml");
            let (mesh, rest) = text.split_once("---\n").unwrap();
            *identity.lock().unwrap() = rest.to_owned();
            repo.write("mesh.yaml", mesh);
        })
        .start()
        .await;
    let identity = identity.into_inner().unwrap();
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    load.more(50).await;
    // Without identities there is nobody to refuse.
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 200);
    let web = mesh.proxy("web-1").log();
    assert!(web.all(0, "connection", |_| true).is_empty(), "{web}");

    mesh.commit("migration.yaml", PERMISSIVE).await;
    load.more(50).await;
    mesh.commit("identity.yaml", &identity).await;
    web.says(0, "connection", &[("direction", "outbound")])
        .await;
    load.more(100).await;
    mesh.change(|repo| repo.remove("migration.yaml")).await;
    load.more(100).await;
    load.stop().await.assert_none_failed();
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);
}
