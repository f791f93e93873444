//! Small repositories, and what their proxies are given.

use mesh_bundle::resource::TlsMode;
use mesh_bundle::{Bundle, Key, Kri, ProxyConfig};

use crate::compile::{Compiled, compile};
use crate::world::MemoryWorld;

use super::*;

fn compiled(files: &[(&str, &str)]) -> Compiled {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    let world = MemoryWorld {
        files: files.collect(),
    };
    compile(&world, &Settings::default())
}

fn config(bundle: &Bundle, name: &str) -> ProxyConfig {
    let (_, proxy) = bundle
        .proxies
        .iter()
        .find(|(kri, _)| kri.name == name)
        .unwrap();
    let resource = |(key, digest): (&Key, &Digest)| (key.clone(), bundle.resources[digest].clone());
    ProxyConfig::assemble(proxy.manifest.entries.iter().map(resource).collect()).unwrap()
}

const DAY_ONE: &str = include_str!("tests/day-one.yaml");

#[test]
fn a_small_mesh() {
    let compiled = compiled(&[("mesh.yaml", DAY_ONE)]);
    let codes: Vec<&str> = compiled.diagnostics.list.iter().map(|d| d.code.0).collect();
    // Nothing runs v2 yet, and nobody is allowed to call web.
    assert_eq!(codes, ["selects-nothing", "denies-all"]);
    let bundle = &compiled.bundle;
    assert_eq!(Bundle::decode(&bundle.encode().unwrap()).unwrap(), *bundle);
    let web = config(bundle, "web-1");
    let api: Kri = "kri_msvc_default_default__api_http".parse().unwrap();
    assert_eq!(web.outbounds["127.0.0.1:10080"].destination, api);
    let destination = &web.destinations[&api];
    assert_eq!(destination.hostnames, ["api.svc.mesh.local"]);
    assert_eq!(web.clusters.len(), 2);
    assert_eq!(
        web.clusters[&api].identities[0].as_str(),
        "spiffe://default.default.mesh.local/workload/api"
    );
    let server = config(bundle, "api-1");
    let (_, policy) = &server.inbounds["http"];
    assert_eq!(policy.tls.value, TlsMode::Strict);
    let permissions = policy.permissions.as_ref().unwrap();
    assert_eq!(permissions.allow[0].origin.to_string(), "mesh.yaml:54");
    assert_eq!(permissions.unmatched.to_string(), "mesh.yaml:54");
    let endpoints: Vec<String> = bundle
        .proxies
        .values()
        .flat_map(|proxy| &proxy.endpoints)
        .map(|endpoint| {
            format!(
                "{}@{}:{}",
                endpoint.service, endpoint.address, endpoint.port
            )
        })
        .collect();
    assert_eq!(
        endpoints,
        [
            "kri_msvc_default_default__api_http@10.0.0.21:9080",
            "kri_msvc_default_default__web_http@10.0.0.11:8080",
        ]
    );
}
