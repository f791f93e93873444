//! How much an inbound lets in, for everybody and for some peers (language 4.10, 5.8).
//!
//! Never a limit that no policy wrote: what is absent is not limited.

use mesh_bundle::Sourced;
use mesh_bundle::resource::{
    HeaderPair, HttpRateLimit, PeerRateLimit, Protocol, Rate, RateLimits, TcpRateLimit,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kinds::mesh_http_route::filter::HeaderValue;
use crate::policy::merge::Merged;
use crate::provenance::Notes;

use super::Lowering;
use super::leaf::Leaves;
use super::route::header_pairs;

/// The limits of one inbound.
pub(super) fn rate_limits(
    of: Lowering<'_>,
    (section, protocol): (&str, Protocol),
    notes: &mut Notes,
) -> RateLimits {
    let applied = of.mesh.policies.rate_limit.inbound(&of.subject, section);
    if applied.rules.is_empty() {
        return RateLimits::default();
    }
    let mut peers = Vec::new();
    for peer in applied.peers() {
        let place = format!("rateLimits/peers/{}", peers.len());
        let (http, tcp) = limits(of, &applied.lookup(peer), protocol, notes, &place);
        peers.push(PeerRateLimit {
            peer: peer.clone(),
            http,
            // How many connections there are cannot depend on who their clients are.
            tcp: tcp.filter(|_| peer.spiffe_id.is_none()),
        });
    }
    let (http, tcp) = limits(of, &applied.base(), protocol, notes, "rateLimits");
    RateLimits { http, tcp, peers }
}

fn limits(
    of: Lowering<'_>,
    merged: &Merged,
    protocol: Protocol,
    notes: &mut Notes,
    place: &str,
) -> (Option<Box<HttpRateLimit>>, Option<TcpRateLimit>) {
    let mut section = Limits {
        of,
        merged,
        notes,
        section: "tcp",
        place: format!("{place}/tcp"),
    };
    let there = |name: &str| merged.leaf(&["local", name]).is_some();
    let tcp = there("tcp").then(|| section.tcp());
    section.section = "http";
    section.place = format!("{place}/http");
    // There are no requests in bytes.
    let http = (protocol.is_http() && there("http")).then(|| section.http());
    (http.map(Box::new), tcp)
}

/// One section of a merged conf.
struct Limits<'a> {
    of: Lowering<'a>,
    merged: &'a Merged,
    notes: &'a mut Notes,
    section: &'static str,
    place: String,
}

impl Limits<'_> {
    fn http(&mut self) -> HttpRateLimit {
        let status = self.value(&["onRateLimit", "status"], "status");
        HttpRateLimit {
            disabled: self.disabled(),
            rate: self.rate("requestRate"),
            status: status.unwrap_or(Sourced::built_in(HttpRateLimit::STATUS)),
            set_headers: self.headers("set", "setHeaders"),
            add_headers: self.headers("add", "addHeaders"),
        }
    }

    fn tcp(&mut self) -> TcpRateLimit {
        TcpRateLimit {
            disabled: self.disabled(),
            rate: self.rate("connectionRate"),
        }
    }

    fn disabled(&mut self) -> Sourced<bool> {
        let disabled = self.value(&["disabled"], "disabled");
        disabled.unwrap_or(Sourced::built_in(false))
    }

    fn rate(&mut self, name: &str) -> Option<Rate> {
        let num = self.value(&[name, "num"], "rate/num");
        let path = ["local", self.section, name, "interval"];
        let interval = self.leaves().duration(&path, "rate/interval");
        Some(Rate {
            num: num?,
            interval: interval?,
        })
    }

    fn headers(&mut self, list: &str, name: &str) -> Option<Sourced<Vec<HeaderPair>>> {
        let path = ["local", self.section, "onRateLimit", "headers", list];
        let read = |value: &Value| {
            let headers: Vec<HeaderValue> = serde_json::from_value(value.clone()).ok()?;
            Some(header_pairs(&headers))
        };
        self.leaves().read(&path, name, read, |value| {
            header_words(&read(value).unwrap_or_default())
        })
    }

    fn value<T: DeserializeOwned>(&mut self, rest: &[&str], name: &str) -> Option<Sourced<T>> {
        let mut path = vec!["local", self.section];
        path.extend(rest);
        self.leaves().value(&path, name)
    }

    fn leaves(&mut self) -> Leaves<'_> {
        Leaves {
            merged: self.merged,
            lines: self.of.lines,
            notes: self.notes,
            place: &self.place,
        }
    }
}

/// Headers as people write them.
pub(crate) fn header_words(headers: &[HeaderPair]) -> String {
    let words = headers
        .iter()
        .map(|header| format!("{}: {}", header.name, header.value));
    words.collect::<Vec<_>>().join(", ")
}
