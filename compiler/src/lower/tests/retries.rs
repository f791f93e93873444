//! Retries: which section counts, what is reason to send a request again, and which line said so.

use mesh_bundle::resource::{HttpRoute, RequestRetry, Retry};
use serde_json::{Value, json};

use super::*;

pub(super) fn requests(retry: Option<Retry>) -> RequestRetry {
    match retry {
        Some(Retry::Requests(retry)) => *retry,
        other => panic!("no retries of requests: {other:?}"),
    }
}

/// `number per-try base max`.
pub(super) fn told(retry: &RequestRetry) -> String {
    let spans = [
        &retry.per_try_timeout,
        &retry.back_off.base,
        &retry.back_off.max,
    ];
    format!("{} {}", at(&retry.num_retries), spans.map(at).join(" "))
}

pub(super) fn retry(
    compiled: &Compiled,
    proxy: &str,
    service: &str,
    section: &str,
) -> Option<Retry> {
    destination(compiled, proxy, &port(service, section)).retry
}

/// Why requests are sent again, as the bundle writes it.
fn on(conf: &str) -> Value {
    let compiled = carried(&[to("MeshRetry", "r", MESH, conf)]);
    let retry = requests(retry(&compiled, "web-1", "api", "http"));
    serde_json::to_value(retry.retry_on.value).unwrap()
}

#[test]
fn e3_the_smaller_name_wins() {
    let compiled = carried(&[
        to("MeshRetry", "aa", MESH, "{http: {numRetries: 1}}"),
        to("MeshRetry", "zz", MESH, "{http: {numRetries: 9}}"),
    ]);
    let retry = requests(retry(&compiled, "web-1", "api", "http"));
    assert_eq!(at(&retry.num_retries), "1@4");
    let key = Key::Destination(port("api", "http"));
    let web = &config(&compiled, "web-1").proxy.kri;
    let beaten = compiled.provenance.of(web, &key, "retry/numRetries").iter();
    let beaten: Vec<_> = beaten
        .map(|beaten| format!("{} {}", beaten.value, beaten.origin))
        .collect();
    assert_eq!(beaten, ["9 mesh.yaml:9", "5 (default policy)"]);
}

#[test]
fn e4_lists_replace_and_statuses_alone_keep_the_built_in_conditions() {
    let compiled = carried(&[
        to("MeshRetry", "strong", MESH, "{http: {retryOn: ['503']}}"),
        to("MeshRetry", "weak", MESH, "{http: {retryOn: [5xx, Reset]}}"),
    ]);
    let retry = requests(retry(&compiled, "web-1", "api", "http"));
    assert_eq!(
        serde_json::to_value(&retry.retry_on.value).unwrap(),
        json!({"conditions": ["GatewayError", "ConnectFailure", "RefusedStream"], "statuses": [503]})
    );
    assert_eq!(retry.retry_on.origin.unwrap().line, 4);
    let key = Key::Destination(port("api", "http"));
    let web = &config(&compiled, "web-1").proxy.kri;
    let beaten = &compiled.provenance.of(web, &key, "retry/retryOn")[0];
    assert_eq!(beaten.value, "5xx, Reset");
}

#[test]
fn reasons_to_send_a_request_again() {
    let default = json!(["GatewayError", "ConnectFailure", "RefusedStream"]);
    for (list, expected) in [
        ("[5xx]", json!({"conditions": ["5xx"]})),
        (
            "[Reset, '429', '500']",
            json!({"conditions": ["Reset"], "statuses": [429, 500]}),
        ),
        (
            "[HttpMethodGet, HttpMethodHead]",
            json!({"conditions": default, "methods": ["GET", "HEAD"]}),
        ),
        (
            "['429', HttpMethodPut]",
            json!({"conditions": default, "statuses": [429], "methods": ["PUT"]}),
        ),
        (
            "[EnvoyRatelimited, Retriable4xx, HttpMethodDelete]",
            json!({"conditions": ["Retriable4xx", "EnvoyRatelimited"], "methods": ["DELETE"]}),
        ),
        ("[]", json!({"conditions": default})),
    ] {
        let conf = format!("{{http: {{retryOn: {list}}}}}");
        assert_eq!(on(&conf), expected, "{list}");
    }
}

#[test]
fn only_the_section_that_fits_the_port_is_read() {
    let conf = "{tcp: {maxConnectAttempt: 7}, http: {numRetries: 8}, grpc: {numRetries: 9, retryOn: [Internal]}}";
    let check = |protocol: &str, expected: &str| {
        let documents = [to("MeshRetry", "r", MESH, conf)];
        let compiled = speaking(protocol, &documents);
        let found = match retry(&compiled, "web-1", "api", "http").unwrap() {
            Retry::Connections(retry) => format!("attempts {}", at(&retry.max_connect_attempts)),
            Retry::Requests(retry) => {
                let on = serde_json::to_string(&retry.retry_on.value).unwrap();
                format!("{} {on}", at(&retry.num_retries))
            }
        };
        assert_eq!(found, expected, "{protocol}");
    };
    let built_in = r#"{"conditions":["GatewayError","ConnectFailure","RefusedStream"]}"#;
    check("tcp", "attempts 7@4");
    check("http", &format!("8@4 {built_in}"));
    check("http2", &format!("8@4 {built_in}"));
    check("grpc", r#"9@4 {"codes":["Internal"]}"#);
    let calls = speaking("grpc", &[]);
    let retry = requests(retry(&calls, "web-1", "api", "http"));
    assert_eq!(
        serde_json::to_value(retry.retry_on.value).unwrap(),
        json!({
            "conditions": ["GatewayError", "Reset", "ConnectFailure", "RefusedStream"],
            "codes": ["Canceled", "ResourceExhausted", "Unavailable"],
        })
    );
}

/// Where a TCP route forwards the bytes of an HTTP port, connections are all that can be tried again.
#[test]
fn bytes_of_an_http_port_are_bytes() {
    let route = "type: MeshTCPRoute\nname: t\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}\n      rules: [{default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: db}, port: 5432}]}}]\n";
    let compiled = story(route);
    assert_eq!(findings(&compiled), ["5 protocol-mismatch"]);
    let found = retry(&compiled, "web-1", "api", "http");
    assert!(matches!(found, Some(Retry::Connections(_))), "{found:?}");
}

#[test]
fn the_longest_wait_follows_the_first_unless_it_is_set() {
    let skip = "type: Mesh\nname: default\nskipCreatingInitialPolicies: [MeshRetry]\n";
    let cast = CAST.replacen("type: Mesh\nname: default\n", skip, 1);
    for (conf, expected) in [
        ("{http: {numRetries: 2}}", "2@4 0s@= 25ms@= 250ms@="),
        ("{http: {perTryTimeout: 1s}}", "1@= 1s@4 25ms@= 250ms@="),
        (
            "{http: {backOff: {baseInterval: 1s}}}",
            "1@= 0s@= 1s@4 10s@=",
        ),
        (
            "{http: {backOff: {maxInterval: 1s}}}",
            "1@= 0s@= 25ms@= 1s@4",
        ),
        ("{http: {numRetries: 0}}", "0@4 0s@= 25ms@= 250ms@="),
    ] {
        let document = to("MeshRetry", "r", MESH, conf);
        let compiled = compiled_files(&[("cast.yaml", &cast), ("mesh.yaml", &document)]);
        let retry = requests(retry(&compiled, "web-1", "api", "http"));
        assert_eq!(told(&retry), expected, "{conf}");
    }
}

#[test]
fn what_is_for_later_is_carried() {
    let conf = "{http: {rateLimitedBackOff: {resetHeaders: [{name: X-Reset, format: UnixTimestamp}]}, retriableResponseHeaders: [{name: x-again, type: Present}], retriableRequestHeaders: [{name: x-safe, value: '1'}], hostSelection: [{predicate: OmitPreviousHosts}, {predicate: OmitHostsWithTags, tags: {a: b}}, {predicate: OmitPreviousPriorities}], hostSelectionMaxAttempts: 3}}";
    let compiled = carried(&[to("MeshRetry", "r", MESH, conf)]);
    let retry = requests(retry(&compiled, "web-1", "api", "http"));
    let value = |found: Value| found["value"].clone();
    let mut json = serde_json::to_value(&retry).unwrap();
    let limited = json["rateLimitedBackOff"].take();
    assert_eq!(limited["max"], json!({"value": "5m0s"}));
    assert_eq!(
        limited["resetHeaders"]["value"],
        json!([{"name": "x-reset", "format": "unixTimestamp"}])
    );
    assert_eq!(
        value(json["responseHeaders"].take()),
        json!([{"name": "x-again", "value": {"type": "present"}}])
    );
    assert_eq!(
        value(json["requestHeaders"].take()),
        json!([{"name": "x-safe", "value": {"type": "exact", "value": "1"}}])
    );
    assert_eq!(
        value(json["hostSelection"].take()),
        json!([
            {"type": "omitPreviousHosts"},
            {"type": "omitHostsWithTags", "value": {"a": "b"}},
            {"type": "omitPreviousPriorities", "value": 2},
        ])
    );
    assert_eq!(value(json["hostSelectionMaxAttempts"].take()), json!(3));
}

#[test]
fn retries_of_a_route_keep_what_the_service_has() {
    let route = "type: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: http}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /v2}}]\n          default: {}\n".to_owned();
    let target = "{kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}";
    let compiled = carried(&[
        route,
        to("MeshRetry", "own", target, "{http: {numRetries: 0}}"),
        to("MeshRetry", "service", API, "{http: {perTryTimeout: 1s}}"),
    ]);
    let destination = destination(&compiled, "web-1", &port("api", "http"));
    let Traffic::Http { routes } = destination.traffic else {
        panic!("not HTTP");
    };
    let own = |route: &HttpRoute| Some(told(&requests(Some(route.retry.clone()?))));
    let own: Vec<Option<String>> = routes.iter().map(own).collect();
    assert_eq!(own, [Some("0@13 1s@18 25ms@- 250ms@-".to_owned()), None]);
    let all = requests(destination.retry);
    assert_eq!(told(&all), "5@- 1s@18 25ms@- 250ms@-");
}
