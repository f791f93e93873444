//! Identity and trust: what each mistake is called, and where it is shown.

use super::check;

const CA: &str = include_str!("ca.pem");

fn bundled(text: &str, errors: &[&str], warnings: &[&str]) {
    let body = format!("provider: {{type: Bundled, bundled: {text}}}");
    check("MeshIdentity", &body, errors, warnings);
}

#[test]
fn extensions_are_refused_where_they_are_whole() {
    for (extension, error) in [
        ("", "spec.provider.extension [missing-field]"),
        (
            ", extension: {config: {a: b}}",
            "spec.provider.extension.name [missing-field]",
        ),
        (", extension: {name: x}", "spec.provider.type [unsupported]"),
    ] {
        let provider = format!("provider: {{type: Extension{extension}}}");
        check("MeshIdentity", &provider, &[error], &[]);
    }
}

#[test]
fn providers() {
    check(
        "MeshIdentity",
        "selector: {dataplane: {matchLabels: {}}}",
        &[],
        &[],
    );
    check(
        "MeshIdentity",
        "provider: {}",
        &["spec.provider.type [missing-field]"],
        &[],
    );
    check(
        "MeshIdentity",
        "provider: {type: Vault}",
        &["spec.provider.type [invalid-value]"],
        &[],
    );
    check(
        "MeshIdentity",
        "provider: {type: Bundled}",
        &["spec.provider.bundled [missing-field]"],
        &[],
    );
    check(
        "MeshIdentity",
        "provider: {type: Spire, spire: {agent: {timeout: 1s}}}",
        &[],
        &[],
    );
    check(
        "MeshIdentity",
        "provider: {type: Spire, spire: {agent: {timeout: -1s}}}",
        &["spec.provider.spire.agent.timeout [invalid-value]"],
        &[],
    );
    let at = "spec.provider.bundled";
    bundled(
        "{insecureAllowSelfSigned: true, autogenerate: {enabled: true}, meshTrustCreation: Disabled, certificateParameters: {expiry: 24h}}",
        &[],
        &[],
    );
    bundled(
        "{autogenerate: {enabled: true}}",
        &[&format!("{at}.insecureAllowSelfSigned [self-signed]")],
        &[],
    );
    bundled(
        "{autogenerate: {enabled: true}, ca: {}}",
        &[&format!("{at}.ca [invalid-value]")],
        &[],
    );
    bundled("{}", &[&format!("{at}.ca [missing-field]")], &[]);
    bundled(
        "{autogenerate: {enabled: false}}",
        &[&format!("{at}.ca [missing-field]")],
        &[],
    );
    bundled(
        "{ca: {}}",
        &[
            &format!("{at}.ca.certificate [missing-field]"),
            &format!("{at}.ca.privateKey [missing-field]"),
        ],
        &[],
    );
    for (expiry, errors) in [("59s", 1), ("0s", 1), ("-1s", 1), ("1m", 0)] {
        let place = format!("{at}.certificateParameters.expiry [invalid-value]");
        let text = format!(
            "{{insecureAllowSelfSigned: true, autogenerate: {{enabled: true}}, certificateParameters: {{expiry: {expiry}}}}}"
        );
        bundled(&text, &[place.as_str()][..errors], &[]);
    }
}

#[test]
fn sources() {
    let ca = |key: &str, errors: &[&str]| {
        let text = format!(
            "{{ca: {{certificate: {{type: File, file: {{path: /ca.pem}}}}, privateKey: {key}}}}}"
        );
        let errors: Vec<String> = errors
            .iter()
            .map(|rest| format!("spec.provider.bundled.ca.privateKey{rest}"))
            .collect();
        let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
        bundled(&text, &errors, &[]);
    };
    ca("{type: Secret, secretRef: {kind: Secret, name: a}}", &[]);
    ca("{type: EnvVar, envVar: {name: A}}", &[]);
    ca("{type: File, file: {path: 'C:\\ca.key'}}", &[]);
    ca("{}", &[".type [missing-field]"]);
    ca("{type: Vault}", &[".type [invalid-value]"]);
    ca("{type: Secret}", &[".secretRef [missing-field]"]);
    ca(
        "{type: Secret, secretRef: {}}",
        &[
            ".secretRef.kind [missing-field]",
            ".secretRef.name [missing-field]",
        ],
    );
    ca(
        "{type: Secret, secretRef: {kind: ConfigMap, name: a}}",
        &[".secretRef.kind [invalid-value]"],
    );
    ca(
        "{type: EnvVar, file: {path: /a}}",
        &[".envVar [missing-field]"],
    );
    ca(
        "{type: File, file: {path: a}}",
        &[".file.path [invalid-value]"],
    );
    ca(
        "{type: File, file: {path: /a/../b}}",
        &[".file.path [invalid-value]"],
    );
    ca(
        "{type: InsecureInline, insecureInline: {value: ''}}",
        &[".insecureInline.value [missing-field]"],
    );
    ca(
        "{type: InsecureInline, insecureInline: {value: x}}",
        &[".insecureInline.value [invalid-value]"],
    );
}

#[test]
fn inline_authorities() {
    let block = |indent: &str, text: &str| -> String {
        text.lines()
            .map(|line| format!("{indent}{line}\n"))
            .collect()
    };
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let body = |certificate: &str, flag: bool| {
        format!(
            "provider:\n  type: Bundled\n  bundled:\n    insecureAllowSelfSigned: {flag}\n    ca:\n      certificate:\n        type: InsecureInline\n        insecureInline:\n          value: |\n{}      privateKey:\n        type: InsecureInline\n        insecureInline:\n          value: |\n{}",
            block("            ", certificate),
            block("            ", key),
        )
    };
    let at = "spec.provider.bundled.ca";
    let secret = format!("{at}.privateKey.insecureInline.value [inline-secret]");
    let certificate = |code: &str| format!("{at}.certificate.insecureInline.value [{code}]");
    check("MeshIdentity", &body(CA, true), &[], &[&secret]);
    check(
        "MeshIdentity",
        &body(CA, false),
        &[&certificate("self-signed")],
        &[&secret],
    );
    check(
        "MeshIdentity",
        &body(key, true),
        &[&certificate("invalid-value")],
        &[&secret],
    );
}

#[test]
fn spiffe_ids() {
    let id = |text: &str, errors: &[&str]| {
        check("MeshIdentity", &format!("spiffeID: {text}"), errors, &[]);
    };
    id(
        "{trustDomain: '{{ .Mesh }}.{{ .Zone }}.x', path: '/ns/{{ .Namespace }}/sa/{{ label \"a\" }}'}",
        &[],
    );
    id("{trustDomain: 'UPPER'}", &[]);
    id(
        "{trustDomain: '{{ .Workload }}'}",
        &["spec.spiffeID.trustDomain [invalid-template]"],
    );
    id(
        "{trustDomain: '{{ .Mesh'}",
        &["spec.spiffeID.trustDomain [invalid-template]"],
    );
    id(
        "{path: 'workload'}",
        &["spec.spiffeID.path [invalid-value]"],
    );
    id(
        "{path: '/workload/'}",
        &["spec.spiffeID.path [invalid-template]"],
    );
    id(
        "{path: '/{{ .Namespace|upper }}'}",
        &["spec.spiffeID.path [invalid-template]"],
    );
}

#[test]
fn trusts() {
    let trust = |text: &str, errors: &[&str]| check("MeshTrust", text, errors, &[]);
    let pem: String = CA.lines().map(|line| format!("      {line}\n")).collect();
    let bundle = |value: &str| {
        format!("trustDomain: td\ncaBundles:\n- type: Pem\n  pem:\n    value: |\n{value}")
    };
    trust(&bundle(&pem), &[]);
    trust(&bundle(&format!("{pem}{pem}")), &[]);
    let at = "spec.caBundles[0].pem.value [invalid-value]";
    trust(&bundle("      hello\n"), &[at]);
    trust(&bundle(&pem.replace("CERTIFICATE", "PRIVATE KEY")), &[at]);
    trust(
        &bundle(&format!(
            "{pem}      -----BEGIN CERTIFICATE-----\n      AA\n"
        )),
        &[at],
    );
    trust(&bundle(&pem.replace("MI", "AA")), &[at]);
    let long = "a".repeat(254);
    trust(
        &bundle(&pem).replace("trustDomain: td", &format!("trustDomain: {long}")),
        &["spec.trustDomain [invalid-value]"],
    );
    trust(
        "trustDomain: td\ncaBundles: []",
        &["spec.caBundles [invalid-value]"],
    );
    trust(
        "trustDomain: TD\ncaBundles: [{type: Pem, pem: {}}]",
        &[
            "spec.caBundles[0].pem.value [missing-field]",
            "spec.trustDomain [invalid-value]",
        ],
    );
    trust(
        "caBundles: [{}]",
        &[
            "spec.caBundles[0].pem [missing-field]",
            "spec.caBundles[0].type [missing-field]",
            "spec.trustDomain [missing-field]",
        ],
    );
    trust(
        "trustDomain: td\ncaBundles: [{type: Jks}]",
        &[
            "spec.caBundles[0].pem [missing-field]",
            "spec.caBundles[0].type [invalid-value]",
        ],
    );
}
