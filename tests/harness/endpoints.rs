//! Which proxies must have heard of which others, before a story begins.
//!
//! Never guesses: what is expected is what `meshc build` says of the repository.

use std::collections::BTreeMap;

use mesh_bundle::{Bundle, Key};
use serde_json::Value;

use crate::proxy::Proxy;

/// One endpoint as a proxy must know it.
#[derive(Debug)]
pub(crate) struct Expected {
    cluster: String,
    address: String,
    port: u16,
}

/// For each of `running`, the endpoints that the others of `running` offer to it.
pub(crate) fn expected(bundle: &Bundle, running: &[&str]) -> BTreeMap<String, Vec<Expected>> {
    let runs = |name: &str| running.contains(&name);
    let members = bundle.proxies.iter().filter(|(kri, _)| runs(kri.name()));
    let mut offers = Vec::new();
    for (_, proxy) in members.clone() {
        offers.extend(proxy.endpoints.iter().filter(|endpoint| endpoint.healthy));
    }
    members
        .map(|(kri, proxy)| {
            let clusters = proxy.manifest.entries.keys().filter_map(|key| match key {
                Key::Cluster(service) => Some(service),
                _ => None,
            });
            let expected = clusters.flat_map(|service| {
                let offered = offers.iter().filter(move |offer| offer.service == *service);
                offered.map(|offer| Expected {
                    cluster: service.to_string(),
                    address: offer.address.clone(),
                    port: offer.port,
                })
            });
            (kri.name().to_owned(), expected.collect())
        })
        .collect()
}

/// Returns when the proxy knows all of them.
pub(crate) async fn known(proxy: &Proxy, expected: &[Expected]) {
    let what = format!("the endpoints {expected:?}");
    let holds = |config: &Value| first_missing(config, expected).is_none();
    proxy.configured(&what, holds).await;
}

fn first_missing<'a>(config: &Value, expected: &'a [Expected]) -> Option<&'a Expected> {
    expected.iter().find(|endpoint| {
        let shown = cluster(config, &endpoint.cluster);
        !shown.contains(&endpoint.address) || !shown.contains(&endpoint.port.to_string())
    })
}

/// What `/config` shows of one cluster.
fn cluster(config: &Value, kri: &str) -> String {
    let clusters = config.get("clusters");
    let shown = clusters.and_then(|clusters| clusters.get(kri));
    shown.map(Value::to_string).unwrap_or_default()
}
