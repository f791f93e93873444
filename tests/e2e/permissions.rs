//! Nobody may call anybody until a permission says so, and no longer than it says so.

use mesh_tests::{Line, Mesh, request};

const PERMISSION: &str = "api/permission.yaml";
const WEB: &str = "spiffe://default.default.mesh.local/workload/web";
const OUTSIDER: &str = "spiffe://default.default.mesh.local/workload/outsider";

#[tokio::test]
async fn the_outsider_is_refused_by_a_file_and_a_line() {
    let mesh = Mesh::from_example("shop").await;
    let before = [
        mesh.workload("api-1").arrived(),
        mesh.workload("api-2").arrived(),
    ];
    let answer = mesh.client("outsider-1", "api").get("/").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(answer.by(), "", "a workload answered");

    let logs = [mesh.proxy("api-1").log(), mesh.proxy("api-2").log()];
    let refused = tokio::select! {
        line = logs[0].says(0, "refused", &[("peer", OUTSIDER)]) => line,
        line = logs[1].says(0, "refused", &[("peer", OUTSIDER)]) => line,
    };
    let origin = refused.field("origin");
    let (file, line) = origin.rsplit_once(':').unwrap_or_default();
    assert_eq!(file, PERMISSION, "{refused}");
    let lines = mesh.repo().read(PERMISSION).lines().count();
    let line: usize = line.parse().unwrap();
    assert!((1..=lines).contains(&line), "{refused}");
    assert_eq!(refused.field("revision"), mesh.head().await);
    let after = [
        mesh.workload("api-1").arrived(),
        mesh.workload("api-2").arrived(),
    ];
    assert_eq!(before, after, "the workload heard of a refused request");
}

#[tokio::test]
async fn a_permission_opens_what_was_closed() {
    let mesh = Mesh::from_example("shop").await;
    let client = mesh.client("outsider-1", "api");
    assert_eq!(client.get("/").await.status, 403);
    mesh.change(|repo| {
        let also = format!(
            "{WEB}\n          - spiffeID:\n              type: Exact\n              value: {OUTSIDER}"
        );
        repo.replace(PERMISSION, WEB, &also);
    })
    .await;
    let answer = client.get("/").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn a_revoked_permission_ends_open_connections() {
    let mesh = Mesh::from_example("shop").await;
    let mut tunnel = mesh.client("api-1", "db").open().await;
    tunnel.hear("db-1 ready\n").await;
    let mut socket = mesh.client("web-1", "api").upgrade("/live").await;
    socket.say("hello").await;
    socket.hear("hello").await;
    let mut kept = mesh.client("web-1", "api").connect().await.unwrap();
    let answer = kept.send(request("GET", "/", "")).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());

    mesh.change(|repo| {
        repo.replace(PERMISSION, "workload/web", "workload/nobody");
        repo.replace("db/db.yaml", "workload/api", "workload/nobody");
    })
    .await;

    assert_eq!(tunnel.rest().await, "", "the database said more");
    assert_eq!(socket.rest().await, "", "the API said more");
    let answer = kept.send(request("GET", "/", "")).await.unwrap();
    assert_eq!(answer.status, 403, "{}", answer.text());
    let log = mesh.proxy("db-1").log();
    let refused = log.says(0, "refused", &[]).await;
    assert!(
        refused.field("origin").starts_with("db/db.yaml:"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_denial_beats_every_permission() {
    let mesh = Mesh::from_example("shop").await;
    let client = mesh.client("web-1", "api");
    assert_eq!(client.get("/").await.status, 200);
    let policy = format!(
        "type: MeshTrafficPermission\nmesh: default\nname: no-web\nspec:\n  rules:\n    - default:\n        deny:\n          - spiffeID:\n              type: Exact\n              value: {WEB}\n"
    );
    mesh.commit("api/incident.yaml", &policy).await;
    assert_eq!(client.get("/").await.status, 403);
    let logs = [mesh.proxy("api-1").log(), mesh.proxy("api-2").log()];
    let named = |line: &Line| line.field("origin").starts_with("api/incident.yaml:");
    tokio::select! {
        line = logs[0].wait(0, "refused", named) => line,
        line = logs[1].wait(0, "refused", named) => line,
    };
}
