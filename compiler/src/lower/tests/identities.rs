//! Who is who, and whom clients expect.

use super::*;

fn identity(name: &str, labels: &str, rest: &str) -> String {
    format!(
        "---\ntype: MeshIdentity\nname: {name}\nspec:\n  selector: {{dataplane: {{matchLabels: {labels}}}}}\n{rest}"
    )
}

const ISSUING: &str = "  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}\n";

fn proxies(identities: &str) -> Compiled {
    compiled(&format!(
        "type: Dataplane\nname: web-1\nlabels: {{app: web, team: x, kuma.io/workload: web}}\nnetworking:\n  address: 10.0.0.1\n  outbound: [{{port: 1, backendRef: {{kind: MeshService, name: api, port: 80}}}}]\n---\ntype: Dataplane\nname: api-1\nlabels: {{app: api, kuma.io/workload: api}}\nnetworking:\n  address: 10.0.0.2\n  inbound: [{{port: 80, servicePort: 8080}}]\n{identities}"
    ))
}

#[test]
fn e10_the_most_pairs_win_then_the_smallest_name() {
    let compiled = proxies(&format!(
        "{}{}{}",
        identity("mid-a", "{}", ISSUING),
        identity("mid-c", "{team: x}", ISSUING),
        identity("mid-b", "{app: web}", ISSUING)
    ));
    let issuer = |proxy| {
        let identity = config(&compiled, proxy).proxy.identity.unwrap();
        identity.issuer.name().to_owned()
    };
    assert_eq!([issuer("web-1"), issuer("api-1")], ["mid-b", "mid-a"]);
    assert_eq!(compiled.bundle.issuers.len(), 3);
}

#[test]
fn an_agent_gives_what_meshd_does_not() {
    for (provider, seconds) in [
        ("{type: Spire}", 1),
        ("{type: Spire, spire: {agent: {timeout: 3s}}}", 3),
    ] {
        let compiled = proxies(&format!(
            "{}{}",
            identity("mid-a", "{}", ISSUING),
            identity("mid-b", "{app: api}", &format!("  provider: {provider}\n"))
        ));
        let agent = |proxy| config(&compiled, proxy).proxy.identity.unwrap().agent;
        let wait = agent("api-1").unwrap().timeout;
        assert_eq!(wait, mesh_bundle::Duration::from_secs(seconds));
        assert_eq!(agent("web-1"), None);
        let issuers = compiled.bundle.issuers.keys().map(|kri| kri.name());
        assert!(issuers.eq(["mid-a"]));
    }
}

#[test]
fn an_announced_identity_is_expected_before_it_is_issued() {
    let announced = "  spiffeID: {trustDomain: next, path: '/app/{{ label \"app\" }}'}\n";
    let compiled = proxies(&format!(
        "{}{}",
        identity("now", "{}", ISSUING),
        identity("next", "{app: api}", announced)
    ));
    let api = config(&compiled, "api-1").proxy.identity.unwrap();
    assert_eq!(
        api.spiffe_id.as_str(),
        "spiffe://default.default.mesh.local/workload/api"
    );
    let clusters = config(&compiled, "web-1").clusters;
    let expected: Vec<&str> = clusters[&port("api", "80")]
        .identities
        .iter()
        .map(|id| id.as_str())
        .collect();
    assert_eq!(
        expected,
        [
            "spiffe://default.default.mesh.local/workload/api",
            "spiffe://next/app/api"
        ]
    );
}

#[test]
fn a_name_that_cannot_be_made_is_an_error() {
    let text = "type: Dataplane\nname: web-1\nnetworking: {address: 10.0.0.1}\n";
    let compiled = compiled(&format!("{text}{}", identity("id", "{}", ISSUING)));
    assert_eq!(findings(&compiled), ["1 identity-variable"]);
    assert!(compiled.diagnostics.has_errors());
}

#[test]
fn a_bundle_says_where_a_key_is_and_never_what_it_is() {
    let inline = "  provider:\n    type: Bundled\n    bundled:\n      ca:\n        certificate: {type: File, file: {path: /ca.pem}}\n        privateKey: {type: EnvVar, envVar: {name: CA_KEY}}\n";
    let compiled = proxies(&identity("id", "{}", inline));
    let issuer = compiled.bundle.issuers.values().next().unwrap();
    assert_eq!(
        issuer.ca,
        mesh_bundle::CaSource::Provided {
            certificate: mesh_bundle::ValueSource::File("/ca.pem".to_owned()),
            private_key: mesh_bundle::ValueSource::EnvVar("CA_KEY".to_owned()),
        }
    );
}

#[test]
fn a_secret_is_for_meshd_alone() {
    use crate::diag::{Format, render};

    let secret = |data: &str| format!("---\ntype: Secret\nname: s\ndata: {data}\n");
    let compiled = story(&secret("c2Vla3JpdA=="));
    let kept = compiled.secrets.documents.into_iter().collect::<Vec<_>>();
    let name = ("default".to_owned(), "s".to_owned());
    assert_eq!(kept, [(name, "c2Vla3JpdA==".to_owned())]);

    for data in [
        "seekrit",
        "'seekrit=!'",
        "{other: seekrit}",
        "[seekrit]",
        "seekrit\nother: seekrit",
        "seekrit\ndata: seekrit",
        "{seekrit\nseekrit",
        "\"seekrit",
        "&a seekrit",
    ] {
        for text in [
            secret(data),
            format!("{}---\ntype: Secret\nname: s\ndata: x\n", secret(data)),
            secret(data).replace("name: s\n", ""),
            secret(data)
                .replace("---\n", "")
                .replace("type: Secret", "type: GlobalSecret"),
        ] {
            let compiled = story(&text);
            assert!(!compiled.diagnostics.list.is_empty(), "{text}");
            let bundle = compiled.bundle.encode().unwrap();
            let mut told = String::from_utf8(bundle).unwrap();
            let formats = [
                Format::Human { color: false },
                Format::Concise,
                Format::Json,
            ];
            for format in formats {
                told += &render(format, &compiled.diagnostics, &compiled.sources);
            }
            told += &format!("{:?}", compiled.secrets);
            let shown: Vec<&str> = told
                .lines()
                .filter(|line| line.contains("seekrit"))
                .collect();
            assert_eq!(shown, [""; 0], "{text}");
        }
    }
}
