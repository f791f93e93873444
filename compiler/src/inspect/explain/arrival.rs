//! What the servers say: who may come in, and what limits it there.
//!
//! Never leaves out a permission that lost: whoever wrote it wants to know why.

use std::collections::BTreeMap;

use mesh_bundle::decide::{Admission, Verdict};
use mesh_bundle::resource::{InboundPolicy, PermissionRule};
use mesh_bundle::{Digest, Key, Kri, Origin};

use crate::flow::{Arrival, Entrance, Flow, PermissionList};
use crate::inspect::page::{Note, Page};
use crate::inspect::proxy::{Telling, rows};
use crate::inspect::words;

use super::told::names;
use super::{Explainer, Step, deciding};

impl Explainer<'_> {
    /// Servers that say the same are told once.
    pub(super) fn arrivals(&self, arrivals: &[Arrival<'_>]) -> Vec<Step> {
        let mut alike: BTreeMap<(Digest, bool, u8, Option<Origin>), Vec<&Arrival<'_>>> =
            BTreeMap::new();
        for arrival in arrivals {
            let kind = match arrival.entrance {
                Entrance::Asked(_) => 0,
                Entrance::ClientUnknown => 1,
                Entrance::ServerUnknown => 2,
            };
            let healthy = arrival.server.endpoint.healthy;
            let key = (arrival.server.digest, healthy, kind, deciding(arrival));
            alike.entry(key).or_default().push(arrival);
        }
        // In the order of the servers, not of digests.
        let mut alike: Vec<Vec<&Arrival<'_>>> = alike.into_values().collect();
        alike.sort_by_key(|group| group.first().map(|arrival| arrival.server.node.kri));
        alike
            .iter()
            .filter_map(|group| self.server(group))
            .collect()
    }

    fn server(&self, group: &[&Arrival<'_>]) -> Option<Step> {
        let arrival = group.first()?;
        let server = &arrival.server;
        let (inbound, policy) = (server.inbound, server.policy);
        let proxy = server.node.kri;
        let provenance = &self.analysis.compiled.provenance;
        let mut telling = Telling::about(proxy, provenance, Page::default());
        let kris: Vec<&Kri> = group.iter().map(|one| one.server.node.kri).collect();
        let title = format!(
            "at {}: inbound {} {}",
            names(kris.into_iter()),
            inbound.kri.section(),
            inbound.protocol.as_str()
        );
        telling.page.noted(0, &title, &inbound.origin);
        if !server.endpoint.healthy {
            let text = "unhealthy   as its document says: nothing is sent there";
            telling.page.noted(1, text, &inbound.origin);
        }
        let key = Key::InboundPolicy(inbound.kri.section().to_owned());
        telling.mode(policy, &key);
        entrance(arrival, &mut telling.page);
        for (name, field, value) in rows(&policy.timeouts, inbound.protocol, Some("connect")) {
            let (value, place) = match field {
                "request" => (arrival.limits.request, limit_at(policy, arrival, field)),
                "streamIdle" => (arrival.limits.stream_idle, limit_at(policy, arrival, field)),
                _ => (value, format!("timeouts/{field}")),
            };
            telling.timeout(1, name, value, &key, &place);
        }
        for rule in &arrival.faults {
            telling.fault(rule);
        }
        if let Some(limited) = &arrival.connection_limit {
            let place = limited_at(limited.place);
            telling.connection_limit(limited.limit, 1, &key, &place);
        }
        if let Some(limited) = arrival
            .request_limit
            .as_ref()
            .filter(|_| inbound.protocol.is_http())
        {
            let place = limited_at(limited.place);
            telling.request_limit(limited.limit, 1, &key, &place);
        }
        if let Some(breaker) = &policy.circuit_breaker {
            telling.circuit_breaker(breaker, inbound.protocol, &key);
        }
        Some(Step {
            name: "server",
            rows: telling.page.rows(),
        })
    }

    /// Does the client's proxy encrypt, and why?
    pub(super) fn encryption(
        &self,
        flow: &Flow<'_>,
        tls: bool,
        arrivals: &[Arrival<'_>],
        page: &mut Page,
    ) {
        let client = flow.client.identity();
        let servers = || arrivals.iter().map(|arrival| arrival.server.node);
        if tls {
            let identities = servers().filter_map(|node| node.identity());
            let mut lines: Vec<Origin> = client.map(|one| one.origin.clone()).into_iter().collect();
            for identity in identities {
                if !lines.contains(&identity.origin) {
                    lines.push(identity.origin.clone());
                }
            }
            let text = "encrypted   yes: the client and every server prove who they are";
            return page.noted(1, text, Note::Lines(lines));
        }
        if client.is_none() {
            let text = "encrypted   no: the client has no identity";
            return page.noted(1, text, "no MeshIdentity selects it");
        }
        let believed = |node: &crate::flow::Node<'_>| {
            let id = node.identity();
            id.is_some_and(|identity| node.believes(&identity.spiffe_id))
        };
        let Some(server) = servers().find(|node| !believed(node)) else {
            return page.noted(1, "encrypted   no", "there is no server");
        };
        let name = words::name(server.kri);
        match server.identity() {
            None => {
                let text = format!("encrypted   no: {name} has no identity");
                page.noted(1, &text, "no MeshIdentity selects it");
            }
            Some(identity) => {
                let domain = identity.spiffe_id.trust_domain();
                let text = format!("encrypted   no: nobody vouches for {name} in {domain}");
                page.noted(1, &text, &identity.origin);
            }
        }
    }
}

/// The decision about the peer, and the rules that lost.
fn entrance(arrival: &Arrival<'_>, page: &mut Page) {
    let policy = arrival.server.policy;
    let admission = match &arrival.entrance {
        Entrance::ClientUnknown => {
            let text = "refused     nobody whom the server trusts vouches for the client";
            return page.noted(1, text, "no MeshTrust of its trust domain");
        }
        Entrance::ServerUnknown => {
            let text = "refused     by the client: the server is not who it should be";
            return page.noted(1, text, "nobody whom the client trusts vouches for it");
        }
        Entrance::Asked(admission) => admission,
    };
    let verdict = match admission {
        Admission::Plain { origin } => {
            let text = "permit      without a question: it comes without mesh TLS";
            return page.noted(1, text, Note::of(*origin));
        }
        Admission::NeedsTls { origin } => {
            let text = "refused     it comes without mesh TLS";
            return page.noted(1, text, Note::of(*origin));
        }
        Admission::Asked(verdict) => verdict,
    };
    let Some(permissions) = &policy.permissions else {
        return page.noted(1, "permit      everybody", "the proxy has no identity");
    };
    let (word, origin) = match verdict {
        Verdict::Permit { origin } => ("permit", *origin),
        Verdict::ShadowDeny { origin } => ("shadow deny", Some(*origin)),
        Verdict::Deny { origin } => ("deny", Some(*origin)),
    };
    let decides = |rule: &PermissionRule| Some(&rule.origin) == origin;
    let decisive = arrival.rules.iter().find(|listed| decides(listed.rule));
    let whom = match decisive {
        Some(listed) => words::peer(&listed.rule.peer),
        None => "everybody whom no rule is about".to_owned(),
    };
    page.noted(1, &format!("{word:<11} {whom}"), Note::of(origin));
    let lists = [
        (PermissionList::Deny, &permissions.deny),
        (PermissionList::Allow, &permissions.allow),
        (
            PermissionList::AllowWithShadowDeny,
            &permissions.allow_with_shadow_deny,
        ),
    ];
    for (list, rules) in lists {
        for rule in rules.iter().filter(|rule| !decides(rule)) {
            let is_about = arrival.rules.iter().any(|listed| listed.rule == rule);
            let why = match is_about {
                false => "about others",
                true => loses(list, decisive.map(|listed| listed.list)),
            };
            let text = format!(
                "{:<11} not {} {}: {why}",
                "",
                named(list),
                words::peer(&rule.peer)
            );
            page.noted(1, &text, &rule.origin);
        }
    }
}

/// Why a rule that is about the peer did not decide.
fn loses(list: PermissionList, decisive: Option<PermissionList>) -> &'static str {
    match decisive {
        Some(decisive) if decisive == list => "says the same",
        Some(PermissionList::Deny) => "a denial beats it",
        _ => "a permit beats it",
    }
}

fn named(list: PermissionList) -> &'static str {
    match list {
        PermissionList::Deny => "deny",
        PermissionList::Allow => "permit",
        PermissionList::AllowWithShadowDeny => "shadow deny",
    }
}

/// The place in the policy of a limit that may be of one peer.
fn limit_at(policy: &InboundPolicy, arrival: &Arrival<'_>, field: &str) -> String {
    let mut peers = policy.peer_timeouts.iter();
    let own =
        peers.position(|limits| std::ptr::eq(&raw const limits.request, arrival.limits.request));
    match own {
        Some(index) => format!("peerTimeouts/{index}/{field}"),
        None => format!("timeouts/{field}"),
    }
}

fn limited_at(peer: Option<usize>) -> String {
    match peer {
        Some(index) => format!("rateLimits/peers/{index}"),
        None => "rateLimits".to_owned(),
    }
}
