//! From the client to where its proxy sends the request.
//!
//! Never leaves out a rule that was tried: what lost is told with the reason.

use mesh_bundle::resource::{Cluster, Protocol};
use mesh_bundle::{Key, Kri, SpiffeId};

use crate::flow::{End, Fate, Flow, Mismatch, Node, Route, Share};
use crate::identity::winner;
use crate::inspect::hostnames::generators;
use crate::inspect::page::{Note, Page};
use crate::inspect::proxy::{Telling, rule};
use crate::inspect::words;

use super::told::names;
use super::{Explainer, Step};

/// Who asks, where no proxy is known.
pub(super) fn stranger(id: &SpiffeId) -> Step {
    let mut page = Page::default();
    page.noted(0, &format!("client {id}"), "no declared proxy is given it");
    Step {
        name: "client",
        rows: page.rows(),
    }
}

impl Explainer<'_> {
    fn telling<'t>(&'t self, proxy: &'t Kri) -> Telling<'t> {
        Telling::about(proxy, &self.analysis.compiled.provenance, Page::default())
    }

    /// Who the clients are.
    pub(super) fn client(&self, clients: &[Kri]) -> Option<Step> {
        let node = self.flows.node(clients.first()?)?;
        let proxy = node.proxy()?;
        let mut telling = self.telling(node.kri);
        telling.identity(proxy);
        self.other_identities(node, &mut telling.page);
        if let [_, others @ ..] = clients
            && !others.is_empty()
        {
            let text = format!("the same    holds for {}", names(others.iter()));
            telling.page.line(1, &text);
        }
        Some(Step {
            name: "client",
            rows: telling.page.rows(),
        })
    }

    /// The identities that select a proxy, and that it does not get.
    fn other_identities(&self, node: Node<'_>, page: &mut Page) {
        let lines = self.analysis.lines();
        let Ok(proxy) = self.names.asked.proxy(node.kri.as_str()) else {
            return;
        };
        let identities = proxy.mesh.identities.iter();
        let selecting = identities.filter(|identity| identity.selects(proxy.instance.meta));
        let winner = winner(&proxy.mesh.identities, proxy.instance.meta);
        for identity in selecting {
            if let Some(winner) = winner
                && winner.meta.kri != identity.meta.kri
            {
                let (name, why) = (words::name(&identity.meta.kri), identity.loses(winner));
                let text = format!("{:<11} not {name}: {why}", "");
                page.noted(1, &text, &lines.document(&identity.meta));
            }
        }
    }

    /// The client's proxy has nothing that leads there.
    pub(super) fn no_way(&self, client: &Kri, port: &Kri) -> Step {
        let mut page = Page::default();
        let text = format!(
            "no outbound of {} leads to {}",
            words::name(client),
            words::port(port)
        );
        let node = self.flows.node(client);
        let proxy = node.and_then(Node::proxy);
        page.noted(0, &text, Note::of(proxy.map(|proxy| &proxy.origin)));
        for (_, outbound) in node.into_iter().flat_map(Node::outbounds) {
            let text = format!("but one     to {}", words::port(&outbound.destination));
            page.noted(1, &text, &outbound.origin);
        }
        Step {
            name: "outbound",
            rows: page.rows(),
        }
    }

    /// From the outbound to the servers.
    pub(super) fn way(&self, flow: &Flow<'_>) -> Vec<Step> {
        let mut steps = vec![self.outbound(flow), self.route(flow)];
        steps.extend(self.limits(flow));
        if let Fate::Split(shares) = &flow.fate {
            for share in shares.iter().filter(|share| share.backend.weight > 0) {
                steps.push(self.backend(flow, share));
                if let End::Mesh { arrivals, .. } = &share.end {
                    steps.extend(self.arrivals(arrivals));
                }
            }
        }
        steps
    }

    fn outbound(&self, flow: &Flow<'_>) -> Step {
        let mut telling = self.telling(flow.client.kri);
        let destination = flow.destination;
        telling.outbound(flow.outbound, Some(destination));
        let page = &mut telling.page;
        let (port, protocol) = (words::port(&destination.kri), destination.protocol.as_str());
        page.noted(
            1,
            &format!("service     {port} {protocol}"),
            &destination.origin,
        );
        let service = self.names.asked.service(destination.kri.as_str());
        for host in &destination.hostnames {
            let makers = service
                .as_ref()
                .map(|(_, service)| generators(&self.names.asked, service, host));
            let note = match makers {
                Ok(makers) if !makers.is_empty() => {
                    Note::Lines(makers.iter().map(|maker| maker.origin()).collect())
                }
                _ => Note::from("built in"),
            };
            page.noted(1, &format!("hostname    {host}:{}", destination.port), note);
        }
        if let Some(vip) = destination.vip {
            let text = format!("virtual IP  {vip}:{}", destination.port);
            page.noted(1, &text, "of its name");
        }
        Step {
            name: "outbound",
            rows: telling.page.rows(),
        }
    }

    /// Which rule, and which not.
    fn route(&self, flow: &Flow<'_>) -> Step {
        let mut telling = self.telling(flow.client.kri);
        let destination = words::port(&flow.destination.kri);
        let key = Key::Destination(flow.destination.kri.clone());
        match &flow.route {
            Route::Tcp { taken } => {
                telling
                    .page
                    .line(0, &format!("connections to {destination}"));
                telling.connections(taken);
            }
            Route::Http {
                position,
                taken,
                passed,
                late,
            } => {
                telling
                    .page
                    .line(0, &format!("routes to {destination}, tried from the top"));
                for (route, mismatch) in passed {
                    let text = format!("not         {}: {}", rule(route), reason(mismatch));
                    telling.page.noted(1, &text, &route.origin);
                }
                telling.route(*position, taken, &key);
                for route in late {
                    let text = format!("too late    {}", rule(route));
                    telling.page.noted(1, &text, &route.origin);
                }
                if let Fate::Redirected { status, location } = &flow.fate {
                    let text = format!("answer      {status}, location: {location}");
                    telling.page.noted(1, &text, &taken.origin);
                }
            }
        }
        Step {
            name: "route",
            rows: telling.page.rows(),
        }
    }

    /// What the client's proxy limits, where the rule does not say so itself.
    fn limits(&self, flow: &Flow<'_>) -> Option<Step> {
        let mut telling = self.telling(flow.client.kri);
        let destination = flow.destination;
        let key = Key::Destination(destination.kri.clone());
        let title = format!("limits at {}", words::name(flow.client.kri));
        telling.page.line(0, &title);
        let (protocol, own) = match &flow.route {
            Route::Tcp { .. } => (Protocol::Tcp, None),
            Route::Http { taken, .. } => (destination.protocol, Some(*taken)),
        };
        if own.is_none_or(|route| route.timeouts.is_none()) {
            telling.timeouts(&destination.timeouts, protocol, None, &key, "timeouts");
        }
        let retry = destination.retry.as_ref();
        if let Some(retry) = retry.filter(|_| own.is_none_or(|route| route.retry.is_none())) {
            telling.retry(1, retry, &key, "retry");
        }
        let rows = telling.page.rows();
        (rows.len() > 1).then_some(Step {
            name: "limits",
            rows,
        })
    }

    /// One part of the traffic.
    fn backend(&self, flow: &Flow<'_>, share: &Share<'_>) -> Step {
        let mut telling = self.telling(flow.client.kri);
        let weight = words::percent(u64::from(share.backend.weight), share.of);
        let to = share.backend.cluster.as_ref();
        let to = to.map_or_else(
            || "nobody: 500, or a closed connection".to_owned(),
            words::port,
        );
        telling
            .page
            .noted(0, &format!("{weight} to {to}"), &share.backend.origin);
        match &share.end {
            End::Unresolved => {}
            End::Outside { cluster } => {
                if let Some(external) = &cluster.external {
                    telling.external(external, &cluster.origin);
                }
                self.cluster(cluster, &mut telling);
            }
            End::Mesh {
                cluster,
                tls,
                arrivals,
            } => {
                self.encryption(flow, *tls, arrivals.as_slice(), &mut telling.page);
                self.cluster(cluster, &mut telling);
                if arrivals.is_empty() {
                    let text = "server      none: answered with 503, or closed";
                    telling.page.noted(1, text, &cluster.origin);
                }
            }
        }
        Step {
            name: "backend",
            rows: telling.page.rows(),
        }
    }

    fn cluster(&self, cluster: &Cluster, telling: &mut Telling<'_>) {
        let key = Key::Cluster(cluster.kri.clone());
        telling.timeout(
            1,
            "connect",
            &cluster.connect_timeout,
            &key,
            "connectTimeout",
        );
        if let Some(breaker) = &cluster.circuit_breaker {
            telling.circuit_breaker(breaker, cluster.protocol, &key);
        }
    }
}

fn reason(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::Method => "another method".to_owned(),
        Mismatch::Path => "another path".to_owned(),
        Mismatch::Header(name) => format!("header {name} is not so"),
        Mismatch::Parameter(name) => format!("query parameter {name} is not so"),
    }
}
