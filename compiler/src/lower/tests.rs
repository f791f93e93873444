//! Small repositories, and what their proxies are given: the stories of language section 9.

mod access_logs;
mod balancing;
mod breakers;
mod captured;
mod defaults;
mod faults;
mod identities;
mod parts;
mod policies;
mod probes;
mod rate_limits;
mod retries;
mod routes;
mod same;
mod services;
mod shadow;
mod wide;

use mesh_bundle::resource::{Destination, TlsMode, Traffic};
use mesh_bundle::{Bundle, Key, Kri, ProxyConfig, Sourced};

use crate::compile::{Compiled, compile};
use crate::model::Settings;
use crate::world::MemoryWorld;

use super::*;

/// Compiles one file, `mesh.yaml`.
fn compiled(text: &str) -> Compiled {
    compiled_files(&[("mesh.yaml", text)])
}

fn compiled_files(files: &[(&str, &str)]) -> Compiled {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    let world = MemoryWorld {
        files: files.collect(),
    };
    compile(&world, &Settings::default())
}

/// Findings as `line code`.
fn findings(compiled: &Compiled) -> Vec<String> {
    let finding = |finding: &crate::diag::Diagnostic| {
        format!("{} {}", compiled.sources.line(&finding.at), finding.code.0)
    };
    compiled.diagnostics.list.iter().map(finding).collect()
}

/// What a proxy is given.
fn config(compiled: &Compiled, name: &str) -> ProxyConfig {
    let bundle = &compiled.bundle;
    let mut proxies = bundle.proxies.iter();
    let (_, proxy) = proxies.find(|(kri, _)| kri.name() == name).unwrap();
    let resource = |(key, digest): (&Key, &Digest)| {
        let resource = Resource::clone(&bundle.resources[digest]);
        (key.clone(), resource)
    };
    ProxyConfig::assemble(proxy.manifest.entries.iter().map(resource).collect()).unwrap()
}

fn port(name: &str, section: &str) -> Kri {
    format!("kri_msvc_default_default__{name}_{section}")
        .parse()
        .unwrap()
}

fn destination(compiled: &Compiled, proxy: &str, service: &Kri) -> Destination {
    config(compiled, proxy)
        .destinations
        .remove(service)
        .unwrap()
}

/// `web-1` calls `api` (ports `http` 80 and `admin` 9000) and `db`; `api` has two versions. Everybody has an identity.
const CAST: &str = include_str!("tests/cast.yaml");

/// The cast, and what the story adds.
fn story(added: &str) -> Compiled {
    compiled_files(&[("cast.yaml", CAST), ("mesh.yaml", added)])
}

/// A document with one item of `to`.
fn to(kind: &str, name: &str, target: &str, default: &str) -> String {
    format!(
        "type: {kind}\nname: {name}\nspec:\n  to: [{{targetRef: {target}, default: {default}}}]\n"
    )
}

const MESH: &str = "{kind: Mesh}";
const API: &str = "{kind: MeshService, labels: {kuma.io/display-name: api}}";

/// Compiles the cast with these documents, and finds nothing but that they are carried only.
fn carried(documents: &[String]) -> Compiled {
    let compiled = story(&documents.join("---\n"));
    let found = findings(&compiled);
    // What becomes of a retry is asked here, not whether it is wise.
    let expected = [" not-implemented", " unsafe-retry"];
    let other = |finding: &&String| !expected.iter().any(|code| finding.ends_with(code));
    assert_eq!(found.iter().find(other), None, "{documents:#?}");
    compiled
}

/// A value and its line: `-` for a default policy, `=` for what is built in.
fn at<T: std::fmt::Display>(sourced: &Sourced<T>) -> String {
    let line = match &sourced.origin {
        None => "=".to_owned(),
        Some(origin) if origin.line == 0 => "-".to_owned(),
        Some(origin) => origin.line.to_string(),
    };
    format!("{}@{line}", sourced.value)
}

/// `api` with an `http` port that speaks something else.
fn speaking(protocol: &str, documents: &[String]) -> Compiled {
    let port = "name: http, appProtocol: http}\n    - {port: 9000";
    let other = format!("name: http, appProtocol: {protocol}}}\n    - {{port: 9000");
    assert!(CAST.contains(port));
    let cast = CAST.replacen(port, &other, 1);
    compiled_files(&[
        ("cast.yaml", &cast),
        ("mesh.yaml", &documents.join("---\n")),
    ])
}

#[test]
fn the_repository_of_the_language_document() {
    let compiled = compiled(include_str!("tests/day-one.yaml"));
    // Nothing runs v2 yet, and nobody is allowed to call web.
    assert_eq!(findings(&compiled), ["35 selects-nothing", "38 denies-all"]);
    let bundle = &compiled.bundle;
    assert_eq!(Bundle::decode(&bundle.encode().unwrap()).unwrap(), *bundle);
    let web = config(&compiled, "web-1");
    let api = port("api", "http");
    assert_eq!(web.outbounds["127.0.0.1:10080"].destination, api);
    assert_eq!(web.destinations[&api].hostnames, ["api.svc.mesh.local"]);
    assert_eq!(web.clusters.len(), 2);
    assert_eq!(
        web.clusters[&api].identities[0].as_str(),
        "spiffe://default.default.mesh.local/workload/api"
    );
    let server = config(&compiled, "api-1");
    let (_, policy) = &server.inbounds["http"];
    assert_eq!(policy.tls.value, TlsMode::Strict);
    let permissions = policy.permissions.as_ref().unwrap();
    assert_eq!(permissions.allow[0].origin.to_string(), "mesh.yaml:54");
    assert_eq!(permissions.unmatched.to_string(), "mesh.yaml:54");
}

#[test]
fn endpoints_are_what_serves_a_port_and_is_ready() {
    let compiled = story(
        "type: Dataplane\nname: api-3\nlabels: {app: api, kuma.io/workload: api}\nnetworking:\n  address: 10.0.0.23\n  inbound:\n    - {port: 9080, servicePort: 8080, name: http, protocol: http, health: {ready: false}}\n    - {port: 9100, servicePort: 8100, name: admin, protocol: http, state: Ignored}\n",
    );
    let (_, proxy) = compiled
        .bundle
        .proxies
        .iter()
        .find(|(kri, _)| kri.name() == "api-3")
        .unwrap();
    let told: Vec<String> = proxy
        .endpoints
        .iter()
        .map(|e| {
            format!(
                "{} {}:{} {}",
                e.service.name(),
                e.address,
                e.port,
                e.healthy
            )
        })
        .collect();
    assert_eq!(told, ["api 10.0.0.23:9080 false"]);
    let listeners: Vec<String> = config(&compiled, "api-3").inbounds.into_keys().collect();
    assert_eq!(listeners, ["http"]);
}

#[test]
fn a_workload_without_a_document_gets_its_service() {
    let compiled = compiled(
        "type: Dataplane\nname: cache-1\nlabels: {kuma.io/workload: cache}\nnetworking:\n  address: 10.0.0.1\n  inbound: [{port: 6379, servicePort: 6380, name: redis}]\n---\ntype: Dataplane\nname: cache-2\nlabels: {kuma.io/workload: cache}\nnetworking:\n  address: 10.0.0.2\n  inbound: [{port: 6377, servicePort: 6380, name: redis}]\n---\ntype: Dataplane\nname: app\nnetworking:\n  address: 10.0.0.3\n  outbound: [{port: 6379, backendRef: {kind: MeshService, name: cache, port: 6379}}]\n",
    );
    assert_eq!(findings(&compiled), ["8 unequal-workload"]);
    let destination = destination(&compiled, "app", &port("cache", "redis"));
    assert_eq!(destination.origin.line, 0);
    assert!(matches!(destination.traffic, Traffic::Tcp { .. }));
    let config = config(&compiled, "cache-1");
    let (_, policy) = &config.inbounds["redis"];
    assert_eq!(policy.tls.value, TlsMode::Disabled);
    assert_eq!(policy.permissions, None);
}

#[test]
fn references_that_lead_nowhere_say_where_they_could() {
    let missing = |backend: &str| {
        let text = format!(
            "type: Dataplane\nname: c\nlabels: {{kuma.io/workload: c}}\nnetworking:\n  address: 10.0.0.9\n  outbound:\n    - port: 1\n      backendRef: {backend}\n"
        );
        let compiled = story(&text);
        let list = &compiled.diagnostics.list;
        let told = list
            .iter()
            .map(|d| format!("{} {}", d.message, d.help.as_deref().unwrap_or("")));
        told.collect::<Vec<_>>().join("; ")
    };
    for (backend, expected) in [
        (
            "{kind: MeshService, name: apj, port: 80}",
            "did you mean `api`?",
        ),
        (
            "{kind: MeshService, name: api, port: 81}",
            "`api` has no port `81`",
        ),
        (
            "{kind: MeshService, labels: {team: api}, port: 80}",
            "3 services carry `team: api`",
        ),
        (
            "{kind: MeshService, labels: {team: nobody}, port: 80}",
            "`team` is one of `api` and `db`",
        ),
        (
            "{kind: MeshService, labels: {size: big}, port: 80}",
            "no MeshService has a label `size`",
        ),
        (
            "{kind: MeshExternalService, name: api}",
            "no MeshExternalService carries",
        ),
    ] {
        let told = missing(backend);
        assert!(told.contains(expected), "{backend}: {told}");
    }
}
