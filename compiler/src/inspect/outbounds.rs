//! `outbounds PROXY`: what holds for the traffic that a proxy sends (language 12.2).
//!
//! Never leaves out a policy because nothing leads there yet: `rules` has everything that policies are about.

use std::collections::BTreeSet;

use mesh_bundle::kri::Parts;
use mesh_bundle::resource::{Destination, Protocol};
use mesh_bundle::{Kri, Origin, ProxyConfig};
use serde::Serialize;

use crate::policy::outbound::Towards;

use super::asked::Proxy;
use super::effective::Effective;
use super::page::Page;
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Outbounds<'a> {
    proxy: &'a Kri,
    outbounds: Vec<Outbound>,
    /// By what items of `to` are about.
    rules: Vec<Target>,
}

/// Where traffic can be sent.
#[derive(Debug, Serialize)]
struct Outbound {
    kri: Kri,
    /// Where the workload connects to.
    address: String,
    port: u16,
    protocol: Protocol,
    #[serde(skip_serializing_if = "Option::is_none")]
    vip: Option<String>,
    hostnames: Vec<String>,
    policies: Vec<Effective>,
    #[serde(skip)]
    origin: Origin,
}

/// A mesh, a service, a port or a route, and what all items that cover it make together.
#[derive(Debug, Serialize)]
struct Target {
    kri: Kri,
    policies: Vec<Effective>,
}

impl<'a> Outbounds<'a> {
    /// `config` is what the proxy is given.
    pub(super) fn of(proxy: &Proxy<'a>, config: &ProxyConfig) -> Self {
        let outbounds = config.outbounds.iter().filter_map(|(address, outbound)| {
            let destination: &Destination = config.destinations.get(&outbound.destination)?;
            let towards = Towards::Port(destination.kri.clone());
            Some(Outbound {
                address: address.clone(),
                port: destination.port,
                protocol: destination.protocol,
                vip: destination.vip.map(|vip| vip.to_string()),
                hostnames: destination.hostnames.clone(),
                policies: effective(proxy, &towards),
                origin: outbound.origin.clone(),
                kri: destination.kri.clone(),
            })
        });
        Self {
            proxy: proxy.kri(),
            outbounds: outbounds.collect(),
            rules: rules(proxy),
        }
    }
}

fn effective(proxy: &Proxy<'_>, towards: &Towards) -> Vec<Effective> {
    let tables = proxy.tables().into_iter();
    let tables = tables.filter_map(|table| proxy.towards(table, towards));
    tables.collect()
}

fn rules(proxy: &Proxy<'_>) -> Vec<Target> {
    let subject = proxy.subject();
    let mut targets = BTreeSet::new();
    for table in proxy.tables() {
        let items = table.outbound(&subject).items();
        targets.extend(items.into_iter().flat_map(|item| &item.towards));
    }
    let target = |towards: &Towards| Target {
        kri: match towards {
            Towards::Mesh => mesh(proxy.kri()),
            Towards::Service(kri) | Towards::Port(kri) | Towards::Route(kri) => kri.clone(),
        },
        policies: effective(proxy, towards),
    };
    targets.into_iter().map(target).collect()
}

/// The mesh of a resource.
fn mesh(of: &Kri) -> Kri {
    Kri::new(Parts {
        kind: "m",
        name: of.mesh(),
        ..Parts::default()
    })
}

impl Answer for Outbounds<'_> {
    fn show(&self, page: &mut Page) {
        if self.outbounds.is_empty() {
            page.line(0, &format!("{} has no outbound", words::name(self.proxy)));
        }
        for outbound in &self.outbounds {
            page.gap();
            let title = format!(
                "outbound {} -> {} {}",
                outbound.address,
                words::port(&outbound.kri),
                outbound.protocol.as_str()
            );
            page.noted(0, &title, &outbound.origin);
            for hostname in &outbound.hostnames {
                page.line(1, &format!("{hostname}:{}", outbound.port));
            }
            if let Some(vip) = &outbound.vip {
                page.line(1, &format!("{vip}:{}", outbound.port));
            }
            for policy in &outbound.policies {
                policy.show(page, 1);
            }
        }
    }
}
