//! One proxy on a page.
//!
//! Never leaves a value without its origin.

mod access_log;
mod balancing;
mod external;
mod fault;
mod rate_limit;
mod timeouts;
mod wide;

use std::fmt::Display;

use mesh_bundle::resource::{
    Cluster, Destination, HttpRoute, Inbound, InboundPolicy, Outbound, Permissions, Protocol,
    Proxy, TcpRoute, TlsMode, Traffic, Trust, WeightedBackend,
};
use mesh_bundle::{Key, Kri, ProxyConfig, Sourced};

use crate::lower::inbound::words as tls_words;
use crate::provenance::Provenance;

use super::page::{Note, Page};
use super::words;

pub(super) use timeouts::rows;

/// What a page is made of.
pub(super) struct Telling<'a> {
    proxy: &'a Kri,
    provenance: &'a Provenance,
    pub(super) page: Page,
}

pub(super) fn render(config: &ProxyConfig, provenance: &Provenance) -> String {
    let mut telling = Telling::about(&config.proxy.kri, provenance, Page::default());
    telling.proxy(&config.proxy, &config.trust);
    for (name, (inbound, policy)) in &config.inbounds {
        telling.inbound(name, inbound, policy);
    }
    for outbound in config.outbounds.values() {
        let destination = config.destinations.get(&outbound.destination);
        telling.page.gap();
        telling.outbound(outbound, destination);
    }
    for destination in config.destinations.values() {
        telling.destination(destination);
    }
    for cluster in config.clusters.values() {
        telling.cluster(cluster);
    }
    telling.wide(&config.wide);
    telling.page.finish()
}

impl<'a> Telling<'a> {
    /// Goes on with a page, about one proxy.
    pub(super) fn about(proxy: &'a Kri, provenance: &'a Provenance, page: Page) -> Self {
        Self {
            proxy,
            provenance,
            page,
        }
    }
}

impl Telling<'_> {
    fn proxy(&mut self, proxy: &Proxy, trust: &Trust) {
        self.identity(proxy);
        self.trusts(trust);
    }

    /// Whom it believes.
    pub(super) fn trusts(&mut self, trust: &Trust) {
        for (domain, anchors) in &trust.anchors {
            let text = format!("trusts      {domain}, {} CA", anchors.len());
            self.page.noted(1, &text, "MeshTrust documents");
        }
    }

    /// Who it is.
    pub(super) fn identity(&mut self, proxy: &Proxy) {
        let title = format!(
            "proxy {} (mesh {}, zone {})",
            words::name(&proxy.kri),
            proxy.kri.mesh(),
            proxy.zone
        );
        self.page.noted(0, &title, &proxy.origin);
        self.certificate(proxy);
    }

    /// What it proves itself with.
    pub(super) fn certificate(&mut self, proxy: &Proxy) {
        match &proxy.identity {
            None => {
                let nobody = "identity    none: plaintext only";
                self.page.noted(1, nobody, "no MeshIdentity selects it");
            }
            Some(identity) => {
                let id = format!("identity    {}", identity.spiffe_id);
                self.page.noted(1, &id, &identity.origin);
                let issuer = identity.issuer.name();
                let text = match &identity.agent {
                    None => format!("certificate {} of {issuer}", identity.lifetime),
                    Some(agent) => format!(
                        "certificate of the SPIFFE agent beside it, as {issuer} says, waited for {}",
                        agent.timeout
                    ),
                };
                self.page.noted(1, &text, &identity.origin);
            }
        }
    }

    fn inbound(&mut self, name: &str, inbound: &Inbound, policy: &InboundPolicy) {
        self.page.gap();
        let title = format!(
            "inbound {name}: {}:{} -> {}:{} {}",
            inbound.address,
            inbound.port,
            inbound.workload_address,
            inbound.workload_port,
            inbound.protocol.as_str()
        );
        self.page.noted(0, &title, &inbound.origin);
        self.policy(name, inbound, policy);
    }

    /// What an inbound permits and limits.
    pub(super) fn policy(&mut self, name: &str, inbound: &Inbound, policy: &InboundPolicy) {
        let key = Key::InboundPolicy(name.to_owned());
        self.mode(policy, &key);
        match &policy.permissions {
            Some(permissions) => self.permissions(permissions),
            None => self
                .page
                .noted(1, "permit      everybody", "the proxy has no identity"),
        }
        self.timeouts(
            &policy.timeouts,
            inbound.protocol,
            Some("connect"),
            &key,
            "timeouts",
        );
        for (index, limits) in policy.peer_timeouts.iter().enumerate() {
            self.page
                .line(1, &format!("timeouts for {}", words::peer(&limits.peer)));
            for (name, place, value) in [
                ("request", "request", &limits.request),
                ("stream idle", "streamIdle", &limits.stream_idle),
            ] {
                self.timeout(
                    2,
                    name,
                    value,
                    &key,
                    &format!("peerTimeouts/{index}/{place}"),
                );
            }
        }
        self.faults(&policy.faults);
        self.rate_limits(&policy.rate_limits, &key);
        self.access_logs(&policy.access_logs);
        if let Some(breaker) = &policy.circuit_breaker {
            self.circuit_breaker(breaker, inbound.protocol, &key);
        }
    }

    /// Which transport an inbound accepts.
    pub(super) fn mode(&mut self, policy: &InboundPolicy, key: &Key) {
        match policy.tls.value {
            TlsMode::Disabled => {
                self.page
                    .noted(1, "tls         disabled", "the proxy has no identity");
            }
            mode => {
                let tls = policy.tls.map_ref(|_| tls_words(mode));
                self.value(1, "tls", &tls, key, "tls");
            }
        }
    }

    fn permissions(&mut self, permissions: &Permissions) {
        for (word, rules) in [
            ("deny", &permissions.deny),
            ("permit", &permissions.allow),
            ("shadow deny", &permissions.allow_with_shadow_deny),
        ] {
            for rule in rules {
                let text = format!("{word:<11} {}", words::peer(&rule.peer));
                self.page.noted(1, &text, &rule.origin);
            }
        }
        let unmatched = &permissions.unmatched;
        self.page.noted(1, "deny        everybody else", unmatched);
    }

    /// A listener, and where it leads.
    pub(super) fn outbound(&mut self, outbound: &Outbound, destination: Option<&Destination>) {
        let address = std::net::SocketAddr::new(outbound.address, outbound.port);
        let number = destination.map_or_else(String::new, |d| format!(" (port {})", d.port));
        let captured = match outbound.captured {
            true => ", captured",
            false => "",
        };
        let title = format!(
            "outbound {address} -> {}{number}{captured}",
            words::port(&outbound.destination)
        );
        self.page.noted(0, &title, &outbound.origin);
    }

    pub(super) fn destination(&mut self, destination: &Destination) {
        self.page.gap();
        let title = format!(
            "destination {} {}",
            words::port(&destination.kri),
            destination.protocol.as_str()
        );
        self.page.noted(0, &title, &destination.origin);
        let vip = destination.vip.map(|vip| vip.to_string());
        for host in destination.hostnames.iter().chain(&vip) {
            let text = format!("address     {host}:{}", destination.port);
            self.page.noted(1, &text, &destination.origin);
        }
        let key = Key::Destination(destination.kri.clone());
        match &destination.traffic {
            Traffic::Http { routes } => {
                for (index, route) in routes.iter().enumerate() {
                    self.route(index, route, &key);
                }
            }
            Traffic::Tcp { route } => {
                self.connections(route);
            }
        }
        let protocol = match &destination.traffic {
            Traffic::Http { .. } => destination.protocol,
            Traffic::Tcp { .. } => Protocol::Tcp,
        };
        // The connect timeout is that of the cluster.
        self.timeouts(&destination.timeouts, protocol, None, &key, "timeouts");
        self.hash_policies(1, destination.hash_policies.as_ref(), &key, "hashPolicies");
        self.access_log(destination.access_log.as_ref(), 1, &key, "accessLog");
        if let Some(retry) = &destination.retry {
            self.retry(1, retry, &key, "retry");
        }
    }

    /// Where connections go.
    pub(super) fn connections(&mut self, route: &TcpRoute) {
        let text = format!("connections {}", words::name(&route.kri));
        self.page.noted(1, &text, &route.origin);
        self.split(2, &route.backends);
    }

    /// One rule: what requests look like that take it, and what becomes of them.
    pub(super) fn route(&mut self, index: usize, route: &HttpRoute, key: &Key) {
        let text = format!("route {:<5} {}", index + 1, rule(route));
        self.page.noted(1, &text, &route.origin);
        for line in route.filters.iter().flat_map(words::filter) {
            self.page.line(2, &line);
        }
        self.split(2, &route.backends);
        if let Some(timeouts) = &route.timeouts {
            let place = format!("traffic/routes/{index}/timeouts");
            for (name, field, value) in rows(timeouts, Protocol::Http, None) {
                self.timeout(2, name, value, key, &format!("{place}/{field}"));
            }
        }
        let place = format!("traffic/routes/{index}/hashPolicies");
        self.hash_policies(2, route.hash_policies.as_ref(), key, &place);
        let place = format!("traffic/routes/{index}/accessLog");
        self.access_log(route.access_log.as_ref(), 2, key, &place);
        if let Some(retry) = &route.retry {
            self.retry(2, retry, key, &format!("traffic/routes/{index}/retry"));
        }
    }

    fn split(&mut self, depth: usize, backends: &[WeightedBackend]) {
        let sum: u64 = backends.iter().map(|b| u64::from(b.weight)).sum();
        for backend in backends {
            let share = words::percent(u64::from(backend.weight), sum);
            let to = backend
                .cluster
                .as_ref()
                .map_or("nobody (500)".to_owned(), words::port);
            let text = format!("{share:<9} to {to}");
            self.page.noted(depth, &text, &backend.origin);
        }
    }

    pub(super) fn cluster(&mut self, cluster: &Cluster) {
        self.page.gap();
        let title = format!(
            "cluster {} {}",
            words::port(&cluster.kri),
            cluster.protocol.as_str()
        );
        self.page.noted(0, &title, &cluster.origin);
        for id in &cluster.identities {
            let text = format!("server      {id}");
            self.page.noted(1, &text, &cluster.origin);
        }
        match &cluster.external {
            Some(external) => self.external(external, &cluster.origin),
            None if cluster.identities.is_empty() => {
                let text = "server      without identity: plaintext";
                self.page.noted(1, text, &cluster.origin);
            }
            None => {}
        }
        let key = Key::Cluster(cluster.kri.clone());
        self.timeout(
            1,
            "connect",
            &cluster.connect_timeout,
            &key,
            "connectTimeout",
        );
        self.balancing(cluster, &key);
        if let Some(breaker) = &cluster.circuit_breaker {
            self.circuit_breaker(breaker, cluster.protocol, &key);
        }
        if let Some(check) = &cluster.health_check {
            self.health_check(check, &key);
        }
    }

    /// A value, what set it, and what that overrode.
    pub(super) fn value<T: Display>(
        &mut self,
        depth: usize,
        name: &str,
        value: &Sourced<T>,
        key: &Key,
        place: &str,
    ) {
        let text = format!("{name:<11} {}", value.value);
        self.page
            .noted(depth, &text, Note::of(value.origin.as_ref()));
        for overridden in self.provenance.of(self.proxy, key, place) {
            let text = format!("{:<11} instead of {}", "", overridden.value);
            self.page.noted(depth, &text, &overridden.origin);
        }
    }
}

/// A rule in a few words.
pub(super) fn rule(route: &HttpRoute) -> String {
    let name = match route.kri.kind() {
        "msvc" | "extsvc" | "mzsvc" => "else".to_owned(),
        _ => format!("{} {}", words::name(&route.kri), route.kri.section()),
    };
    format!("{} ({name})", words::request(&route.matches))
}
