//! Small repositories, and what their proxies are given.

use std::collections::BTreeMap;

use mesh_bundle::resource::TlsMode;
use mesh_bundle::{Bundle, Kri, ProxyConfig};

use crate::diag::{Diagnostics, Location, Pointer};
use crate::model::{Format, Meta, Settings};
use crate::world::MemoryWorld;

use super::*;

/// The front half, as far as these stories need it.
fn resources(sources: &Sources, diagnostics: &mut Diagnostics) -> Vec<kinds::Resource> {
    let mut resources = Vec::new();
    for (path, file) in sources.files() {
        for document in &file.documents {
            let Some(root) = &document.root else { continue };
            let serde_json::Value::Object(mut body) = root.to_json() else {
                continue;
            };
            let mut take = |key: &str| body.remove(key);
            let text = |value: serde_json::Value| value.as_str().unwrap().to_owned();
            let kind = kinds::find(&text(take("type").unwrap())).unwrap();
            let name = text(take("name").unwrap());
            let global = kind.scope == kinds::Scope::Global;
            let mesh = take("mesh").map_or("default".to_owned(), text);
            let mut labels: BTreeMap<String, String> = take("labels")
                .map(|labels| serde_json::from_value(labels).unwrap())
                .unwrap_or_default();
            labels.insert("kuma.io/display-name".to_owned(), name.clone());
            labels.insert("kuma.io/origin".to_owned(), "zone".to_owned());
            labels.insert("kuma.io/zone".to_owned(), "default".to_owned());
            labels.insert("kuma.io/env".to_owned(), "universal".to_owned());
            let (raw, at) = match kind.body {
                kinds::Body::Spec => (take("spec").unwrap(), Pointer::default().field("spec")),
                kinds::Body::Flat => (serde_json::Value::Object(body), Pointer::default()),
            };
            let meta = Meta {
                kri: Kri {
                    kind: kind.short.to_owned(),
                    mesh: if global { String::new() } else { mesh },
                    zone: if global {
                        String::new()
                    } else {
                        "default".to_owned()
                    },
                    namespace: String::new(),
                    name,
                    section: String::new(),
                },
                format: Format::Universal,
                labels,
                created: None,
                at: Location {
                    document: document.index,
                    ..Location::of_file(path)
                },
                body: at,
                virtual_document: false,
            };
            resources.extend(kinds::read(kind, meta, &raw, &[], diagnostics));
        }
    }
    resources
}

fn compile(files: &[(&str, &str)]) -> (Lowered, Diagnostics) {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    let world = MemoryWorld {
        files: files.collect(),
    };
    let mut diagnostics = Diagnostics::default();
    let sources = Sources::load(&world, &mut diagnostics);
    let resources = resources(&sources, &mut diagnostics);
    let lowered = lower(&resources, &sources, &Settings::default(), &mut diagnostics);
    (lowered, diagnostics)
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
    let (lowered, diagnostics) = compile(&[("mesh.yaml", DAY_ONE)]);
    assert_eq!(diagnostics.list, []);
    let bundle = &lowered.bundle;
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
