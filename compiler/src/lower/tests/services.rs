//! Services of several zones and outside of the mesh: what they resolve to, and who is behind them.

use super::*;

/// What a proxy serves, as `service port address`.
fn served(compiled: &Compiled, proxy: &str) -> Vec<String> {
    let mut proxies = compiled.bundle.proxies.iter();
    let (_, proxy) = proxies.find(|(kri, _)| kri.name == proxy).unwrap();
    let told = proxy.endpoints.iter().map(|endpoint| {
        let Kri {
            kind,
            name,
            section,
            ..
        } = &endpoint.service;
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
