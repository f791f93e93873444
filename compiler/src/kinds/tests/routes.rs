//! Routes: what each mistake is called, and where it is shown.

use super::{check, check_under};

/// Places are relative to `to[0].rules[0]` of a route to one service.
pub(super) fn rule(kind: &str, text: &str, errors: &[&str], warnings: &[&str]) {
    let head = "to:\n- targetRef: {kind: MeshService, labels: {app: api}}\n  rules:\n  - ";
    let place = "spec.to[0].rules[0]";
    check_under(kind, place, &format!("{head}{text}"), errors, warnings);
}

fn one_match(text: &str, errors: &[&str], warnings: &[&str]) {
    let text = format!("{{matches: [{text}], default: {{}}}}");
    rule("MeshHTTPRoute", &text, errors, warnings);
}

#[test]
fn paths() {
    let path = |text: &str, errors: &[&str], warnings: &[&str]| {
        one_match(&format!("{{path: {text}}}"), errors, warnings);
    };
    let value = ".matches[0].path.value [invalid-value]";
    path("{type: Exact, value: /a/}", &[], &[]);
    path("{type: PathPrefix, value: /}", &[], &[]);
    path("{type: PathPrefix, value: /a/b}", &[], &[]);
    path(
        "{type: RegularExpression, value: '/users/[0-9]+'}",
        &[],
        &[],
    );
    path("{type: Exact, value: a}", &[value], &[]);
    path("{type: PathPrefix, value: a}", &[value], &[]);
    path("{type: PathPrefix, value: /a/}", &[value], &[]);
    path(
        "{type: Exact, value: ''}",
        &[".matches[0].path.value [missing-field]"],
        &[],
    );
    path(
        "{value: /a}",
        &[".matches[0].path.type [missing-field]"],
        &[],
    );
    path(
        "{type: Glob, value: /a}",
        &[".matches[0].path.type [invalid-value]"],
        &[],
    );
    path(
        "{type: RegularExpression, value: '('}",
        &[".matches[0].path.value [invalid-regex]"],
        &[],
    );
    path(
        "{type: RegularExpression, value: '(?=a)b'}",
        &[".matches[0].path.value [invalid-regex]"],
        &[],
    );
    path(
        "{type: RegularExpression, value: '(\\w{900}){900}'}",
        &[".matches[0].path.value [invalid-regex]"],
        &[],
    );
    path(
        "{type: Exact, value: /a/../b}",
        &[],
        &[".matches[0].path.value [no-effect]"],
    );
    path(
        "{type: Exact, value: /%61}",
        &[],
        &[".matches[0].path.value [no-effect]"],
    );
}

#[test]
fn headers_and_parameters() {
    one_match("{method: GET}", &[], &[]);
    one_match(
        "{method: get}",
        &[".matches[0].method [invalid-value]"],
        &[],
    );
    let header = |text: &str, errors: &[&str], warnings: &[&str]| {
        one_match(&format!("{{headers: [{text}]}}"), errors, warnings);
    };
    header("{name: x-a, value: b}", &[], &[]);
    header("{type: Prefix, name: x-a}", &[], &[]);
    header("{type: Present, name: x-a}", &[], &[]);
    header(
        "{type: Present, name: x-a, value: b}",
        &[".matches[0].headers[0].value [invalid-value]"],
        &[],
    );
    header(
        "{type: Absent, name: x-a, value: b}",
        &[".matches[0].headers[0].value [invalid-value]"],
        &[],
    );
    header(
        "{type: RegularExpression, name: x-a, value: '['}",
        &[".matches[0].headers[0].value [invalid-regex]"],
        &[],
    );
    header(
        "{name: x-a}",
        &[".matches[0].headers[0].value [missing-field]"],
        &[],
    );
    header(
        "{value: b}",
        &[".matches[0].headers[0].name [missing-field]"],
        &[],
    );
    header(
        "{name: 'a b', value: b}",
        &[".matches[0].headers[0].name [invalid-value]"],
        &[],
    );
    header(
        "{name: X-A, value: b}",
        &[],
        &[".matches[0].headers[0].name [header-case]"],
    );
    header(
        "{name: x-a, value: b}, {name: X-A, value: c}",
        &[".matches[0].headers[1].name [invalid-value]"],
        &[".matches[0].headers[1].name [header-case]"],
    );
    let parameter = |text: &str, errors: &[&str]| {
        one_match(&format!("{{queryParams: [{text}]}}"), errors, &[]);
    };
    parameter("{type: Exact, name: a, value: ''}", &[]);
    parameter(
        "{type: Exact, name: a, value: b}, {type: Exact, name: A, value: b}",
        &[],
    );
    parameter(
        "{type: Exact, name: a, value: b}, {type: Exact, name: a, value: c}",
        &[".matches[0].queryParams[1].name [invalid-value]"],
    );
    parameter(
        "{type: RegularExpression, name: a, value: '*'}",
        &[".matches[0].queryParams[0].value [invalid-regex]"],
    );
    parameter(
        "{}",
        &[
            ".matches[0].queryParams[0].name [missing-field]",
            ".matches[0].queryParams[0].type [missing-field]",
            ".matches[0].queryParams[0].value [missing-field]",
        ],
    );
}

#[test]
fn backends() {
    for kind in ["MeshHTTPRoute", "MeshTCPRoute"] {
        let head = if kind == "MeshHTTPRoute" {
            "matches: [{}], "
        } else {
            ""
        };
        let refs = |refs: &str, errors: &[&str], warnings: &[&str]| {
            rule(
                kind,
                &format!("{{{head}default: {{backendRefs: [{refs}]}}}}"),
                errors,
                warnings,
            );
        };
        refs(
            "{kind: MeshService, labels: {a: b}, port: 80, weight: 1}",
            &[],
            &[],
        );
        refs(
            "{kind: MeshService}",
            &[".default.backendRefs[0].labels [missing-field]"],
            &[],
        );
        refs(
            "{kind: MeshServiceSubset}",
            &[".default.backendRefs[0].kind [invalid-value]"],
            &[],
        );
        refs(
            "{kind: Mesh}",
            &[".default.backendRefs[0].kind [invalid-value]"],
            &[],
        );
        refs(
            "{kind: MeshMultiZoneService, labels: {a: b}}",
            &[".default.backendRefs[0].port [missing-field]"],
            &[],
        );
        refs(
            "{kind: MeshService, labels: {a: b}, port: 70000}",
            &[".default.backendRefs[0].port [invalid-value]"],
            &[],
        );
        refs(
            "{kind: MeshService, labels: {a: b}, weight: 4294967295}, {kind: MeshService, labels: {a: c}}",
            &[".default.backendRefs [weight-sum]"],
            &[],
        );
        refs(
            "{kind: MeshService, labels: {a: b}, weight: 4294967296}",
            &[".default.backendRefs[0].weight [invalid-value]"],
            &[],
        );
        refs(
            "{kind: MeshService, labels: {a: b}, weight: 0}",
            &[],
            &[".default.backendRefs [no-effect]"],
        );
    }
}

#[test]
fn rules_and_destinations() {
    rule("MeshHTTPRoute", "{default: {}}", &[" [missing-field]"], &[]);
    rule(
        "MeshHTTPRoute",
        "{matches: [{}]}",
        &[" [missing-field]"],
        &[],
    );
    rule(
        "MeshTCPRoute",
        "{default: {}}",
        &[".default.backendRefs [missing-field]"],
        &[],
    );
    rule(
        "MeshTCPRoute",
        "{default: {backendRefs: []}}",
        &[".default.backendRefs [missing-field]"],
        &[],
    );
    let target = "targetRef: {kind: MeshService, labels: {a: b}}";
    let http = |body: &str, errors: &[&str], warnings: &[&str]| {
        check("MeshHTTPRoute", body, errors, warnings);
    };
    http("to: []", &[], &["spec [no-effect]"]);
    http(
        "to: [{targetRef: {kind: Mesh}, rules: []}]",
        &["spec.to[0].targetRef.kind [invalid-value]"],
        &[],
    );
    http(&format!("to: [{{{target}, rules: []}}]"), &[], &[]);
    http(
        &format!("to: [{{{target}}}]"),
        &["spec.to[0].rules [missing-field]"],
        &[],
    );
    http(
        &format!("to: [{{{target}, hostnames: [a], rules: []}}]"),
        &["spec.to[0].hostnames [invalid-value]"],
        &[],
    );
    let tcp = |body: &str, errors: &[&str]| check("MeshTCPRoute", body, errors, &[]);
    tcp("{}", &["spec.to [missing-field]"]);
    tcp(&format!("to: [{{{target}, rules: []}}]"), &[]);
    let rule = "{default: {backendRefs: [{kind: MeshService, labels: {a: b}}]}}";
    tcp(
        &format!("to: [{{{target}, rules: [{rule}, {rule}]}}]"),
        &["spec.to[0].rules [invalid-value]"],
    );
}
