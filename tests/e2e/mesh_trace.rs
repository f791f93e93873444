//! `MeshTrace`: both proxies of a request tell of it, the workload hears of it, and nobody waits for a collector.

mod zipkin;

use std::net::SocketAddr;

use hyper::header::HeaderValue;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use prost::Message as _;
use serde_json::{Value, json};

use mesh_tests::{Answer, Collector, Delivered, Mesh, Options, Reply, request};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

async fn shop() -> Mesh {
    let options = Options::from_example("shop").with(|repo| repo.remove("api/canary.yaml"));
    options
        .only(&["web-1", "api-1", "outsider-1"])
        .start()
        .await
}

async fn collector(mesh: &Mesh) -> Collector {
    Collector::start(SocketAddr::new(mesh.inbound("api-1").ip(), 0)).await
}

fn trace(backend: &str, more: &str) -> String {
    format!(
        "type: MeshTrace\nmesh: default\nname: traces\nspec:\n  default:\n    backends: [{backend}]\n{more}"
    )
}

/// Both documents: spans go to this collector over OTLP.
async fn trace_to(mesh: &Mesh, collector: &Collector, protocol: &str, more: &str) {
    let (ip, port) = (collector.address().ip(), collector.address().port());
    let backend = format!(
        "type: MeshOpenTelemetryBackend\nmesh: default\nname: collector\nlabels: {{telemetry: main}}\nspec: {{protocol: {protocol}, endpoint: {{address: {ip}, port: {port}}}}}\n"
    );
    let traces = trace(
        "{type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {telemetry: main}}}}",
        more,
    );
    mesh.change(move |repo| {
        repo.write("collector.yaml", &backend);
        repo.write("traces.yaml", &traces);
    })
    .await;
}

/// Every span of what was delivered, with the name of its service.
fn spans(delivered: &[Delivered]) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    for request in delivered {
        let body = match request.path.ends_with("/Export") {
            true => request.body.slice(5..),
            false => request.body.clone(),
        };
        let export = ExportTraceServiceRequest::decode(body).expect("OTLP");
        for of_resource in export.resource_spans {
            let resource = of_resource.resource.expect("a resource").attributes;
            let service = attribute(&resource, "service.name");
            let spans = of_resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            found.extend(spans.map(|span| (service.clone(), span)));
        }
    }
    found
}

fn attribute(attributes: &[KeyValue], key: &str) -> String {
    let mut pairs = attributes.iter().filter(|pair| pair.key == key);
    let value = pairs.next().and_then(|pair| pair.value.clone()?.value);
    assert!(pairs.next().is_none(), "{key} is there twice");
    match value {
        None => String::new(),
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(other) => panic!("{key}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn asked(mesh: &Mesh, client: &str, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = request("GET", "/orders?secret=1", "");
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().insert(*name, value);
    }
    mesh.client(client, "api").send(request).await
}

/// What the workload heard.
fn heard(answer: &Answer, header: &str) -> String {
    let value = &answer.json()["headers"][header];
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn both_proxies_tell_of_a_request() {
    let mesh = shop().await;
    let collector = collector(&mesh).await;
    let tags = "    tags: [{name: team, literal: core}, {name: tenant, header: {name: X-Tenant, default: none}}, {name: absent, header: {name: x-absent}}]\n";
    for (protocol, path) in [
        (
            "grpc",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        ),
        ("http", "/v1/traces"),
    ] {
        trace_to(&mesh, &collector, protocol, tags).await;
        let before = collector.count();
        let parent = format!("00-{TRACE}-{PARENT}-01");
        let headers = [
            ("traceparent", &*parent),
            ("tracestate", "a=1"),
            ("x-tenant", "t1"),
        ];
        let answer = asked(&mesh, "web-1", &headers).await;
        assert_eq!(answer.status, 200);
        let ours = |all: &[Delivered]| spans(all.get(before..).unwrap_or_default());
        let sent = collector
            .delivered("two spans", |all| ours(all).len() >= 2)
            .await;
        assert!(
            sent[before..].iter().all(|sent| sent.path == path),
            "{sent:?}"
        );
        let mut spans = ours(&sent);
        spans.sort_by_key(|(service, _)| service.clone());
        let [(server_of, server), (client_of, client)] = spans.try_into().expect("two spans");
        assert_eq!((&*server_of, &*client_of), ("api", "web"));
        assert_eq!(
            (hex(&client.trace_id), hex(&server.trace_id)),
            (TRACE.to_owned(), TRACE.to_owned())
        );
        assert_eq!(hex(&client.parent_span_id), PARENT);
        assert_eq!(server.parent_span_id, client.span_id);
        assert_eq!(
            heard(&answer, "traceparent"),
            format!("00-{TRACE}-{}-01", hex(&server.span_id))
        );
        assert_eq!(heard(&answer, "tracestate"), "a=1");
        assert_eq!(
            (client.kind(), server.kind()),
            (SpanKind::Client, SpanKind::Server)
        );
        assert_eq!((&*client.name, &*server.name), ("GET api", "GET api"));
        for span in [&client, &server] {
            for (key, expected) in [
                ("kuma.mesh", "default"),
                ("http.request.method", "GET"),
                ("url.path", "/orders"),
                ("http.response.status_code", "200"),
                ("team", "core"),
                ("tenant", "t1"),
                ("absent", ""),
                ("error.type", ""),
            ] {
                assert_eq!(
                    attribute(&span.attributes, key),
                    expected,
                    "{key} of {span:?}"
                );
            }
            assert!(span.start_time_unix_nano < span.end_time_unix_nano);
            assert!(!format!("{span:?}").contains("secret"), "{span:?}");
        }
        assert_eq!(
            attribute(&client.attributes, "kuma.destination"),
            "kri_msvc_default_default__api_http"
        );
        assert_eq!(
            attribute(&server.attributes, "kuma.source"),
            "spiffe://default.default.mesh.local/workload/web"
        );
    }
}

#[tokio::test]
async fn who_is_refused_is_traced_too_and_who_is_not_sampled_is_not() {
    let mesh = shop().await;
    let collector = collector(&mesh).await;
    trace_to(&mesh, &collector, "grpc", "    sampling: {random: 0}\n").await;
    // Nobody asked for it, so the workload hears that nobody follows.
    let answer = asked(&mesh, "web-1", &[]).await;
    assert!(
        heard(&answer, "traceparent").ends_with("-00"),
        "{}",
        answer.text()
    );
    let parent = format!("00-{TRACE}-{PARENT}-01");
    let refused = asked(&mesh, "outsider-1", &[("traceparent", &parent)]).await;
    assert_eq!(refused.status, 403);
    let sent = collector
        .delivered("two spans", |all| spans(all).len() >= 2)
        .await;
    let spans = spans(&sent);
    assert_eq!(spans.len(), 2, "{spans:?}");
    for (service, span) in spans {
        assert_eq!(hex(&span.trace_id), TRACE);
        let failed = span
            .status
            .as_ref()
            .is_some_and(|status| status.code() == StatusCode::Error);
        assert!(failed, "{span:?}");
        let error = match &*service {
            "api" => "RBAC",
            _ => "403",
        };
        assert_eq!(attribute(&span.attributes, "error.type"), error, "{span:?}");
    }
}

#[tokio::test]
async fn zipkin_gets_one_span_of_both_sides() {
    let mesh = shop().await;
    let collector = collector(&mesh).await;
    for (version, path) in [
        ("httpJson", "/api/v2/spans"),
        ("httpProto", "/api/v2/spans"),
        ("httpJsonV1", "/api/v1/spans"),
    ] {
        let url = format!("http://{}{path}", collector.address());
        let backend = format!(
            "{{type: Zipkin, zipkin: {{url: '{url}', traceId128bit: true, apiVersion: {version}}}}}"
        );
        mesh.commit("traces.yaml", &trace(&backend, "")).await;
        let before = collector.count();
        let headers = [("b3", &*format!("{TRACE}-{PARENT}-1"))];
        let answer = asked(&mesh, "web-1", &headers).await;
        let read = |all: &[Delivered]| -> Vec<Value> {
            let new = all.get(before..).unwrap_or_default().iter();
            new.flat_map(|sent| {
                let kind = &sent.headers["content-type"];
                assert_eq!(sent.path, path);
                zipkin::spans(version, kind, &sent.body)
            })
            .collect()
        };
        let sent = collector
            .delivered("two spans", |all| read(all).len() >= 2)
            .await;
        let mut spans = read(&sent);
        spans.sort_by_key(|span| span["kind"].to_string());
        let [client, server] = spans.try_into().expect("two spans");
        for (span, kind, service, shared) in [
            (&client, "CLIENT", "web", Value::Null),
            (&server, "SERVER", "api", true.into()),
        ] {
            assert_eq!(span["kind"], kind, "{version}: {span}");
            assert_eq!(span["traceId"], TRACE, "{version}: {span}");
            assert_eq!(span["parentId"], PARENT, "{version}: {span}");
            assert_eq!(span["id"], client["id"], "{version}: {span}");
            assert_eq!(span["shared"], shared, "{version}: {span}");
            assert_eq!(span["name"], "get api", "{version}: {span}");
            let name = &span["localEndpoint"]["serviceName"];
            assert_eq!(name, service, "{version}: {span}");
            assert_eq!(span["tags"]["http.path"], "/orders", "{version}: {span}");
            assert_eq!(span["tags"]["http.status_code"], "200", "{version}: {span}");
            let microseconds = span["timestamp"].as_u64().expect("a time");
            assert!(microseconds > 1_700_000_000_000_000, "{version}: {span}");
            assert!(span["duration"].as_u64() > Some(0), "{version}: {span}");
        }
        let peer = mesh.inbound("api-1");
        let remote = &client["remoteEndpoint"];
        let expected =
            json!({"serviceName": "api", "ipv4": peer.ip().to_string(), "port": peer.port()});
        assert_eq!(*remote, expected, "{version}");
        let id = client["id"].as_str().expect("an ID");
        assert_eq!(heard(&answer, "x-b3-spanid"), id);
        assert_eq!(heard(&answer, "b3"), format!("{TRACE}-{id}-1-{PARENT}"));
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_nothing_else() {
    let mesh = shop().await;
    let collector = collector(&mesh).await;
    // Now it does not want it, then it is not there, then it is again.
    for _ in 0..2 {
        collector.next(Reply {
            grpc: Some(3),
            ..Reply::default()
        });
    }
    trace_to(&mesh, &collector, "grpc", "").await;
    assert_eq!(asked(&mesh, "web-1", &[]).await.status, 200);
    collector
        .delivered("two spans that are not wanted", |all| all.len() >= 2)
        .await;
    for name in ["web-1", "api-1"] {
        let log = mesh.proxy(name).log().clone();
        let line = log
            .wait(0, "telemetry does not come to its collector", |_| true)
            .await;
        assert_eq!(line.field("signal"), "traces", "{line}");
        let lost = "mesh_telemetry_lost_total{signal=\"traces\",reason=\"export\"} 1";
        let metrics = mesh.proxy(name).metrics().await;
        assert!(metrics.contains(lost), "{metrics}");
    }
    // It may take it later: so it is sent again.
    collector.next(Reply {
        grpc: Some(14),
        ..Reply::default()
    });
    let before = collector.count();
    let answer = asked(&mesh, "web-1", &[]).await;
    let id = heard(&answer, "traceparent");
    let again = collector
        .delivered("both spans, one of them twice", |all| {
            all.len() >= before + 3
        })
        .await;
    let spans = spans(&again[before..]);
    assert!(
        spans
            .iter()
            .all(|(_, span)| id.contains(&hex(&span.trace_id))),
        "{id} {spans:?}"
    );
    // What ends has sent everything.
    let before = collector.count();
    assert_eq!(asked(&mesh, "web-1", &[]).await.status, 200);
    for name in ["web-1", "api-1"] {
        let process = mesh.proxy(name).process();
        process.terminate();
        assert!(process.exited().await.success(), "{}", process.log());
    }
    collector
        .delivered("the last spans", |all| all.len() >= before + 2)
        .await;
}
