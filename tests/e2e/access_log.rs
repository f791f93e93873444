//! Every request leaves the records that the commit asks for, where it asks for them.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;

use mesh_tests::{Mesh, Options, within};

fn log(name: &str, app: &str, kind: &str, backend: &str) -> String {
    format!(
        "type: MeshAccessLog\nmesh: default\nname: {name}\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: {app}}}}}\n  {kind}default: {{backends: [{backend}]}}\n"
    )
}

const FIELDS: &str = "{type: Json, json: [{key: direction, value: '%KUMA_TRAFFIC_DIRECTION%'}, {key: code, value: '%RESPONSE_CODE%'}, {key: flag, value: '%RESPONSE_FLAGS%'}, {key: path, value: '%REQ(:PATH)%'}, {key: peer, value: '%DOWNSTREAM_PEER_URI_SAN%'}, {key: by, value: '%RESP(X-SERVED-BY)%'}, {key: sent, value: '%BYTES_SENT%'}]}";

#[tokio::test]
async fn both_sides_write_what_they_saw() {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    let mesh = options
        .only(&["web-1", "api-1", "outsider-1"])
        .start()
        .await;
    let file = mesh.directory().join("access.log");
    let backend = format!(
        "{{type: File, file: {{path: {}, format: {FIELDS}}}}}",
        file.display()
    );
    let sent = log(
        "sent",
        "web",
        "to:\n    - targetRef: {kind: Mesh}\n      ",
        &backend,
    );
    let received = log("received", "api", "rules:\n    - ", &backend);
    mesh.change(move |repo| {
        repo.write("logs/sent.yaml", &sent);
        repo.write("logs/received.yaml", &received);
    })
    .await;
    let answer = mesh.client("web-1", "api").get("/orders?id=1").await;
    assert_eq!(answer.status, 200);
    let refused = mesh.client("outsider-1", "api").get("/secret").await;
    assert_eq!(refused.status, 403);
    // What ends has written everything.
    for name in ["web-1", "api-1"] {
        let process = mesh.proxy(name).process();
        process.terminate();
        assert!(process.exited().await.success(), "{}", process.log());
    }
    let written = std::fs::read_to_string(&file).expect("a log");
    let mut records: Vec<Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    records.sort_by_key(|record| (record["path"].to_string(), record["direction"].to_string()));
    let length = answer.body.len();
    let workload = |name: &str| format!("spiffe://default.default.mesh.local/workload/{name}");
    assert_eq!(
        records,
        [
            json!({"direction": "INBOUND", "code": 200, "flag": null, "path": "/orders?id=1", "peer": workload("web"), "by": "api-1", "sent": length}),
            json!({"direction": "OUTBOUND", "code": 200, "flag": null, "path": "/orders?id=1", "peer": null, "by": "api-1", "sent": length}),
            json!({"direction": "INBOUND", "code": 403, "flag": "RBAC", "path": "/secret", "peer": workload("outsider"), "by": null, "sent": refused.body.len()}),
        ]
    );
}

#[tokio::test]
async fn records_come_over_a_connection_that_is_made_again() {
    let mesh = Mesh::from_example("shop").await;
    let listener = TcpListener::bind((mesh.inbound("db-1").ip(), 0))
        .await
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let format = "{type: Plain, plain: '%KUMA_SOURCE_SERVICE%->%KUMA_DESTINATION_SERVICE% %BYTES_RECEIVED%/%BYTES_SENT%'}";
    let backend = format!("{{type: Tcp, tcp: {{address: '{address}', format: {format}}}}}");
    let policy = log(
        "sent",
        "api",
        "to:\n    - targetRef: {kind: Mesh}\n      ",
        &backend,
    );
    mesh.commit("logs/sent.yaml", &policy).await;
    for text in ["hello", "hello again"] {
        let mut tunnel = mesh.client("api-1", "db").open().await;
        tunnel.hear("db-1 ready\n").await;
        tunnel.say(text).await;
        tunnel.hear(text).await;
        tunnel.finish().await;
        assert_eq!(tunnel.rest().await, "bye\n");
        // Each time on a new connection: the one before is closed at the end of the loop.
        let (stream, _) = within("a connection for records", listener.accept())
            .await
            .expect("a connection");
        let mut lines = BufReader::new(stream).lines();
        let line = within("a record", lines.next_line()).await.expect("a line");
        let (received, sent) = (text.len(), "db-1 ready\nbye\n".len() + text.len());
        assert_eq!(line, Some(format!("api->db {received}/{sent}")));
    }
}
