//! `proxy-wide PROXY`: metrics, traces and passthrough of a proxy (language 12.5).
//!
//! Never names a feature that no policy is about: it is as built in.

use mesh_bundle::Kri;
use serde::Serialize;

use super::asked::Proxy;
use super::effective::Effective;
use super::page::Page;
use super::{Answer, words};

/// The answer.
#[derive(Debug, Serialize)]
pub(super) struct ProxyWide<'a> {
    proxy: &'a Kri,
    policies: Vec<Effective>,
}

impl<'a> ProxyWide<'a> {
    pub(super) fn of(proxy: &Proxy<'a>) -> Self {
        let tables = proxy.tables().into_iter();
        Self {
            proxy: proxy.kri(),
            policies: tables.filter_map(|table| proxy.wide(table)).collect(),
        }
    }
}

impl Answer for ProxyWide<'_> {
    fn show(&self, page: &mut Page) {
        page.line(0, &format!("{} as a whole", words::name(self.proxy)));
        for policy in &self.policies {
            page.gap();
            policy.show(page, 0);
        }
        if self.policies.is_empty() {
            page.line(1, "no policy says anything: all is as built in");
        }
    }
}
