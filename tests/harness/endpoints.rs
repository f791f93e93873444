//! Which proxies must have heard of which others, before a story begins.
//!
//! Never guesses: what is expected is what `meshc build` says of the repository.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_bundle::{Bundle, Key};
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::patience::PATIENCE;
use crate::proxy::Proxy;

/// How often a proxy is asked again. Endpoints are the one thing that no proxy acknowledges.
const AGAIN: Duration = Duration::from_millis(25);

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
    let members = bundle.proxies.iter().filter(|(kri, _)| runs(&kri.name));
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
            (kri.name.clone(), expected.collect())
        })
        .collect()
}

/// Returns when the proxy knows all of them.
pub(crate) async fn known(proxy: &Proxy, expected: &[Expected]) {
    let search = async {
        let mut again = tokio::time::interval(AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(missing) = first_missing(&proxy.config().await, expected) {
            let _ = missing;
            again.tick().await;
        }
    };
    if tokio::time::timeout(PATIENCE, search).await.is_err() {
        let config = proxy.config().await;
        let missing = first_missing(&config, expected);
        panic!(
            "{} never heard of {missing:?}; its clusters: {}\n{}",
            proxy.name(),
            config.get("clusters").unwrap_or(&Value::Null),
            proxy.log()
        );
    }
}

fn first_missing<'a>(config: &Value, expected: &'a [Expected]) -> Option<&'a Expected> {
    expected.iter().find(|endpoint| {
        let shown = cluster(config, &endpoint.cluster);
        !shown.contains(&endpoint.address) || !shown.contains(&endpoint.port.to_string())
    })
}

/// What `/config` shows of one cluster.
fn cluster(config: &Value, kri: &str) -> String {
    match config.get("clusters") {
        Some(Value::Object(clusters)) => clusters.get(kri).map(Value::to_string),
        Some(Value::Array(clusters)) => clusters
            .iter()
            .map(Value::to_string)
            .find(|cluster| cluster.contains(kri)),
        _ => None,
    }
    .unwrap_or_default()
}
