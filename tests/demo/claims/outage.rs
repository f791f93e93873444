//! The claim about meshd: nobody needs it to go on.
//!
//! Never asks it nicely: it is killed.

use mesh_tests::{Load, Mesh, Proxy};

use super::{Proof, show_failures};

pub(super) async fn without_meshd(mesh: &Mesh) -> Proof {
    let mut proof = Proof::default();
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    load.more(100).await;
    mesh.meshd().kill().await;
    load.more(300).await;
    show_failures(&mut proof, "around the kill of meshd", &load.stop().await);

    let proxy = mesh.proxy("api-1");
    let before = root(&proxy).await;
    proxy.kill().await;
    proxy.launch();
    let ready = proxy.ready().await;
    proof.show(
        before.is_some() && root(&proxy).await == before,
        format!(
            "api-1 is killed and started with meshd gone: ready as {}, with the configuration that it had",
            ready.field("spiffe_id")
        ),
    );
    let arrived = mesh.workload("api-1").arrived();
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    mesh.workload("api-1").arrives_after(arrived).await;
    load.more(100).await;
    let tally = load.stop().await;
    show_failures(&mut proof, "to the restarted proxy and its sister", &tally);
    let answer = mesh.client("outsider-1", "api").get("/").await;
    proof.show(
        answer.status == 403,
        format!("the outsider is still refused: {}", answer.status),
    );

    let marks: Vec<_> = mesh
        .proxies()
        .iter()
        .map(|proxy| proxy.log().mark())
        .collect();
    mesh.meshd().start().await;
    for (proxy, mark) in mesh.proxies().iter().zip(marks) {
        proxy.log().says(mark, "connected", &[]).await;
    }
    mesh.change(|repo| repo.replace("api/canary.yaml", "weight: 50", "weight: 51"))
        .await;
    let (same, other) = mesh.holders().await;
    proof.show(
        other.is_empty() && !same.is_empty(),
        format!(
            "meshd is started again: {} proxies are back and hold the next commit",
            same.len()
        ),
    );
    proof
}

/// The digest of what a proxy serves.
async fn root(proxy: &Proxy) -> Option<String> {
    let config = proxy.config().await;
    config.get("root")?.as_str().map(str::to_owned)
}
