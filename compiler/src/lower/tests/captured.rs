//! What a proxy that captures can reach, and where its listeners are.

use super::*;

/// The outbounds of a proxy whose document has this below `networking`, as `port -> destination`.
fn reached(networking: &str, added: &str) -> (Vec<String>, Vec<String>) {
    let compiled = story(&format!(
        "type: Dataplane\nname: c\nlabels: {{kuma.io/workload: c}}\nnetworking:\n  address: 10.0.0.99\n{networking}{added}"
    ));
    let config = config(&compiled, "c");
    let told = config.outbounds.iter().map(|(address, outbound)| {
        let destination = &config.destinations[&outbound.destination];
        // A virtual IP is a matter of the name of the service.
        if outbound.captured {
            let vip = destination.vip.unwrap();
            assert_eq!(*address, format!("{vip}:{}", destination.port));
            assert_eq!(outbound.origin, destination.origin);
        }
        let kri = &outbound.destination;
        format!("{} -> {}:{}", outbound.port, kri.name(), kri.section())
    });
    let mut told: Vec<String> = told.collect();
    told.sort();
    let codes = findings(&compiled);
    let codes = codes.into_iter();
    let codes = codes.filter(|code| !code.ends_with("not-implemented"));
    (told, codes.collect())
}

#[test]
fn everything_is_reachable_unless_the_document_says_otherwise() {
    let all = [
        "5432 -> db:sql",
        "80 -> api-v1:http",
        "80 -> api-v2:http",
        "80 -> api:http",
        "9000 -> api:admin",
    ];
    let refs =
        |refs: &str| format!("  transparentProxying: {{reachableBackends: {{refs: [{refs}]}}}}\n");
    let api = &["80 -> api:http", "9000 -> api:admin"];
    for (networking, expected) in [
        ("  transparentProxying: {}\n".to_owned(), &all[..]),
        ("  transparentProxying: {redirectPortOutbound: 0}\n".to_owned(), &[]),
        (refs(""), &[]),
        (refs("{kind: MeshService, name: api}"), api),
        (refs("{kind: MeshService, name: api, port: 9000}"), &api[1..]),
        (refs("{kind: MeshService, name: api}, {kind: MeshService, name: api, port: 80}"), api),
        (refs("{kind: MeshService, labels: {team: api}, port: 80}"), &all[1..4]),
        (
            "  outbound: [{port: 1, backendRef: {kind: MeshService, name: db, port: 5432}}]\n  transparentProxying: {}\n".to_owned(),
            &["1 -> db:sql"],
        ),
    ] {
        let (told, codes) = reached(&networking, "");
        assert_eq!(told, expected, "{networking}");
        assert_eq!(codes, [""; 0], "{networking}");
    }
}

#[test]
fn every_kind_of_service_is_reached() {
    let (told, codes) = reached(
        "  transparentProxying: {reachableBackends: {refs: [{kind: MeshMultiZoneService, name: all}]}}\n",
        "---\ntype: MeshMultiZoneService\nname: all\nspec:\n  selector: {meshService: {matchLabels: {team: db}}}\n  ports: [{port: 5433, name: sql}]\n",
    );
    assert_eq!(told, ["5433 -> all:sql"], "{codes:?}");
}

#[test]
fn a_reference_that_leads_nowhere_is_told() {
    let refs = "  transparentProxying:\n    reachableBackends:\n      refs:\n        - {kind: MeshService, name: apj}\n        - {kind: MeshService, name: api, port: 81}\n";
    let (told, codes) = reached(refs, "");
    assert_eq!(told, [""; 0]);
    assert_eq!(codes, ["9 dangling-ref", "10 dangling-ref"]);
}

#[test]
fn the_listeners_of_the_proxy_itself_are_left_alone() {
    let alone = story(
        "type: Dataplane\nname: c\nnetworking: {address: 10.0.0.99, transparentProxying: {}}\n",
    );
    let db = config(&alone, "c").destinations[&port("db", "sql")]
        .vip
        .unwrap();
    let inbound = format!("  inbound: [{{port: 5432, address: {db}, servicePort: 1}}]\n");
    let (told, _) = reached(&format!("{inbound}  transparentProxying: {{}}\n"), "");
    // The workload is a service by now.
    assert!(told.contains(&"5432 -> c:5432".to_owned()), "{told:?}");
    assert!(!told.contains(&"5432 -> db:sql".to_owned()));
}

#[test]
fn proxies_share_what_they_capture() {
    let capturing = ["a", "b"].map(|name| {
        format!("---\ntype: Dataplane\nname: {name}\nnetworking: {{address: 10.0.1.1, transparentProxying: {{}}}}\n")
    });
    let compiled = story(&capturing.concat());
    let mut manifests = compiled.bundle.proxies.iter().filter_map(|(kri, proxy)| {
        let entries = proxy.manifest.entries.clone();
        ["a", "b"].contains(&kri.name()).then_some(entries)
    });
    let [mut a, mut b] = [manifests.next().unwrap(), manifests.next().unwrap()];
    assert_ne!(a.remove(&Key::Proxy), b.remove(&Key::Proxy));
    assert_eq!(a, b);
}
