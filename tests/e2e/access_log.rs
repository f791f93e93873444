//! Every request leaves the records that the commit asks for, where it asks for them.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;

use mesh_tests::{Collector, Delivered, Mesh, Options, Reply, within};

fn log(name: &str, app: &str, kind: &str, backend: &str) -> String {
    format!(
        "type: MeshAccessLog\nmesh: default\nname: {name}\nspec:\n  targetRef: {{kind: Dataplane, labels: {{app: {app}}}}}\n  {kind}default: {{backends: [{backend}]}}\n"
    )
}

const TO_EVERYTHING: &str = "to:\n    - targetRef: {kind: Mesh}\n      ";
const COLLECTOR: &str = "backendRef: {kind: MeshOpenTelemetryBackend, labels: {telemetry: main}}";
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
    let sent = log("sent", "web", TO_EVERYTHING, &backend);
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
    let policy = log("sent", "api", TO_EVERYTHING, &backend);
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

fn attribute(attributes: &[KeyValue], key: &str) -> Option<Any> {
    let pair = attributes.iter().find(|pair| pair.key == key)?;
    pair.value.clone()?.value
}

fn text(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

/// Every record of what was delivered, with the name of its service.
fn records(delivered: &[Delivered]) -> Vec<(String, LogRecord)> {
    let mut found = Vec::new();
    for sent in delivered {
        let body = match &*sent.path {
            "/v1/logs" => sent.body.clone(),
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => sent.body.slice(5..),
            other => panic!("{other}"),
        };
        let export = ExportLogsServiceRequest::decode(body).expect("OTLP");
        for of_resource in export.resource_logs {
            let resource = of_resource.resource.expect("a resource").attributes;
            let Some(Any::StringValue(service)) = attribute(&resource, "service.name") else {
                panic!("no name of a service: {resource:?}")
            };
            let scopes = of_resource.scope_logs.into_iter();
            let records = scopes.flat_map(|scope| scope.log_records);
            found.extend(records.map(|record| (service.clone(), record)));
        }
    }
    found
}

/// A mesh whose logs go to a collector over that protocol: of web in a shape of its own, of api as usual.
async fn logging(mesh: &Mesh, collector: &Collector, protocol: &str) {
    let (ip, port) = (collector.address().ip(), collector.address().port());
    let place = format!(
        "type: MeshOpenTelemetryBackend\nmesh: default\nname: collector\nlabels: {{telemetry: main}}\nspec: {{protocol: {protocol}, endpoint: {{address: {ip}, port: {port}}}}}\n"
    );
    let attributes = "[{key: mesh, value: 'in %KUMA_MESH%'}, {key: code, value: '%RESPONSE_CODE%'}, {key: nobody, value: '%REQUESTED_SERVER_NAME%'}]";
    let body = "{path: '%REQ(:PATH)%', list: ['%RESPONSE_CODE%', 'to %KUMA_DESTINATION_SERVICE%', -1, 0.5, true]}";
    let shaped = format!(
        "{{type: OpenTelemetry, openTelemetry: {{{COLLECTOR}, attributes: {attributes}, body: {body}}}}}"
    );
    let usual = format!("{{type: OpenTelemetry, openTelemetry: {{{COLLECTOR}}}}}");
    let traces = format!(
        "type: MeshTrace\nmesh: default\nname: traces\nspec: {{default: {{backends: [{{type: OpenTelemetry, openTelemetry: {{{COLLECTOR}}}}}], sampling: {{random: 0}}}}}}\n"
    );
    let sent = log("sent", "web", TO_EVERYTHING, &shaped);
    let received = log("received", "api", "rules:\n    - ", &usual);
    mesh.change(move |repo| {
        repo.write("collector.yaml", &place);
        repo.write("traces.yaml", &traces);
        repo.write("logs/sent.yaml", &sent);
        repo.write("logs/received.yaml", &received);
    })
    .await;
}

async fn two() -> (Mesh, Collector) {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    let mesh = options.only(&["web-1", "api-1"]).start().await;
    let collector = Collector::start(SocketAddr::new(mesh.inbound("api-1").ip(), 0)).await;
    (mesh, collector)
}

#[tokio::test]
async fn a_collector_gets_records_of_the_shape_that_the_commit_gives_them() {
    let (mesh, collector) = two().await;
    for (protocol, path) in [
        (
            "grpc",
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        ),
        ("http", "/v1/logs"),
    ] {
        logging(&mesh, &collector, protocol).await;
        let before = collector.count();
        let answer = mesh.client("web-1", "api").get("/status/404").await;
        assert_eq!(answer.status, 404);
        let ours = |all: &[Delivered]| records(all.get(before..).unwrap_or_default());
        let delivered = collector
            .delivered("two records", |all| ours(all).len() >= 2)
            .await;
        assert!(delivered[before..].iter().all(|sent| sent.path == path));
        let mut records = ours(&delivered);
        records.sort_by_key(|(service, _)| service.clone());
        let [(api, received), (web, sent)] = records.try_into().expect("two records");
        assert_eq!((&*api, &*web), ("api", "web"));
        for record in [&received, &sent] {
            assert_eq!(record.severity_number(), SeverityNumber::Info);
            assert!(record.time_unix_nano > 1_700_000_000_000_000_000);
            assert!(record.observed_time_unix_nano >= record.time_unix_nano);
            // Nobody follows this request.
            assert!(record.trace_id.is_empty() && record.span_id.is_empty());
        }
        let body = |record: &LogRecord| record.body.clone().and_then(|body| body.value);
        let Some(Any::StringValue(line)) = body(&received) else {
            panic!("{received:?}")
        };
        assert!(line.contains("\"GET /status/404 HTTP/2\" 404"), "{line}");
        assert!(!line.contains('\n'), "{line}");
        let mesh = attribute(&sent.attributes, "mesh");
        assert_eq!(mesh, Some(text("in default")));
        let code = attribute(&sent.attributes, "code");
        assert_eq!(code, Some(Any::IntValue(404)));
        assert_eq!(attribute(&sent.attributes, "nobody"), None);
        let Some(Any::KvlistValue(object)) = body(&sent) else {
            panic!("{sent:?}")
        };
        assert_eq!(attribute(&object.values, "path"), Some(text("/status/404")));
        let Some(Any::ArrayValue(list)) = attribute(&object.values, "list") else {
            panic!("{object:?}")
        };
        let list: Vec<Option<Any>> = list.values.into_iter().map(|any| any.value).collect();
        let expected = [
            Any::IntValue(404),
            text("to api"),
            Any::IntValue(-1),
            Any::DoubleValue(0.5),
            Any::BoolValue(true),
        ];
        assert_eq!(list, expected.map(Some));
    }
}

#[tokio::test]
async fn a_record_says_which_trace_it_belongs_to_and_is_counted_when_it_is_lost() {
    let (mesh, collector) = two().await;
    logging(&mesh, &collector, "http").await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut request = mesh_tests::request("GET", "/orders", "");
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let headers = request.headers_mut();
    headers.insert("traceparent", parent.parse().expect("a value"));
    let answer = mesh.client("web-1", "api").send(request).await;
    assert_eq!(answer.status, 200);
    let of_logs = |all: &[Delivered]| {
        let logs = all.iter().filter(|sent| sent.path == "/v1/logs");
        records(&logs.cloned().collect::<Vec<_>>())
    };
    let delivered = collector
        .delivered("two records", |all| of_logs(all).len() >= 2)
        .await;
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let heard = &answer.json()["headers"]["traceparent"];
    for (service, record) in of_logs(&delivered) {
        assert_eq!(hex(&record.trace_id), trace, "{service}");
        let last = heard.as_str().expect("a header");
        let is_last = last.contains(&hex(&record.span_id));
        assert_eq!(is_last, service == "api", "{last} {record:?}");
        assert_eq!((record.span_id.len(), record.flags), (8, 1));
    }
    // Both are refused for good.
    for _ in 0..2 {
        collector.next(Reply {
            status: 400,
            ..Reply::default()
        });
    }
    let before = collector.count();
    let answer = mesh.client("web-1", "api").get("/orders").await;
    assert_eq!(answer.status, 200);
    collector
        .delivered("two that are refused", |all| all.len() >= before + 2)
        .await;
    for name in ["web-1", "api-1"] {
        let log = mesh.proxy(name).log().clone();
        let line = log
            .wait(0, "telemetry does not come to its collector", |_| true)
            .await;
        assert_eq!(line.field("signal"), "logs", "{line}");
        let lost = "mesh_telemetry_lost_total{signal=\"logs\",reason=\"export\"} 1";
        let metrics = mesh.proxy(name).metrics().await;
        assert!(metrics.contains(lost), "{metrics}");
    }
}
