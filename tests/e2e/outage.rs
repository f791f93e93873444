//! Traffic does not need meshd: not to go on, and not to begin again after a proxy was restarted.

use std::time::{Duration, Instant};

use mesh_tests::{Load, Mesh};

#[tokio::test]
async fn nothing_fails_when_meshd_is_killed_and_started_again() {
    let mesh = Mesh::from_example("shop").await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    load.more(100).await;
    mesh.meshd().kill().await;
    load.more(200).await;
    // Connections that begin now are as good as those that were there.
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);

    let marks: Vec<_> = mesh
        .proxies()
        .iter()
        .map(|proxy| proxy.log().mark())
        .collect();
    mesh.meshd().start().await;
    for (proxy, mark) in mesh.proxies().iter().zip(&marks) {
        proxy.log().says(*mark, "connected", &[]).await;
    }
    load.more(100).await;
    for (proxy, mark) in mesh.proxies().iter().zip(&marks) {
        let again = proxy.log().all(*mark, "applied", |_| true);
        assert!(again.is_empty(), "{} was sent what it had", proxy.name());
    }
    mesh.change(|repo| repo.replace("api/canary.yaml", "weight: 10", "weight: 11"))
        .await;
    let (_, other) = mesh.holders().await;
    assert!(other.is_empty(), "{other:?} did not come back");
    load.more(100).await;
    load.stop().await.assert_none_failed();
    tunnel.say("still here").await;
    tunnel.hear("still here").await;
}

#[tokio::test]
async fn a_proxy_that_restarts_alone_serves_what_it_verified_last() {
    let mesh = Mesh::from_example("shop").await;
    let revision = mesh.head().await;
    mesh.meshd().kill().await;
    for name in ["api-1", "api-2", "web-1"] {
        let proxy = mesh.proxy(name);
        proxy.kill().await;
        let begin = Instant::now();
        proxy.launch();
        let ready = proxy.ready().await;
        assert_eq!(ready.field("revision"), revision);
        proxy.readyz().await;
        let took = begin.elapsed();
        eprintln!("{name} served again from its disk after {took:?}");
        // Tens of milliseconds on a quiet machine; tests run many processes beside each other.
        assert!(took < Duration::from_secs(5), "{name}: {took:?}");
    }
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(mesh.client("outsider-1", "api").get("/").await.status, 403);
}

#[tokio::test]
async fn a_proxy_without_any_state_waits_for_meshd() {
    let mesh = Mesh::from_example("shop").await;
    let answer = mesh.client("web-1", "api").get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    mesh.meshd().kill().await;
    mesh.forget("web-1").await;
    let proxy = mesh.proxy("web-1");
    let process = proxy.launch();
    process.log().says(0, "listening", &[]).await;
    let answer = proxy.admin().await.get("/readyz").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(process.log().all(0, "ready", |_| true).is_empty());
}
