//! Policies: what each mistake is called, and where it is shown.

use super::{check, check_under};

const TO_API: &str =
    "to: [{targetRef: {kind: MeshService, labels: {app: api}}, default: {idleTimeout: 1m}}]";

#[test]
fn target_refs() {
    let top = |target: &str, errors: &[&str]| {
        let rules = "rules: [{default: {idleTimeout: 1m}}]";
        check(
            "MeshTimeout",
            &format!("targetRef: {target}\n{rules}"),
            errors,
            &[],
        );
    };
    top("{kind: Mesh}", &[]);
    top("{kind: Dataplane}", &[]);
    top(
        "{kind: Dataplane, labels: {app: web}, sectionName: http}",
        &[],
    );
    top("{}", &["spec.targetRef.kind [missing-field]"]);
    top(
        "{kind: ~, labels: {}}",
        &["spec.targetRef.kind [missing-field]"],
    );
    top(
        "{kind: MeshService, labels: {app: web}}",
        &["spec.targetRef.kind [invalid-value]"],
    );
    top(
        "{kind: MeshSubset}",
        &["spec.targetRef.kind [invalid-value]"],
    );
    top(
        "{kind: Mesh, labels: {a: b}, sectionName: http}",
        &[
            "spec.targetRef.labels [invalid-value]",
            "spec.targetRef.sectionName [invalid-value]",
        ],
    );
    top(
        "{kind: Dataplane, name: web}",
        &["spec.targetRef.name [unknown-field]"],
    );
    top("Mesh", &["spec.targetRef [wrong-type]"]);

    let to = |target: &str, errors: &[&str]| {
        let body = format!("to: [{{targetRef: {target}, default: {{idleTimeout: 1m}}}}]");
        check("MeshTimeout", &body, errors, &[]);
    };
    to("{kind: Mesh}", &[]);
    to(
        "{kind: MeshService, labels: {app: api}, sectionName: http}",
        &[],
    );
    to("{kind: MeshHTTPRoute, labels: {app: api}}", &[]);
    to(
        "{kind: MeshService}",
        &["spec.to[0].targetRef.labels [missing-field]"],
    );
    to(
        "{kind: MeshService, labels: {}}",
        &["spec.to[0].targetRef.labels [missing-field]"],
    );
    to(
        "{kind: MeshExternalService, labels: {a: b}, sectionName: x}",
        &["spec.to[0].targetRef.sectionName [invalid-value]"],
    );
    to(
        "{kind: MeshHTTPRoute, labels: {a: b}, sectionName: x}",
        &["spec.to[0].targetRef.sectionName [invalid-value]"],
    );
    to(
        "{kind: Dataplane}",
        &["spec.to[0].targetRef.kind [invalid-value]"],
    );
    to("~", &["spec.to[0].targetRef [missing-field]"]);
    check(
        "MeshTimeout",
        &format!("targetRef: {{kind: Dataplane, sectionName: x}}\n{TO_API}"),
        &["spec.targetRef.sectionName [invalid-value]"],
        &[],
    );
}

#[test]
fn timeouts() {
    let to = |conf: &str, errors: &[&str]| {
        let body = format!("to: [{{targetRef: {{kind: Mesh}}, default: {conf}}}]");
        check("MeshTimeout", &body, errors, &[]);
    };
    to(
        "{idleTimeout: 0s, http: {requestTimeout: 0, streamIdleTimeout: 1h30m}}",
        &[],
    );
    to("{http: {requestHeadersTimeout: 1s}}", &[]);
    to("{}", &["spec.to[0].default [missing-field]"]);
    to("~", &["spec.to[0].default [missing-field]"]);
    to("{idleTimeout: ~}", &["spec.to[0].default [missing-field]"]);
    to("{http: {}}", &["spec.to[0].default.http [missing-field]"]);
    to(
        "{connectionTimeout: 0s}",
        &["spec.to[0].default.connectionTimeout [invalid-value]"],
    );
    to(
        "{idleTimeout: -1s}",
        &["spec.to[0].default.idleTimeout [invalid-value]"],
    );
    to(
        "{idleTimeout: 5}",
        &["spec.to[0].default.idleTimeout [invalid-value]"],
    );
    to(
        "{idleTimeout: 1d}",
        &["spec.to[0].default.idleTimeout [invalid-value]"],
    );
    to(
        "{idleTimeout: [1s]}",
        &["spec.to[0].default.idleTimeout [wrong-type]"],
    );
    to(
        "{idleTimeout: soon, connectionTimeout: later, http: {requestTimeout: 1s, maxStreamDuration: x}}",
        &[
            "spec.to[0].default.connectionTimeout [invalid-value]",
            "spec.to[0].default.http.maxStreamDuration [invalid-value]",
            "spec.to[0].default.idleTimeout [invalid-value]",
        ],
    );
    to(
        "{idletimeout: 1s}",
        &[
            "spec.to[0].default [missing-field]",
            "spec.to[0].default.idletimeout [unknown-field]",
        ],
    );
    check("MeshTimeout", "{}", &["spec [missing-field]"], &[]);
    check(
        "MeshTimeout",
        "to: []\nrules: []",
        &["spec [missing-field]"],
        &[],
    );
    check(
        "MeshTimeout",
        &format!("{TO_API}\nrules: [{{default: {{idleTimeout: 1m}}}}]"),
        &["spec [invalid-value]"],
        &[],
    );
}

#[test]
fn timeouts_of_rules() {
    let rule = |rule: &str, errors: &[&str]| {
        check("MeshTimeout", &format!("rules: [{rule}]"), errors, &[]);
    };
    let web = "matches: [{spiffeID: {type: Exact, value: spiffe://td/web}}]";
    rule(
        &format!("{{{web}, default: {{http: {{requestTimeout: 1s, streamIdleTimeout: 1s}}}}}}"),
        &[],
    );
    rule("{default: {}}", &["spec.rules[0].default [missing-field]"]);
    rule(
        &format!(
            "{{{web}, default: {{connectionTimeout: 1s, idleTimeout: 1s, http: {{requestHeadersTimeout: 1s, maxStreamDuration: 1s, maxConnectionDuration: 1s}}}}}}"
        ),
        &[
            "spec.rules[0].default.connectionTimeout [invalid-value]",
            "spec.rules[0].default.http.maxConnectionDuration [invalid-value]",
            "spec.rules[0].default.http.maxStreamDuration [invalid-value]",
            "spec.rules[0].default.http.requestHeadersTimeout [invalid-value]",
            "spec.rules[0].default.idleTimeout [invalid-value]",
        ],
    );
}

#[test]
fn matches_of_clients() {
    let one = |text: &str, errors: &[&str], warnings: &[&str]| {
        let body =
            format!("rules: [{{matches: [{text}], default: {{http: {{requestTimeout: 1s}}}}}}]");
        check_under(
            "MeshTimeout",
            "spec.rules[0].matches[0]",
            &body,
            errors,
            warnings,
        );
    };
    one(
        "{spiffeID: {type: Exact, value: spiffe://td/web}}",
        &[],
        &[],
    );
    one("{spiffeID: {type: Prefix, value: spiffe://td}}", &[], &[]);
    one(
        "{spiffeID: {type: Prefix, value: spiffe://td/web}}",
        &[],
        &[".spiffeID.value [prefix-boundary]"],
    );
    one(
        "{sni: {type: Exact, value: a.b}}",
        &[],
        &[".sni [not-implemented]"],
    );
    one("{}", &[" [invalid-value]"], &[]);
    one(
        "{spiffeID: {value: spiffe://td/web}}",
        &[".spiffeID.type [missing-field]"],
        &[],
    );
    one(
        "{spiffeID: {type: Regex, value: spiffe://td/web}}",
        &[".spiffeID.type [invalid-value]"],
        &[],
    );
    one(
        "{spiffeID: {type: Exact}}",
        &[".spiffeID [invalid-value]"],
        &[],
    );
    one(
        "{spiffeID: {type: Prefix, value: spiffe://td/ns/}}",
        &[".spiffeID [invalid-value]"],
        &[],
    );
    one(
        "{spiffeID: {type: Exact, value: web}}",
        &[".spiffeID [invalid-value]"],
        &[],
    );
    one(
        "{sni: {value: a.b}}",
        &[".sni.type [missing-field]"],
        &[".sni [not-implemented]"],
    );
    one("{sni: {type: Exact}}", &[".sni.value [missing-field]"], &[]);
    one(
        "{sni: {type: Exact, value: A_b}}",
        &[".sni.value [invalid-value]"],
        &[],
    );
}

#[test]
fn permissions() {
    let rule = |rule: &str, errors: &[&str]| {
        check(
            "MeshTrafficPermission",
            &format!("rules: [{rule}]"),
            errors,
            &[],
        );
    };
    let web = "[{spiffeID: {type: Exact, value: spiffe://td/web}}]";
    rule(&format!("{{default: {{allow: {web}}}}}"), &[]);
    rule(
        &format!("{{default: {{deny: {web}, allowWithShadowDeny: {web}}}}}"),
        &[],
    );
    rule("{default: {}}", &["spec.rules[0] [missing-field]"]);
    rule("{default: {deny: []}}", &["spec.rules[0] [missing-field]"]);
    rule("{}", &["spec.rules[0] [missing-field]"]);
    rule(
        "{default: {allow: [{spiffeID: {type: Exact, value: web}}]}}",
        &["spec.rules[0].allow[0].spiffeID [invalid-value]"],
    );
    rule(
        &format!("{{default: {{allow: {web}, deny: [{{}}]}}}}"),
        &["spec.rules[0].deny[0] [invalid-value]"],
    );
    rule(
        &format!("{{default: {{allow: {web}, action: Allow}}}}"),
        &["spec.rules[0].default.action [unknown-field]"],
    );
    check(
        "MeshTrafficPermission",
        "targetRef: {kind: Mesh}",
        &["spec [missing-field]"],
        &[],
    );
    check(
        "MeshTrafficPermission",
        "from: []",
        &["spec [missing-field]", "spec.from [unknown-field]"],
        &[],
    );
}

#[test]
fn tls() {
    let conf = |kind: &str, conf: &str, errors: &[&str], warnings: &[&str]| {
        let body = format!("targetRef: {{kind: {kind}}}\nrules: [{{default: {conf}}}]");
        check("MeshTLS", &body, errors, warnings);
    };
    let version = "spec.rules[0].default.tlsVersion [not-implemented]";
    let ciphers = "spec.rules[0].default.tlsCiphers [not-implemented]";
    conf("Mesh", "{mode: Strict}", &[], &[]);
    conf("Dataplane", "{mode: Permissive}", &[], &[]);
    conf(
        "Mesh",
        "{mode: Off}",
        &["spec.rules[0].default.mode [invalid-value]"],
        &[],
    );
    conf(
        "Mesh",
        "{tlsVersion: {min: TLS12, max: TLS13}}",
        &[],
        &[version],
    );
    conf("Mesh", "{tlsVersion: {min: TLS11}}", &[], &[version]);
    conf(
        "Mesh",
        "{tlsVersion: {max: TLS11}}",
        &["spec.rules[0].default.tlsVersion.max [unsupported]"],
        &[version],
    );
    conf(
        "Mesh",
        "{tlsVersion: {min: TLS13, max: TLS12}}",
        &["spec.rules[0].default.tlsVersion.min [invalid-value]"],
        &[version],
    );
    conf(
        "Mesh",
        "{tlsVersion: {min: TLS13, max: TLSAuto}}",
        &[],
        &[version],
    );
    conf(
        "Mesh",
        "{tlsCiphers: [ECDHE-RSA-AES128-GCM-SHA256]}",
        &[],
        &[ciphers],
    );
    conf(
        "Mesh",
        "{tlsCiphers: [None]}",
        &["spec.rules[0].default.tlsCiphers [invalid-value]"],
        &[ciphers],
    );
    conf(
        "Dataplane",
        "{tlsVersion: {min: TLS12}, tlsCiphers: []}",
        &[
            "spec.rules[0].default.tlsCiphers [invalid-value]",
            "spec.rules[0].default.tlsVersion [invalid-value]",
        ],
        &[],
    );
    check(
        "MeshTLS",
        "rules: [{}]",
        &["spec.rules[0].default [missing-field]"],
        &[],
    );
    check("MeshTLS", "{}", &[], &["spec [no-effect]"]);
}
