//! A machine that git does not know describes itself with a file, and meshd judges it.

use std::path::PathBuf;

use mesh_tests::{Client, Mesh, Options, Proxy, Token};

const FILE: &str = "type: Dataplane\nmesh: default\nname: web-vm\nlabels:\n  app: web\n  kuma.io/workload: web\nnetworking:\n  address: 127.0.0.61\n  outbound:\n    - address: 127.0.0.61\n      port: 10080\n      backendRef:\n        kind: MeshService\n        name: api\n        port: 80\n";

/// A proxy that brings `text`, with a token for the workload `bound`.
async fn machine(mesh: &Mesh, bound: &str, text: &str) -> Proxy {
    let file: PathBuf = mesh.directory().join("web-vm.yaml");
    std::fs::write(&file, mesh.repo().block().rewrite(text)).unwrap();
    let token = mesh.directory().join("web-vm.token");
    mesh.meshd().token(Token::Workload(bound), &token).await;
    let meshd = mesh.meshd().delivery().to_string();
    let file = file.to_string_lossy().into_owned();
    Proxy::new("web-vm", &meshd, &token, mesh.directory()).with(&["--dataplane-file", &file])
}

#[tokio::test]
async fn a_machine_that_is_not_in_git_joins_the_mesh() {
    let mesh = Mesh::from_example("shop").await;
    let proxy = machine(&mesh, "web", FILE).await;
    proxy.start().await;
    let client = Client::http1(mesh.repo().block().address("127.0.0.61:10080"));
    let answer = client.get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());

    // It follows git like everybody else.
    let settled = mesh
        .change(|repo| repo.replace("api/canary.yaml", "weight: 10", "weight: 11"))
        .await;
    let revision = [("revision", settled.revision())];
    proxy.log().says(0, "applied", &revision).await;
    assert_eq!(client.get("/").await.status, 200);
}

#[tokio::test]
async fn a_file_with_a_mistake_is_answered_with_its_diagnostic() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let proxy = machine(&mesh, "web", &FILE.replace("networking:", "netwroking:")).await;
    let process = proxy.launch();
    let meshd = mesh.meshd().process().log().clone();
    let refused = meshd.says(0, "refused", &[]).await;
    assert!(refused.field("reason").contains("netwroking"), "{refused}");
    let told = process
        .log()
        .find(0, "the diagnostic", |line| {
            line.to_string().contains("netwroking")
        })
        .await;
    assert!(told.to_string().contains("networking"), "{told}");
}

#[tokio::test]
async fn a_file_that_claims_another_workload_is_refused() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let proxy = machine(&mesh, "outsider", FILE).await;
    proxy.launch();
    let meshd = mesh.meshd().process().log().clone();
    let refused = meshd.says(0, "refused", &[]).await;
    assert!(refused.field("reason").contains("outsider"), "{refused}");
    assert!(meshd.all(0, "proxy enrolled", |_| true).is_empty());
}
