//! Telemetry and what leaves the mesh: what each mistake is called, and where it is shown.

use super::check_under;

fn conf(kind: &str, default: &str, errors: &[&str], warnings: &[&str]) {
    check_under(
        kind,
        "spec.default",
        &format!("default: {default}"),
        errors,
        warnings,
    );
}

#[test]
fn access_logs() {
    let logs = |backend: &str, errors: &[&str], warnings: &[&str]| {
        let body = format!("rules: [{{default: {{backends: [{backend}]}}}}]");
        let place = "spec.rules[0].default.backends[0]";
        check_under("MeshAccessLog", place, &body, errors, warnings);
    };
    let log = |backend: &str, errors: &[&str]| logs(backend, errors, &[]);
    log("{type: File, file: {path: /dev/stdout}}", &[]);
    log(
        "{type: File, file: {path: /a, format: {type: Plain, plain: '%START_TIME(%s)% %REQ(:METHOD)% %REQ(X-A?X-B):10% 100 %%'}}}",
        &[],
    );
    log("{type: Tcp}", &[".tcp [missing-field]"]);
    log(
        "{type: File, file: {path: a, format: {type: Plain, plain: ''}}}",
        &[
            ".file.path [invalid-value]",
            ".file.format.plain [missing-field]",
        ],
    );
    log(
        "{type: Tcp, tcp: {address: 'a:1', format: {type: Json, json: [{key: '\"', value: '%NONE%'}, {key: a, value: '%REQ(x)'}]}}}",
        &[
            ".tcp.format.json[0] [invalid-value]",
            ".tcp.format.json[0].value [invalid-value]",
            ".tcp.format.json[1].value [invalid-value]",
        ],
    );
    for (address, refused) in [
        ("a b:1", true),
        ("not_valid", true),
        ("a.b:0", true),
        ("a.b:http", true),
        ("a.b", false),
        ("http://a.b", false),
        ("tcp://a.b:514", false),
    ] {
        let backend = format!("{{type: Tcp, tcp: {{address: '{address}'}}}}");
        match refused {
            true => log(&backend, &[".tcp.address [invalid-value]"]),
            false => logs(&backend, &[], &[".tcp.address [no-effect]"]),
        }
    }
    for address in ["a.b:514", "10.0.0.1:514", "'[2001:db8::1]:514'"] {
        log(&format!("{{type: Tcp, tcp: {{address: {address}}}}}"), &[]);
    }
    log(
        "{type: File, file: {path: /a, format: {type: Json, json: []}}}",
        &[".file.format.json [invalid-value]"],
    );
    logs(
        "{type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend}, attributes: [{key: otel.a, value: b}], body: [{a: '%NONE%'}]}}",
        &[
            ".openTelemetry.backendRef [missing-field]",
            ".openTelemetry.attributes[0].key [invalid-value]",
            ".openTelemetry.body[0].a [invalid-value]",
        ],
        &[],
    );
    let whole =
        |body: &str, errors: &[&str]| check_under("MeshAccessLog", "spec", body, errors, &[]);
    whole("{}", &[" [missing-field]"]);
    whole(
        "to: [{targetRef: {kind: Mesh}, default: {}}]",
        &[".to[0].default.backends [missing-field]"],
    );
    whole(
        "to: [{targetRef: {kind: Mesh}, default: {backends: []}}]\nrules: [{default: {backends: []}}]",
        &[" [invalid-value]"],
    );
}

#[test]
fn metrics() {
    conf(
        "MeshMetric",
        "{backends: [{type: Prometheus, prometheus: {port: 5670, path: /metrics}}]}",
        &[],
        &[],
    );
    conf(
        "MeshMetric",
        "{applications: [{}], sidecar: {profiles: {exclude: [{type: Regex, match: '('}]}}, backends: [{type: Prometheus}]}",
        &[
            ".applications[0].port [missing-field]",
            ".sidecar.profiles.exclude[0].match [invalid-regex]",
            ".backends[0].prometheus [missing-field]",
        ],
        &[],
    );
}

#[test]
fn traces() {
    let trace = |default: &str, errors: &[&str], warnings: &[&str]| {
        conf("MeshTrace", default, errors, warnings);
    };
    let collector = "{type: OpenTelemetry, openTelemetry: {backendRef: {kind: MeshOpenTelemetryBackend, labels: {a: b}}}}";
    trace(&format!("{{backends: [{collector}]}}"), &[], &[]);
    trace("{backends: []}", &[], &[]);
    trace(
        &format!("{{backends: [{collector}, {collector}]}}"),
        &[".backends [invalid-value]"],
        &[],
    );
    trace(
        "{sampling: {overall: 101}, tags: [{name: a}]}",
        &[
            ".backends [missing-field]",
            ".sampling.overall [invalid-value]",
            ".tags[0] [invalid-value]",
        ],
        &[],
    );
    let urls = [
        "https://a:1",
        "http://a",
        "http://a:0",
        "http://a:1/b",
        "http://u@a:1",
        "a",
    ];
    for url in urls {
        trace(
            &format!("{{backends: [{{type: Datadog, datadog: {{url: '{url}'}}}}]}}"),
            &[".backends[0].datadog.url [invalid-value]"],
            &[".backends[0].datadog [not-implemented]"],
        );
    }
}

#[test]
fn what_leaves_the_mesh() {
    let leave = |one: &str, errors: &[&str]| {
        let default = format!("{{appendMatch: [{one}]}}");
        let under = |error: &&str| format!(".appendMatch[0]{error}");
        let errors: Vec<String> = errors.iter().map(under).collect();
        let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
        conf("MeshPassthrough", &default, &errors, &[]);
    };
    leave(
        "{type: Domain, value: '*.example.org', protocol: tls, port: 443}",
        &[],
    );
    leave("{type: CIDR, value: 10.20.0.0/16, port: 5432}", &[]);
    leave(
        "{type: Domain, value: a.example, protocol: tcp}",
        &[".protocol [invalid-value]"],
    );
    leave(
        "{type: Domain, value: '*a.example', protocol: tls}",
        &[".value [invalid-value]"],
    );
    leave(
        "{type: IP, value: a.example, port: 0}",
        &[".value [invalid-value]", ".port [invalid-value]"],
    );
    leave(
        "{type: CIDR, value: 10.0.0.0/33}",
        &[".value [invalid-value]"],
    );
    leave(
        "{type: IP, value: 10.0.0.1, protocol: mysql}",
        &[".port [missing-field]"],
    );
    leave(
        "{type: Domain, value: '*', protocol: http}",
        &[".port [missing-field]"],
    );
    let two = "{appendMatch: [{type: IP, value: 10.0.0.1, port: 1, protocol: http}, {type: IP, value: 10.0.0.1, port: 1, protocol: grpc}, {type: IP, value: 10.0.0.1, port: 1, protocol: http}]}";
    let errors = [
        ".appendMatch[1].port [invalid-value]",
        ".appendMatch[2].value [invalid-value]",
    ];
    conf("MeshPassthrough", two, &errors, &[]);
    conf("MeshPassthrough", "{passthroughMode: All}", &[], &[]);
}
