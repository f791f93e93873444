//! Access logs: what writes where, and that formats are read once.

use mesh_bundle::Sourced;
use mesh_bundle::decide::{Peer, applying};
use mesh_bundle::resource::{
    HeaderName, LogBackend, LogFormat, LogOperator, LogSegment, LogShape, LogSink, LogTemplate,
    LogValue,
};

use super::*;
use crate::kinds::mesh_access_log::format;

fn sink(backend: &LogBackend) -> String {
    let line = backend.origin.line;
    match &backend.sink {
        LogSink::File { path, .. } => format!("{path}@{line}"),
        LogSink::Tcp { address, .. } => format!("{address}@{line}"),
        LogSink::OpenTelemetry { collector, .. } => format!("{}@{line}", collector.kri.name()),
    }
}

fn sinks(log: Option<&Sourced<Vec<LogBackend>>>) -> Option<Vec<String>> {
    Some(log?.value.iter().map(sink).collect())
}

#[test]
fn every_rule_of_an_inbound_that_matches_writes() {
    let compiled = story(
        "type: MeshAccessLog
name: a
spec:
  rules:
    - default: {backends: [{type: File, file: {path: /all}}, {type: Tcp, tcp: {address: 'log:514'}}]}
    - matches: [{spiffeID: {type: Exact, value: spiffe://td/workload/web}}]
      default: {backends: [{type: File, file: {path: /web}}]}
---
type: MeshAccessLog
name: b
spec:
  rules:
    - default: {backends: []}
",
    );
    let config = config(&compiled, "api-1");
    let logs = &config.inbounds["http"].1.access_logs;
    let writes = |id: &str| -> Vec<String> {
        let id = id.parse().unwrap();
        let peer = Peer {
            identity: Some(&id),
            sni: None,
        };
        let rules = applying(logs, &peer);
        rules.flat_map(|rule| &rule.acts).map(sink).collect()
    };
    assert_eq!(
        writes("spiffe://td/workload/web"),
        ["/web@7", "/all@5", "log:514@5"]
    );
    assert_eq!(writes("spiffe://td/workload/db"), ["/all@5", "log:514@5"]);
}

#[test]
fn a_destination_has_the_strongest_list_and_a_route_its_own() {
    let compiled = story(
        "type: MeshAccessLog
name: everything
spec:
  to: [{targetRef: {kind: Mesh}, default: {backends: [{type: File, file: {path: /mesh}}]}}]
---
type: MeshAccessLog
name: some
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: admin}
      default: {backends: []}
    - targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}
      default: {backends: [{type: File, file: {path: /route}}]}
---
type: MeshHTTPRoute
name: r
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      rules: [{matches: [{path: {type: PathPrefix, value: /v1}}], default: {}}]
",
    );
    let of = |name: &str, section: &str| destination(&compiled, "web-1", &port(name, section));
    let log = |name, section| sinks(of(name, section).access_log.as_ref());
    assert_eq!(log("db", "sql"), Some(vec!["/mesh@4".to_owned()]));
    assert_eq!(log("api", "http"), Some(vec!["/mesh@4".to_owned()]));
    assert_eq!(log("api", "admin"), Some(vec![]));
    let Traffic::Http { routes } = of("api", "http").traffic else {
        panic!("not HTTP");
    };
    assert_eq!(
        sinks(routes[0].access_log.as_ref()),
        Some(vec!["/route@13".to_owned()])
    );
    assert_eq!(routes[1].access_log, None);
    let key = Key::Destination(port("api", "admin"));
    let web = config(&compiled, "web-1").proxy.kri;
    let beaten = compiled.provenance.of(&web, &key, "accessLog");
    assert_eq!(beaten.len(), 1);
    assert_eq!(beaten[0].value, "file /mesh");
    assert_eq!(beaten[0].origin.to_string(), "mesh.yaml:4");
}

#[test]
fn the_formats_of_the_language_are_what_their_text_says() {
    for (text, standard) in [
        (
            r#"[%START_TIME%] %KUMA_MESH% "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-B3-TRACEID?X-DATADOG-TRACEID)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%KUMA_SOURCE_SERVICE%" "%KUMA_DESTINATION_SERVICE%" "%KUMA_SOURCE_ADDRESS_WITHOUT_PORT%" "%UPSTREAM_HOST%""#,
            LogFormat::of_requests(),
        ),
        (
            "[%START_TIME%] %RESPONSE_FLAGS% %KUMA_MESH% %KUMA_SOURCE_ADDRESS_WITHOUT_PORT%(%KUMA_SOURCE_SERVICE%)->%UPSTREAM_HOST%(%KUMA_DESTINATION_SERVICE%) took %DURATION%ms, sent %BYTES_SENT% bytes, received: %BYTES_RECEIVED% bytes",
            LogFormat::of_connections(),
        ),
    ] {
        let (segments, problems) = format::read(text);
        assert_eq!(problems, []);
        assert_eq!(standard.shape, LogShape::Plain(segments), "{text}");
    }
}

#[test]
fn formats_are_typed() {
    let compiled = story(
        r"type: MeshOpenTelemetryBackend
name: collector
labels: {kuma.io/display-name: collector}
spec: {endpoint: {address: otel.example, port: 4317}}
---
type: MeshAccessLog
name: a
spec:
  to:
    - targetRef: {kind: Mesh}
      default:
        backends:
          - {type: File, file: {path: /json, format: {type: Json, omitEmptyValues: true, json: [{key: 'a\tb', value: '%REQ(X-Id?X-Other):8%'}]}}}
          - {type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {kuma.io/display-name: collector}}, attributes: [{key: mesh, value: 'in %KUMA_MESH%'}], body: {list: ['%DURATION%', 1, true]}}}
",
    );
    let log = destination(&compiled, "web-1", &port("api", "http")).access_log;
    let log = log.unwrap().value;
    let value = |operator, longest| LogSegment::Value(LogValue { operator, longest });
    let LogSink::File {
        format: Some(format),
        ..
    } = &log[0].sink
    else {
        panic!("{:?}", log[0]);
    };
    assert!(format.omit_empty_values);
    let LogShape::Json(fields) = &format.shape else {
        panic!("{format:?}");
    };
    assert_eq!(fields[0].key, "a\tb");
    let header = HeaderName {
        name: "x-id".to_owned(),
        otherwise: Some("x-other".to_owned()),
    };
    let expected = [value(LogOperator::RequestHeader(header), Some(8))];
    assert_eq!(fields[0].value, expected);
    let LogSink::OpenTelemetry {
        collector,
        attributes,
        body: Some(LogTemplate::Object(body)),
    } = &log[1].sink
    else {
        panic!("{:?}", log[1]);
    };
    assert_eq!(collector.address.as_deref(), Some("otel.example"));
    let text = LogSegment::Text("in ".to_owned());
    assert_eq!(attributes[0].value, [text, value(LogOperator::Mesh, None)]);
    let expected = LogTemplate::List(vec![
        LogTemplate::Text(vec![value(LogOperator::Duration, None)]),
        LogTemplate::Number("1".to_owned()),
        LogTemplate::Bool(true),
    ]);
    assert_eq!(body["list"], expected);
}
