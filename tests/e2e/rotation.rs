//! Certificates are renewed in time, and nobody notices.

use mesh_tests::{Load, Options, Probe};

#[tokio::test]
async fn certificates_that_live_a_minute_cost_no_request() {
    let mesh = Options::from_example("shop")
        .only(&["web-1", "api-1", "db-1"])
        .with(|repo| {
            repo.remove("api/canary.yaml");
            repo.replace(
                "mesh.yaml",
                "autogenerate:\n        enabled: true",
                "certificateParameters: {expiry: 1m}\n      autogenerate:\n        enabled: true",
            );
        })
        .start()
        .await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 2);
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    let before = Probe::at(mesh.inbound("api-1")).knock().await;
    for name in ["web-1", "api-1", "db-1"] {
        mesh.proxy(name).renewed().await;
    }
    load.more(50).await;
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    let after = Probe::at(mesh.inbound("api-1")).knock().await;
    assert_eq!(before.presented, after.presented);
    assert_ne!(
        before.serial, after.serial,
        "the old certificate is still presented"
    );
    load.stop().await.assert_none_failed();
    tunnel.say("still here").await;
    tunnel.hear("still here").await;
}
