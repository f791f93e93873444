//! Services of several zones and outside of the mesh: what they resolve to, and who is behind them.

use mesh_bundle::kri::Parts;

use super::*;

/// What a proxy serves, as `service port address`.
fn served(compiled: &Compiled, proxy: &str) -> Vec<String> {
    let mut proxies = compiled.bundle.proxies.iter();
    let (_, proxy) = proxies.find(|(kri, _)| kri.name() == proxy).unwrap();
    let told = proxy.endpoints.iter().map(|endpoint| {
        let Parts {
            kind,
            name,
            section,
            ..
        } = endpoint.service.parts();
        format!(
            "{kind} {name}:{section} {}:{}",
            endpoint.address, endpoint.port
        )
    });
    told.collect()
}

fn of_kind(kind: &str, name: &str, section: &str) -> Kri {
    let text = format!("kri_{kind}_default_default__{name}_{section}");
    text.parse().unwrap()
}

/// A client with one outbound.
fn client(backend: &str) -> String {
    format!(
        "---\ntype: Dataplane\nname: client\nlabels: {{kuma.io/workload: client}}\nnetworking:\n  address: 10.0.0.99\n  outbound: [{{port: 1, backendRef: {backend}}}]\n"
    )
}

const EVERYWHERE: &str = "type: MeshMultiZoneService\nname: everywhere\nspec:\n  selector: {meshService: {matchLabels: {team: api}}}\n  ports:\n    - {port: 80, name: http, appProtocol: http}\n    - {port: 9000, appProtocol: http}\n";

#[test]
fn a_multi_zone_service_is_served_by_its_members() {
    let backend = "{kind: MeshMultiZoneService, name: everywhere, port: 80}";
    let compiled = story(&format!("{EVERYWHERE}{}", client(backend)));
    assert_eq!(findings(&compiled), [""; 0]);
    let api = served(&compiled, "api-1");
    assert!(
        api.contains(&"mzsvc everywhere:http 10.0.0.21:9080".to_owned()),
        "{api:?}"
    );
    // Its second port has no name: the number decides, whatever the member calls it.
    assert!(
        api.contains(&"mzsvc everywhere:9000 10.0.0.21:9100".to_owned()),
        "{api:?}"
    );
    assert!(
        !served(&compiled, "db-1")
            .iter()
            .any(|told| told.starts_with("mzsvc"))
    );
    let client = config(&compiled, "client");
    let kri = of_kind("mzsvc", "everywhere", "http");
    let destination = &client.destinations[&kri];
    assert_eq!(destination.hostnames, ["everywhere.mzsvc.mesh.local"]);
    assert!(destination.vip.unwrap().to_string().starts_with("243."));
    // Whoever serves a member may answer.
    let member = &config(&compiled, "web-1").clusters[&port("api", "http")];
    assert!(!member.identities.is_empty());
    assert_eq!(client.clusters[&kri].identities, member.identities);
}

#[test]
fn a_multi_zone_service_without_members_is_told() {
    let nobody = EVERYWHERE.replace("team: api", "team: nobody");
    assert_eq!(findings(&story(&nobody)), ["4 selects-nothing"]);
    let odd = EVERYWHERE.replace("9000", "9999");
    assert_eq!(findings(&story(&odd)), ["7 selects-nothing"]);
    let bytes = EVERYWHERE.replacen(", appProtocol: http", "", 1);
    assert_eq!(findings(&story(&bytes)), ["6 protocol-mismatch"]);
}

#[test]
fn references_to_a_multi_zone_service_need_a_port_that_is_there() {
    for (backend, expected) in [
        (
            "{kind: MeshMultiZoneService, name: everywere, port: 80}",
            "did you mean `everywhere`?",
        ),
        (
            "{kind: MeshMultiZoneService, name: everywhere, port: 81}",
            "`everywhere` has no port `81`",
        ),
        (
            "{kind: MeshService, name: everywhere, port: 80}",
            "no MeshService carries",
        ),
    ] {
        let compiled = story(&format!("{EVERYWHERE}{}", client(backend)));
        let list = &compiled.diagnostics.list;
        let told = list
            .iter()
            .map(|d| format!("{} {}", d.message, d.help.as_deref().unwrap_or("")));
        let told = told.collect::<Vec<_>>().join("; ");
        assert!(told.contains(expected), "{backend}: {told}");
        assert!(compiled.diagnostics.has_errors());
    }
}

#[test]
fn a_route_leads_to_a_multi_zone_service() {
    let route = "---\ntype: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: http}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /}}]\n          default: {backendRefs: [{kind: MeshMultiZoneService, labels: {kuma.io/display-name: everywhere}, port: 80}]}\n---\ntype: MeshTimeout\nname: t\nspec:\n  to:\n    - targetRef: {kind: MeshMultiZoneService, labels: {kuma.io/display-name: everywhere}}\n      default: {connectionTimeout: 7s}\n";
    let compiled = story(&format!("{EVERYWHERE}{route}"));
    assert_eq!(findings(&compiled), [""; 0]);
    let web = config(&compiled, "web-1");
    let cluster = &web.clusters[&of_kind("mzsvc", "everywhere", "http")];
    assert_eq!(cluster.connect_timeout.value.to_string(), "7s");
}

#[test]
fn a_disabled_zone_serves_nobody() {
    let zone =
        |name: &str, enabled: &str| format!("type: Zone\nname: {name}\nenabled: {enabled}\n");
    let open = story(&zone("default", "true"));
    assert_eq!(findings(&open), [""; 0]);
    assert!(!served(&open, "api-1").is_empty());
    let closed = story(&zone("default", "false"));
    assert_eq!(findings(&closed), [""; 0]);
    assert_eq!(served(&closed, "api-1"), [""; 0]);
    assert!(!config(&closed, "web-1").outbounds.is_empty());
    let other = story(&zone("west", "false"));
    assert_eq!(findings(&other), ["1 selects-nothing"]);
    assert!(!served(&other, "api-1").is_empty());
}

/// One that web calls, with a port of its own.
fn payments(tls: &str) -> String {
    format!(
        "type: MeshExternalService\nname: payments\nlabels: {{team: money}}\nspec:\n  match: {{port: 443, protocol: http}}\n  endpoints:\n    - {{address: 203.0.113.7, port: 8443, priority: 1}}\n    - {{address: api.payments.example, port: 443}}\n{tls}"
    )
}

fn outside(tls: &str) -> (Compiled, mesh_bundle::resource::Cluster) {
    let backend = "{kind: MeshExternalService, name: payments, port: 443}";
    let compiled = story(&format!("{}{}", payments(tls), client(backend)));
    let mut clusters = config(&compiled, "client").clusters;
    let cluster = clusters
        .remove(&of_kind("extsvc", "payments", "443"))
        .unwrap();
    (compiled, cluster)
}

#[test]
fn what_is_outside_has_an_address_a_name_and_endpoints() {
    let (compiled, cluster) = outside("");
    assert_eq!(findings(&compiled), [""; 0]);
    assert!(cluster.identities.is_empty());
    let external = cluster.external.unwrap();
    assert_eq!(external.tls, None);
    let told: Vec<(String, u32)> = external
        .endpoints
        .into_iter()
        .map(|endpoint| (endpoint.address, endpoint.priority))
        .collect();
    assert_eq!(
        told,
        [
            ("203.0.113.7".to_owned(), 1),
            ("api.payments.example".to_owned(), 0)
        ]
    );
    let kri = of_kind("extsvc", "payments", "443");
    let destination = destination(&compiled, "client", &kri);
    assert_eq!(destination.hostnames, ["payments.extsvc.mesh.local"]);
    assert!(destination.vip.unwrap().to_string().starts_with("242."));
    assert!(matches!(destination.traffic, Traffic::Http { .. }));
}

#[test]
fn tls_with_the_outside_is_what_the_document_says() {
    use mesh_bundle::resource::external::{
        Authorities, ExpectedName, TlsOrigination, TlsVersion, Verification,
    };
    let (compiled, cluster) = outside("  tls: {enabled: true}\n");
    assert_eq!(findings(&compiled), [""; 0]);
    let secured = TlsOrigination {
        min_version: TlsVersion::Tls12,
        max_version: TlsVersion::Tls13,
        verification: Verification::Secured,
        // The first endpoint that has a name, not the first endpoint.
        server_name: Some("api.payments.example".to_owned()),
        names: Vec::new(),
        authorities: Authorities::System,
        client: None,
    };
    assert_eq!(cluster.external.unwrap().tls, Some(secured));
    let (compiled, cluster) = outside(
        "  tls:\n    enabled: true\n    version: {min: TLS13}\n    verification:\n      mode: SkipCA\n      serverName: other.example\n      subjectAltNames: [{value: a.example}, {type: Prefix, value: b}]\n      clientCert: {type: Secret, secretRef: {kind: Secret, name: c}}\n      clientKey: {type: InsecureInline, insecureInline: {value: not-for-bundles}}\n",
    );
    assert!(!compiled.diagnostics.has_errors());
    let tls = cluster.external.unwrap().tls.unwrap();
    assert_eq!(tls.min_version, TlsVersion::Tls13);
    assert_eq!(tls.verification, Verification::SkipChain);
    assert_eq!(tls.server_name.as_deref(), Some("other.example"));
    assert_eq!(
        tls.names,
        [
            ExpectedName::Exact("a.example".to_owned()),
            ExpectedName::Prefix("b".to_owned())
        ]
    );
    let client = tls.client.unwrap();
    assert_eq!(
        client.certificate,
        mesh_bundle::ValueSource::Secret("c".to_owned())
    );
    let bytes = compiled.bundle.encode().unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("not-for-bundles"));
    // What is not enabled is not there.
    let (_, cluster) = outside("  tls: {verification: {mode: SkipAll}}\n");
    assert_eq!(cluster.external.unwrap().tls, None);
}

#[test]
fn a_route_leads_outside_and_a_policy_is_about_it() {
    let added = "---\ntype: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: http}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /pay}}]\n          default: {backendRefs: [{kind: MeshExternalService, labels: {team: money}}]}\n---\ntype: MeshTimeout\nname: t\nspec:\n  to:\n    - targetRef: {kind: MeshExternalService, labels: {team: money}}\n      default: {connectionTimeout: 9s}\n";
    let compiled = story(&format!("{}{added}", payments("")));
    assert_eq!(findings(&compiled), [""; 0]);
    let web = config(&compiled, "web-1");
    let kri = of_kind("extsvc", "payments", "443");
    assert_eq!(web.clusters[&kri].connect_timeout.value.to_string(), "9s");
    let Traffic::Http { routes } = &web.destinations[&port("api", "http")].traffic else {
        panic!("not HTTP");
    };
    assert_eq!(routes[0].backends[0].cluster.as_ref(), Some(&kri));
    let odd = added.replace("{team: money}}]}", "{team: money}, port: 80}]}");
    let compiled = story(&format!("{}{odd}", payments("")));
    assert!(
        compiled.diagnostics.list[0]
            .message
            .contains("`payments` has no port `80`")
    );
}

#[test]
fn services_of_different_kinds_share_a_name_but_no_address() {
    let api = payments("").replace("payments\n", "api\n");
    let multi = EVERYWHERE.replace("everywhere", "api");
    let outbound = |kind: &str, port: u16| {
        format!("{{port: {port}, backendRef: {{kind: {kind}, name: api, port: {port}}}}}")
    };
    let client = format!(
        "type: Dataplane\nname: client\nlabels: {{kuma.io/workload: client}}\nnetworking:\n  address: 10.0.0.99\n  outbound: [{}, {}, {}]\n",
        outbound("MeshService", 80),
        outbound("MeshExternalService", 443),
        outbound("MeshMultiZoneService", 9000)
    );
    let compiled = story(&format!("{api}---\n{multi}---\n{client}"));
    assert_eq!(findings(&compiled), [""; 0]);
    let client = config(&compiled, "client");
    let told: Vec<String> = client
        .destinations
        .values()
        .map(|found| {
            format!(
                "{} {}",
                found.vip.unwrap().to_string().split('.').next().unwrap(),
                found.hostnames[0]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "242 api.extsvc.mesh.local",
            "241 api.svc.mesh.local",
            "243 api.mzsvc.mesh.local"
        ]
    );
}
