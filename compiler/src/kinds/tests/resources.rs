//! Core resources: what each mistake is called, and where it is shown.

use super::{check, check_under};

#[test]
fn meshes() {
    check("Mesh", "", &[], &[]);
    check(
        "Mesh",
        "skipCreatingInitialPolicies: ['*', MeshRetry]",
        &[],
        &[],
    );
    check(
        "Mesh",
        "skipCreatingInitialPolicies: [MeshTLS]",
        &[],
        &["skipCreatingInitialPolicies[0] [no-effect]"],
    );
    check("Mesh", "mtls: {}", &["mtls [unknown-field]"], &[]);
}

#[test]
fn dataplanes() {
    let networking = |text: &str, errors: &[&str], warnings: &[&str]| {
        check(
            "Dataplane",
            &format!("networking: {text}"),
            errors,
            warnings,
        );
    };
    check("Dataplane", "", &["networking [missing-field]"], &[]);
    networking("{address: 10.0.0.1}", &[], &[]);
    networking("{address: web.example}", &[], &[]);
    networking(
        "{inbound: []}",
        &["networking.address [missing-field]"],
        &[],
    );
    networking(
        "{address: 0.0.0.0}",
        &["networking.address [invalid-value]"],
        &[],
    );
    networking(
        "{address: 'a b'}",
        &["networking.address [invalid-value]"],
        &[],
    );
    networking(
        "{address: 10.0.0.1, admin: {port: 9901}}",
        &[],
        &["networking.admin.port [not-implemented]"],
    );
    networking(
        "{address: 127.0.0.1, admin: {port: 80}, inbound: [{port: 80, servicePort: 81}], outbound: [{port: 80, backendRef: {kind: MeshService, name: a, port: 1}}]}",
        &["networking.admin.port [port-clash]"],
        &["networking.admin.port [not-implemented]"],
    );
    networking(
        "{address: 10.0.0.1, transparentProxying: {directAccessServices: ['*']}}",
        &[],
        &["networking.transparentProxying.directAccessServices [not-implemented]"],
    );
    let refs = |text: &str, errors: &[&str]| {
        let text = format!(
            "{{address: 10.0.0.1, transparentProxying: {{reachableBackends: {{refs: [{text}]}}}}}}"
        );
        networking(&text, errors, &[]);
    };
    let at = "networking.transparentProxying.reachableBackends.refs[0]";
    refs("{kind: MeshService, name: a, namespace: b}", &[]);
    refs("{kind: MeshService, labels: {a: b}, port: 80}", &[]);
    refs(
        "{kind: MeshService}",
        &[&format!("{at}.name [missing-field]")],
    );
    refs(
        "{kind: MeshService, namespace: a}",
        &[&format!("{at}.name [missing-field]")],
    );
    refs(
        "{kind: MeshService, name: a, labels: {a: b}}",
        &[&format!("{at}.labels [invalid-value]")],
    );
    refs(
        "{kind: Mesh, name: a}",
        &[&format!("{at}.kind [invalid-value]")],
    );
}

#[test]
fn inbounds() {
    let inbound = |text: &str, errors: &[&str], warnings: &[&str]| {
        let body = format!("networking: {{address: 10.0.0.1, inbound: [{text}]}}");
        check_under(
            "Dataplane",
            "networking.inbound[0]",
            &body,
            errors,
            warnings,
        );
    };
    inbound(
        "{port: 80, servicePort: 8080, name: http, protocol: HTTP}",
        &[],
        &[],
    );
    inbound("{port: 80, serviceAddress: 127.0.0.1}", &[], &[]);
    inbound("{port: 80}", &[], &[" [forwards-to-itself]"]);
    inbound(
        "{port: 80, servicePort: 80}",
        &[],
        &[" [forwards-to-itself]"],
    );
    inbound(
        "{port: 80, serviceAddress: 10.0.0.1}",
        &[".serviceAddress [invalid-value]"],
        &[],
    );
    inbound("{servicePort: 80}", &[".port [missing-field]"], &[]);
    inbound(
        "{port: 0, servicePort: 65536}",
        &[".port [invalid-value]", ".servicePort [invalid-value]"],
        &[],
    );
    inbound(
        "{port: -1, servicePort: 1}",
        &[".port [invalid-value]"],
        &[],
    );
    inbound("{port: '80', servicePort: 1}", &[".port [wrong-type]"], &[]);
    inbound(
        "{port: 80, servicePort: 1, address: web}",
        &[".address [invalid-value]"],
        &[],
    );
    inbound(
        "{port: 80, servicePort: 1, name: A}",
        &[".name [invalid-value]"],
        &[],
    );
    inbound(
        "{port: 80, servicePort: 1, protocol: kafka}",
        &[".protocol [invalid-value]"],
        &[],
    );
    inbound(
        "{port: 80, servicePort: 1, state: Gone}",
        &[".state [invalid-value]"],
        &[],
    );
    inbound(
        "{port: 80, servicePort: 1, serviceProbe: {interval: 0s, healthyThreshold: 0, tcp: {}}}",
        &[
            ".serviceProbe.healthyThreshold [invalid-value]",
            ".serviceProbe.interval [invalid-value]",
        ],
        &[],
    );
    inbound(
        "{port: 80, servicePort: 1, serviceProbe: {interval: 1s}}",
        &[],
        &[".serviceProbe [no-effect]"],
    );
}

#[test]
fn inbounds_beside_each_other() {
    let inbounds = |text: &str, errors: &[&str], warnings: &[&str]| {
        let body = format!("networking: {{address: 10.0.0.1, inbound: [{text}]}}");
        check_under("Dataplane", "networking.inbound", &body, errors, warnings);
    };
    inbounds(
        "{port: 80, servicePort: 1}, {port: 80, servicePort: 2}",
        &["[1].port [port-clash]"],
        &[],
    );
    inbounds(
        "{port: 80, servicePort: 1, name: a}, {port: 81, servicePort: 2, name: a}",
        &["[1].name [invalid-value]"],
        &[],
    );
    inbounds(
        "{port: 80, servicePort: 1}, {port: 81, servicePort: 2, name: '80'}",
        &["[1].name [invalid-value]"],
        &[],
    );
    inbounds(
        "{port: 80, servicePort: 1}, {port: 80, address: 10.0.0.2, servicePort: 2}",
        &["[1].port [invalid-value]"],
        &[],
    );
}

#[test]
fn outbounds() {
    let outbound = |text: &str, errors: &[&str]| {
        let body = format!("networking: {{address: 10.0.0.1, outbound: [{text}]}}");
        check_under("Dataplane", "networking.outbound", &body, errors, &[]);
    };
    outbound(
        "{port: 80, backendRef: {kind: MeshService, name: a, port: 80}}",
        &[],
    );
    outbound(
        "{port: 80, backendRef: {kind: MeshExternalService, labels: {a: b}}}",
        &[],
    );
    outbound("{port: 80}", &["[0].backendRef [missing-field]"]);
    outbound(
        "{backendRef: {kind: MeshService, name: a, port: 80}}",
        &["[0].port [missing-field]"],
    );
    outbound(
        "{port: 80, address: x, backendRef: {kind: MeshService, name: a, port: 80}}",
        &["[0].address [invalid-value]"],
    );
    outbound(
        "{port: 80, backendRef: {kind: MeshService, port: 80}}",
        &["[0].backendRef [invalid-value]"],
    );
    outbound(
        "{port: 80, backendRef: {kind: MeshService, name: a, labels: {a: b}, port: 80}}",
        &["[0].backendRef [invalid-value]"],
    );
    outbound(
        "{port: 80, backendRef: {kind: MeshService, name: a}}",
        &["[0].backendRef.port [missing-field]"],
    );
    outbound(
        "{port: 80, backendRef: {kind: Dataplane, name: a, port: 1}}",
        &["[0].backendRef.kind [invalid-value]"],
    );
    let one = "{port: 80, backendRef: {kind: MeshService, name: a, port: 80}}";
    outbound(&format!("{one}, {one}"), &["[1].port [port-clash]"]);
}

#[test]
fn gateways() {
    let gateway = |text: &str, errors: &[&str]| {
        check(
            "Dataplane",
            &format!("networking: {{address: 10.0.0.1, gateway: {text}}}"),
            errors,
            &[],
        );
    };
    gateway("{}", &[]);
    gateway(
        "{type: DELEGATED, tags: {kuma.io/service: kong, version: '1'}}",
        &[],
    );
    gateway("{type: X}", &["networking.gateway.type [invalid-value]"]);
    gateway(
        "{tags: {version: '1'}}",
        &["networking.gateway.tags [missing-field]"],
    );
    gateway(
        "{tags: {kuma.io/service: kong, version: ~}}",
        &["networking.gateway.tags[\"version\"] [invalid-value]"],
    );
    gateway(
        "{tags: {kuma.io/service: kong, kuma.io/protocol: http}}",
        &["networking.gateway.tags[\"kuma.io/protocol\"] [invalid-value]"],
    );
    gateway(
        "{}, inbound: [{port: 1, servicePort: 2}]",
        &["networking.inbound [invalid-value]"],
    );
}

#[test]
fn services() {
    let service = |text: &str, errors: &[&str], warnings: &[&str]| {
        check("MeshService", text, errors, warnings);
    };
    let selector = "selector: {dataplaneLabels: {matchLabels: {app: api}}}";
    let ports = "ports: [{port: 80}]";
    service(&format!("{selector}\n{ports}"), &[], &[]);
    service(ports, &[], &[]);
    service(selector, &[], &["spec [no-effect]"]);
    service(
        &format!("selector: {{dataplaneLabels: {{}}}}\n{ports}"),
        &[],
        &["spec.selector.dataplaneLabels [selects-everything]"],
    );
    service(
        &format!("selector: {{dataplaneRef: {{name: a}}, dataplaneLabels: {{}}}}\n{ports}"),
        &["spec.selector [invalid-value]"],
        &[],
    );
    service(
        &format!("selector: {{dataplaneRef: {{}}}}\n{ports}"),
        &["spec.selector.dataplaneRef.name [missing-field]"],
        &[],
    );
    service(
        &format!("selector: {{dataplaneTags: {{app: a}}}}\n{ports}"),
        &["spec.selector.dataplaneTags [unknown-field]"],
        &[],
    );
    service(
        &format!(
            "{selector}\n{ports}\nstate: Available\nidentities: [{{type: SpiffeID, value: x}}]"
        ),
        &[],
        &[
            "spec.identities [read-only-field]",
            "spec.state [read-only-field]",
        ],
    );
    let port =
        |text: &str, errors: &[&str]| service(&format!("{selector}\nports: [{text}]"), errors, &[]);
    port(
        "{port: 80, targetPort: http, name: http, appProtocol: GRPC}, {port: 81, targetPort: 8080}",
        &[],
    );
    port("{name: http}", &["spec.ports[0].port [missing-field]"]);
    port("{port: 0}", &["spec.ports[0].port [invalid-value]"]);
    port(
        "{port: 80, targetPort: 70000}",
        &["spec.ports[0].targetPort [invalid-value]"],
    );
    port(
        "{port: 80, targetPort: 1.5}",
        &["spec.ports[0].targetPort [wrong-type]"],
    );
    port(
        "{port: 80, appProtocol: kafka}",
        &["spec.ports[0].appProtocol [invalid-value]"],
    );
    port(
        "{port: 80}, {port: 80}",
        &["spec.ports[1].port [invalid-value]"],
    );
    port(
        "{port: 80, name: a}, {port: 81, name: a}",
        &["spec.ports[1].name [invalid-value]"],
    );
    port(
        "{port: 80, name: A}",
        &["spec.ports[0].name [invalid-value]"],
    );
}

#[test]
fn hostname_generators() {
    let generator = |selector: &str, template: &str, errors: &[&str]| {
        check(
            "HostnameGenerator",
            &format!("selector: {selector}\ntemplate: '{template}'"),
            errors,
            &[],
        );
    };
    generator(
        "{meshService: {}}",
        "{{ .DisplayName }}.svc.{{ label \"zone\" }}.x",
        &[],
    );
    generator("{meshService: {matchLabels: {a: b}}}", "a", &[]);
    generator("{}", "a", &["spec.selector [invalid-value]"]);
    generator("~", "a", &["spec.selector [invalid-value]"]);
    generator(
        "{meshService: {}, meshExternalService: {}}",
        "a",
        &["spec.selector [invalid-value]"],
    );
    let bad = "spec.template [invalid-template]";
    generator("{meshService: {}}", "", &["spec.template [missing-field]"]);
    generator("{meshService: {}}", "{{ .Name[4 }}.mesh", &[bad]);
    generator("{meshService: {}}", "{{ .Workload }}.mesh", &[bad]);
    generator("{meshService: {}}", "{{ .Name }}.MESH", &[bad]);
    generator("{meshService: {}}", ".{{ .Name }}.mesh", &[bad]);
    generator(
        "{meshService: {}}\nextension: {type: x}",
        "a",
        &["spec.extension [unsupported]"],
    );
    generator(
        "{meshService: {}}\nextension: {config: {a: b}}",
        "a",
        &["spec.extension.type [missing-field]"],
    );
}
