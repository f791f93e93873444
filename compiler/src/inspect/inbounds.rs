//! `inbounds PROXY`: what holds for the traffic that a proxy takes (language 12.4).
//!
//! Never merges rules that do not merge: what a kind makes of its rules is for the page of the proxy.

use mesh_bundle::{Kri, Origin, ProxyConfig};
use serde::Serialize;

use crate::lower::inbound::words as tls_words;
use crate::policy::Table;

use super::asked::{Proxy, Section};
use super::effective::{InboundRule, show_conf};
use super::page::Page;
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct Inbounds<'a> {
    proxy: &'a Kri,
    inbounds: Vec<Inbound>,
}

/// One inbound, or a listener between zones.
#[derive(Debug, Serialize)]
struct Inbound {
    #[serde(flatten)]
    section: Section,
    /// `strict`, `permissive`, or `off` where the proxy has no identity.
    tls: String,
    policies: Vec<OfKind>,
    #[serde(skip)]
    origin: Origin,
}

/// The rules of one kind.
#[derive(Debug, Serialize)]
struct OfKind {
    kind: &'static str,
    /// The most specific match first; of equal ones the weakest first.
    rules: Vec<InboundRule>,
}

impl<'a> Inbounds<'a> {
    /// `config` is what the proxy is given.
    pub(super) fn of(proxy: &Proxy<'a>, config: &ProxyConfig) -> Self {
        let inbound = |section: &Section| {
            let of_kind = |table: &Table| {
                let rules = proxy.received(table, &section.name);
                let kind = table.kind;
                (!rules.is_empty()).then_some(OfKind { kind, rules })
            };
            let policy = config.inbounds.get(&section.name).map(|(_, policy)| policy);
            let encrypted = policy.filter(|_| config.proxy.identity.is_some());
            Inbound {
                tls: encrypted.map_or("off".to_owned(), |policy| {
                    tls_words(policy.tls.value).to_owned()
                }),
                policies: proxy.tables().into_iter().filter_map(of_kind).collect(),
                origin: proxy.lines.within(proxy.instance.meta, &section.at),
                section: section.clone(),
            }
        };
        Self {
            proxy: proxy.kri(),
            inbounds: proxy.sections.iter().map(inbound).collect(),
        }
    }
}

impl Answer for Inbounds<'_> {
    fn show(&self, page: &mut Page) {
        if self.inbounds.is_empty() {
            page.line(0, &format!("{} takes no traffic", words::name(self.proxy)));
        }
        for inbound in &self.inbounds {
            page.gap();
            let Section {
                name,
                address,
                port,
                protocol,
                ..
            } = &inbound.section;
            let title = format!(
                "inbound {name}: {address}:{port} {}, TLS {}",
                protocol.as_str(),
                inbound.tls
            );
            page.noted(0, &title, &inbound.origin);
            for of_kind in &inbound.policies {
                page.line(1, of_kind.kind);
                for rule in &of_kind.rules {
                    let peer = rule.peer.as_ref();
                    let whom = peer.map_or("everybody".to_owned(), words::json);
                    page.noted(2, &format!("for {whom}"), &rule.origin);
                    show_conf(page, 3, "", &rule.conf);
                }
            }
        }
    }
}
