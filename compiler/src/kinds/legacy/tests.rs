use super::*;

/// The forms of one document, each as `place: help`.
fn forms(kind: &str, text: &str) -> Vec<String> {
    let mut roots = crate::source::trees(text).into_iter().flatten();
    let root = roots.next().unwrap_or_else(|| panic!("broken: {text}"));
    let settings = Settings::default();
    let home = Home::unknown(&settings);
    let found = find(kind, &root, &Pointer::default().field("spec"), &home);
    let told = |form: &Form| format!("{}: {}", form.at.dotted(), form.help);
    found.0.iter().map(told).collect()
}

fn check(kind: &str, spec: &str, expected: &[&str]) {
    let found = forms(kind, &format!("spec: {spec}"));
    assert_eq!(found.len(), expected.len(), "{kind} {spec}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{kind} {spec}: {found}");
    }
}

#[test]
fn fields_of_confs_that_moved() {
    check(
        "MeshLoadBalancingStrategy",
        "{to: [{default: {loadBalancer: {ringHash: {hashPolicies: []}}}}, {default: {loadBalancer: {maglev: {hashPolicies: []}}}}]}",
        &[
            "spec.to[0].default.loadBalancer.ringHash.hashPolicies: move it up",
            "spec.to[1].default.loadBalancer.maglev.hashPolicies: move it up",
        ],
    );
    check(
        "MeshLoadBalancingStrategy",
        "{to: [{default: {hashPolicies: []}}]}",
        &[],
    );
    check(
        "MeshHealthCheck",
        "{to: [{default: {healthyPanicThreshold: 33}}]}",
        &[
            "spec.to[0].default.healthyPanicThreshold: make a MeshCircuitBreaker with the same `to`, and `default: {outlierDetection: {disabled: true, healthyPanicThreshold: 33}}`",
        ],
    );
    check(
        "MeshCircuitBreaker",
        "{to: [{default: {outlierDetection: {healthyPanicThreshold: 33}}}]}",
        &[],
    );
    check(
        "MeshMetric",
        "{default: {sidecar: {regex: http2_.*, usedOnly: false}}}",
        &[
            "spec.default.sidecar.regex: use `profiles: {include: [{type: Regex, match: \"http2_.*\"}]}`",
            "spec.default.sidecar.usedOnly: use `includeUnused: true`",
        ],
    );
}

#[test]
fn backends_are_of_a_type_and_collectors_have_a_name() {
    check(
        "MeshAccessLog",
        "{to: [{default: {backends: [{file: {path: /a}}, {type: File, file: {path: /a}}, {file: {}, tcp: {}}, {}]}}]}",
        &["spec.to[0].default.backends[0]: add `type: File`"],
    );
    check(
        "MeshTrace",
        "{default: {backends: [{zipkin: {url: x}}]}}",
        &["spec.default.backends[0]: add `type: Zipkin`"],
    );
    check(
        "MeshMetric",
        "{default: {backends: [{type: OpenTelemetry, openTelemetry: {endpoint: \"otel.observe:4318\"}}]}}",
        &[
            "spec.default.backends[0].openTelemetry.endpoint: make a MeshOpenTelemetryBackend `otel.observe-4318` with `endpoint: {address: otel.observe, port: 4318}`, and refer to it: `backendRef: {kind: MeshOpenTelemetryBackend, labels: {kuma.io/display-name: otel.observe-4318}}`",
        ],
    );
    check(
        "MeshMetric",
        "{default: {backends: [{type: OpenTelemetry, openTelemetry: {endpoint: 10.0.0.1}}]}}",
        &[
            "spec.default.backends[0].openTelemetry.endpoint: make a MeshOpenTelemetryBackend `10.0.0.1` with `endpoint: {address: 10.0.0.1, port: 4317}`",
        ],
    );
}

#[test]
fn what_stands_inline_is_not_repeated() {
    check(
        "MeshExternalService",
        "{tls: {verification: {caCert: {inline: c2VjcmV0}, clientCert: {secret: cert}, clientKey: {inlineString: secret}}}}",
        &[
            "spec.tls.verification.caCert.inline: use `caCert: {type: InsecureInline, insecureInline: {value: …}}`, where",
            "spec.tls.verification.clientCert.secret: use `clientCert: {type: Secret, secretRef: {kind: Secret, name: cert}}`",
            "spec.tls.verification.clientKey.inlineString: use `clientKey: {type: InsecureInline, insecureInline: {value: …}}`",
        ],
    );
}

#[test]
fn a_policy_about_a_route_is_about_nothing_else() {
    let top = "spec.targetRef.kind: refer to the route in `to`: `to: [{targetRef: {kind: MeshHTTPRoute, labels: {kuma.io/display-name: r}}";
    let of = |to: &str, expected: &[&str]| {
        let spec = format!("{{targetRef: {{kind: MeshHTTPRoute, name: r}}, to: [{to}]}}");
        check("MeshRetry", &spec, expected);
    };
    of("{targetRef: {kind: Mesh}}", &[top]);
    of("{targetRef: {kind: MeshHTTPRoute, labels: {a: b}}}", &[top]);
    of(
        "{targetRef: {kind: MeshService, name: web}}",
        &[top, "spec.to[0].targetRef.kind: refer to the route here"],
    );
}

#[test]
fn what_is_no_policy_is_no_trouble() {
    for spec in [
        "~",
        "[]",
        "x",
        "{to: x}",
        "{to: [x, {targetRef: []}]}",
        "{from: x}",
        "{targetRef: {kind: []}}",
    ] {
        for kind in [
            "MeshHTTPRoute",
            "MeshAccessLog",
            "MeshService",
            "Mesh",
            "Dataplane",
        ] {
            forms(kind, &format!("spec: {spec}"));
        }
    }
}

#[test]
fn names_of_services_are_taken_apart() {
    let table = [
        ("api_shop_svc_80", Some(("api", "shop", Some("80")))),
        ("api_shop_svc", Some(("api", "shop", None))),
        ("api", None),
        ("api_shop", None),
        ("_shop_svc_80", None),
        ("api_shop_svc_http", None),
    ];
    for (text, expected) in table {
        let found = ServiceTag::read(text).map(|tag| (tag.name, tag.namespace, tag.port));
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn what_follows_from_a_form_is_not_told() {
    let place = |text: &str| {
        let steps = text.split('.').filter(|step| !step.is_empty());
        steps.fold(Pointer::default(), |at, step| at.field(step))
    };
    let forms = Forms(vec![
        Form::field(place("spec.targetRef.name"), "name", "").covering(place("spec.targetRef")),
    ]);
    let told = |code: Code, at: &str, expected: bool| {
        let at = Location {
            pointer: place(at),
            ..Location::of_file("a.yaml")
        };
        let finding = Diagnostic::new(code, at, "");
        assert_eq!(forms.explain(&finding), expected, "{finding:?}");
    };
    told(Code::UNKNOWN_FIELD, "spec.targetRef.name", true);
    told(Code::MISSING_FIELD, "spec.targetRef.labels", true);
    told(Code::MISSING_FIELD, "spec", true);
    told(Code::NO_EFFECT, "spec", true);
    told(Code::INVALID_VALUE, "spec", false);
    told(Code::UNKNOWN_FIELD, "spec.to", false);
    told(Code::LEGACY, "spec.targetRef.name", false);
}
