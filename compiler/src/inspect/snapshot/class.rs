//! Proxies that do the same.
//!
//! Never keeps two texts of one class: proxies are told apart by what their texts say, whatever their bundles say beside it.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::Resource;
use mesh_bundle::{Bundle, BundledProxy, Digest, Key, Kri, ProxyConfig};

use crate::inspect::page::Page;
use crate::inspect::proxy::Telling;
use crate::inspect::{NotShown, config, words};
use crate::provenance::Provenance;

use super::text;

/// What a proxy is given.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Given<'b> {
    mesh: &'b str,
    /// The text about what no other proxy has.
    own: String,
    shared: Vec<(&'b Key, Digest)>,
}

/// The texts of all classes, by mesh and name.
pub(super) fn classes(
    bundle: &Bundle,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, NotShown> {
    // Most proxies of a class are given the same resources: then one of them is told.
    let mut alike: BTreeMap<Given<'_>, Vec<&Kri>> = BTreeMap::new();
    for (kri, proxy) in &bundle.proxies {
        let shared = proxy.manifest.entries.iter();
        let shared = shared
            .filter(|(key, _)| !matches!(key, Key::Proxy | Key::Inbound(_) | Key::Outbound(_)));
        let shared = shared.map(|(key, digest)| (key, *digest)).collect();
        let given = Given {
            mesh: kri.mesh(),
            own: own(bundle, kri, proxy),
            shared,
        };
        alike.entry(given).or_default().push(kri);
    }
    let mut members: BTreeMap<(&str, String), Vec<&Kri>> = BTreeMap::new();
    for (Given { mesh, own, .. }, proxies) in alike {
        let Some(first) = proxies.first() else {
            continue;
        };
        let text = format!("{own}{}", shared(&config(bundle, first)?));
        members.entry((mesh, text)).or_default().extend(proxies);
    }
    let mut meshes: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut classes: Vec<(&str, Vec<&Kri>, String)> = Vec::new();
    for ((mesh, text), mut proxies) in members {
        proxies.sort();
        classes.push((mesh, proxies, text));
    }
    // By their members, not by what they say.
    classes.sort();
    let names = Names::of(bundle, &classes);
    for (mesh, proxies, text) in classes {
        let texts = meshes.entry(mesh.to_owned()).or_default();
        let name = names.of_class(bundle, &proxies, texts);
        let members = proxies
            .iter()
            .map(|kri| format!("  {}\n", words::name(kri)));
        let members: String = members.collect();
        texts.insert(
            name.clone(),
            format!("class {name}\nproxies\n{members}{text}"),
        );
    }
    Ok(meshes)
}

/// How classes are called: by their workload where all its proxies are in one, else by their first proxy.
struct Names<'b> {
    /// How many classes each workload is in, by mesh.
    workloads: BTreeMap<(&'b str, &'b str), usize>,
}

impl<'b> Names<'b> {
    fn of(bundle: &'b Bundle, classes: &[(&'b str, Vec<&'b Kri>, String)]) -> Self {
        let mut workloads = BTreeMap::new();
        for (mesh, proxies, _) in classes {
            let own = proxies.iter().filter_map(|kri| workload(bundle, kri));
            for workload in own.collect::<BTreeSet<_>>() {
                *workloads.entry((*mesh, workload)).or_default() += 1;
            }
        }
        Self { workloads }
    }

    fn of_class(
        &self,
        bundle: &Bundle,
        proxies: &[&Kri],
        taken: &BTreeMap<String, String>,
    ) -> String {
        let Some(first) = proxies.first() else {
            return String::new();
        };
        let own: BTreeSet<Option<&str>> = proxies.iter().map(|kri| workload(bundle, kri)).collect();
        let only = match own.into_iter().collect::<Vec<_>>().as_slice() {
            [Some(only)] => Some((*only).to_owned()),
            _ => None,
        };
        let whole = only.filter(|only| self.workloads.get(&(first.mesh(), only)) == Some(&1));
        let name = whole.unwrap_or_else(|| words::name(first));
        let numbered = (2_usize..).map(|number| format!("{name}~{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        names.find(|name| !taken.contains_key(name)).unwrap_or(name)
    }
}

fn workload<'b>(bundle: &'b Bundle, kri: &Kri) -> Option<&'b str> {
    bundle.proxies.get(kri)?.workload.as_deref()
}

/// What is a proxy's own: who it is, and where it listens, without the addresses of its host.
fn own(bundle: &Bundle, kri: &Kri, proxy: &BundledProxy) -> String {
    let nothing = Provenance::default();
    let mut telling = Telling::about(kri, &nothing, Page::default());
    let resources = proxy.manifest.entries.iter();
    let resources =
        resources.filter_map(|(key, digest)| Some((key, bundle.resources.get(digest)?)));
    let (mut inbounds, mut outbounds) = (Vec::new(), BTreeSet::new());
    for (key, resource) in resources {
        match (key, resource.as_ref()) {
            (Key::Proxy, Resource::Proxy(proxy)) => {
                let text = format!("mesh {}, zone {}", kri.mesh(), proxy.zone);
                telling.page.line(0, &text);
                telling.certificate(proxy);
            }
            (Key::Inbound(name), Resource::Inbound(inbound)) => inbounds.push(format!(
                "inbound {name}: {} -> {} {}",
                inbound.port,
                inbound.workload_port,
                inbound.protocol.as_str()
            )),
            (Key::Outbound(_), Resource::Outbound(outbound)) => {
                let port = words::port(&outbound.destination);
                outbounds.insert(match outbound.captured {
                    true => format!("outbound captured -> {port}"),
                    false => format!("outbound {} -> {port}", outbound.port),
                });
            }
            _ => {}
        }
    }
    for line in inbounds.iter().chain(&outbounds) {
        telling.page.line(0, line);
    }
    text(telling.page)
}

/// What others may be given as well.
fn shared(config: &ProxyConfig) -> String {
    let nothing = Provenance::default();
    let mut telling = Telling::about(&config.proxy.kri, &nothing, Page::default());
    telling.trusts(&config.trust);
    for (name, (inbound, policy)) in &config.inbounds {
        telling.page.gap();
        telling.page.line(0, &format!("inbound {name}"));
        telling.policy(name, inbound, policy);
    }
    for destination in config.destinations.values() {
        telling.destination(destination);
    }
    for cluster in config.clusters.values() {
        telling.cluster(cluster);
    }
    telling.wide(&config.wide);
    text(telling.page)
}
