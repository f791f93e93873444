//! A proxy that is told to stop finishes what it has, and is missed by nobody.

use std::sync::Arc;

use mesh_tests::{Client, Load, Mesh, Options};

/// Both instances of the API behind one service, without a split between them.
async fn two_instances() -> Mesh {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    options.start().await
}

#[tokio::test]
async fn a_server_that_stops_is_missed_by_nobody() {
    let mesh = two_instances().await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    load.more(100).await;
    let process = mesh.proxy("api-2").process();
    process.terminate();
    assert!(process.exited().await.success(), "{}", process.log());
    load.more(100).await;
    let tally = load.stop().await;
    tally.assert_none_failed();
    assert!(
        tally.by["api-1"] > 0 && tally.by["api-2"] > 0,
        "{:?}",
        tally.by
    );
    process.log().says(0, "drained", &[]).await;

    // And is welcome again.
    mesh.proxy("api-2").start().await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    let arrived = mesh.workload("api-2").arrived();
    mesh.workload("api-2").arrives_after(arrived).await;
    load.stop().await.assert_none_failed();
}

#[tokio::test]
async fn a_rolling_restart_loses_no_request() {
    let mesh = two_instances().await;
    let to = mesh.outbound("web-1", "api");
    let loads = [Client::http1(to), Client::http2(to)].map(|client| Load::start(client, "/", 4));
    for name in ["api-1", "api-2"] {
        let process = mesh.proxy(name).process();
        process.terminate();
        assert!(process.exited().await.success(), "{}", process.log());
        // The next one goes when this one serves again.
        let arrived = mesh.workload(name).arrived();
        mesh.proxy(name).start().await;
        mesh.workload(name).arrives_after(arrived).await;
    }
    for load in loads {
        load.more(100).await;
        let tally = load.stop().await;
        tally.assert_none_failed();
        assert!(tally.by["api-1"] > 0 && tally.by["api-2"] > 0, "{tally:?}");
    }
}

#[tokio::test]
async fn a_server_that_stops_without_meshd_is_missed_by_nobody() {
    let mesh = two_instances().await;
    mesh.meshd().kill().await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 4);
    load.more(100).await;
    // Nobody tells web's proxy that it goes: it finds out.
    let process = mesh.proxy("api-2").process();
    process.terminate();
    assert!(process.exited().await.success(), "{}", process.log());
    load.more(200).await;
    load.stop().await.assert_none_failed();
}

#[tokio::test]
async fn a_request_that_is_under_way_is_finished() {
    for stopping in ["api-1", "web-1"] {
        let options = Options::from_example("shop").only(&["web-1", "api-1"]);
        let mesh = options
            .with(|repo| repo.remove("api/canary.yaml"))
            .start()
            .await;
        let workload = mesh.workload("api-1");
        let client = mesh.client("web-1", "api");
        let held = tokio::spawn(async move { client.get("/hold").await });
        workload.arrives_after(0).await;
        let process = Arc::clone(&mesh.proxy(stopping).process());
        process.terminate();
        process.log().says(0, "draining", &[]).await;
        workload.release();
        let answer = held.await.unwrap();
        assert_eq!(answer.status, 200, "{stopping}: {}", answer.text());
        assert!(process.exited().await.success(), "{}", process.log());
    }
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let options = Options::from_example("shop").only(&["api-1", "db-1"]);
    let mesh = options.start_meshd().await;
    mesh.start_workloads().await;
    mesh.start_proxies_with(&["--drain", "1s"]).await;
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    let process = mesh.proxy("db-1").process();
    process.terminate();
    assert!(process.exited().await.success(), "{}", process.log());
    tunnel.rest().await;
}
