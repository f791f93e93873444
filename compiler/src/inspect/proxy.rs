//! One proxy on a page.
//!
//! Never leaves a value without its origin.

mod access_log;
mod balancing;
mod external;
mod fault;
mod rate_limit;
mod wide;

use std::fmt::Display;

use mesh_bundle::resource::{
    Cluster, Destination, HttpRoute, Inbound, InboundPolicy, Outbound, Permissions, Protocol,
    Timeouts, Traffic, WeightedBackend,
};
use mesh_bundle::{Duration, Key, ProxyConfig, Sourced};

use crate::lower::inbound::words as tls_words;
use crate::lower::leaf::words as timeout_words;
use crate::provenance::Provenance;

use super::page::Page;
use super::words;

/// What a page is made of.
pub(super) struct Telling<'a> {
    config: &'a ProxyConfig,
    provenance: &'a Provenance,
    pub(super) page: Page,
}

pub(super) fn render(config: &ProxyConfig, provenance: &Provenance) -> String {
    let mut telling = Telling {
        config,
        provenance,
        page: Page::default(),
    };
    telling.proxy();
    for (name, (inbound, policy)) in &config.inbounds {
        telling.inbound(name, inbound, policy);
    }
    for outbound in config.outbounds.values() {
        telling.outbound(outbound);
    }
    for destination in config.destinations.values() {
        telling.destination(destination);
    }
    for cluster in config.clusters.values() {
        telling.cluster(cluster);
    }
    telling.wide();
    telling.page.finish()
}

impl Telling<'_> {
    fn proxy(&mut self) {
        let proxy = &self.config.proxy;
        let title = format!(
            "proxy {} (mesh {}, zone {})",
            words::name(&proxy.kri),
            proxy.kri.mesh(),
            proxy.zone
        );
        self.page.noted(0, &title, &words::origin(&proxy.origin));
        match &proxy.identity {
            None => {
                let nobody = "identity    none: plaintext only";
                self.page.noted(1, nobody, "no MeshIdentity selects it");
            }
            Some(identity) => {
                let id = format!("identity    {}", identity.spiffe_id);
                self.page.noted(1, &id, &words::origin(&identity.origin));
                let issuer = identity.issuer.name();
                let text = format!("certificate {} of {issuer}", identity.lifetime);
                self.page.line(1, &text);
            }
        }
        for (domain, anchors) in &self.config.trust.anchors {
            let text = format!(
                "trusts      {domain}, {} CA of MeshTrust documents",
                anchors.len()
            );
            self.page.line(1, &text);
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
        self.page.noted(0, &title, &words::origin(&inbound.origin));
        let key = Key::InboundPolicy(name.to_owned());
        let tls = policy.tls.map_ref(|mode| tls_words(*mode));
        match &self.config.proxy.identity {
            Some(_) => self.value(1, "tls", &tls, &key, "tls"),
            None => self
                .page
                .noted(1, "tls         disabled", "the proxy has no identity"),
        }
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

    fn permissions(&mut self, permissions: &Permissions) {
        for (word, rules) in [
            ("deny", &permissions.deny),
            ("permit", &permissions.allow),
            ("shadow deny", &permissions.allow_with_shadow_deny),
        ] {
            for rule in rules {
                let text = format!("{word:<11} {}", words::peer(&rule.peer));
                self.page.noted(1, &text, &words::origin(&rule.origin));
            }
        }
        let origin = words::origin(&permissions.unmatched);
        self.page.noted(1, "deny        everybody else", &origin);
    }

    fn outbound(&mut self, outbound: &Outbound) {
        self.page.gap();
        let address = std::net::SocketAddr::new(outbound.address, outbound.port);
        let destination = self.config.destinations.get(&outbound.destination);
        let number = destination.map_or_else(String::new, |d| format!(" (port {})", d.port));
        let captured = match outbound.captured {
            true => ", captured",
            false => "",
        };
        let title = format!(
            "outbound {address} -> {}{number}{captured}",
            words::port(&outbound.destination)
        );
        self.page.noted(0, &title, &words::origin(&outbound.origin));
    }

    fn destination(&mut self, destination: &Destination) {
        self.page.gap();
        let title = format!(
            "destination {} {}",
            words::port(&destination.kri),
            destination.protocol.as_str()
        );
        self.page
            .noted(0, &title, &words::origin(&destination.origin));
        let vip = destination.vip.map(|vip| vip.to_string());
        for host in destination.hostnames.iter().chain(&vip) {
            self.page
                .line(1, &format!("address     {host}:{}", destination.port));
        }
        let key = Key::Destination(destination.kri.clone());
        match &destination.traffic {
            Traffic::Http { routes } => {
                for (index, route) in routes.iter().enumerate() {
                    self.route(index, route, &key);
                }
            }
            Traffic::Tcp { route } => {
                let text = format!("connections {}", words::name(&route.kri));
                self.page.noted(1, &text, &words::origin(&route.origin));
                self.split(2, &route.backends);
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

    fn route(&mut self, index: usize, route: &HttpRoute, key: &Key) {
        let name = match route.kri.kind() {
            "msvc" | "extsvc" | "mzsvc" => "else".to_owned(),
            _ => format!("{} {}", words::name(&route.kri), route.kri.section()),
        };
        let text = format!(
            "route {:<5} {} ({name})",
            index + 1,
            words::request(&route.matches)
        );
        self.page.noted(1, &text, &words::origin(&route.origin));
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
            self.page
                .noted(depth, &text, &words::origin(&backend.origin));
        }
    }

    fn cluster(&mut self, cluster: &Cluster) {
        self.page.gap();
        let title = format!(
            "cluster {} {}",
            words::port(&cluster.kri),
            cluster.protocol.as_str()
        );
        self.page.noted(0, &title, &words::origin(&cluster.origin));
        for id in &cluster.identities {
            self.page.line(1, &format!("server      {id}"));
        }
        match &cluster.external {
            Some(external) => self.external(external),
            None if cluster.identities.is_empty() => {
                self.page.line(1, "server      without identity: plaintext");
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

    fn timeouts(
        &mut self,
        timeouts: &Timeouts,
        protocol: Protocol,
        connect: Option<&str>,
        key: &Key,
        place: &str,
    ) {
        for (name, field, value) in rows(timeouts, protocol, connect) {
            self.timeout(1, name, value, key, &format!("{place}/{field}"));
        }
    }

    /// A timeout, what set it, and what that overrode.
    fn timeout(
        &mut self,
        depth: usize,
        name: &str,
        value: &Sourced<Duration>,
        key: &Key,
        place: &str,
    ) {
        let value = value.map_ref(|span| timeout_words(*span));
        self.value(depth, name, &value, key, place);
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
            .noted(depth, &text, &words::set_by(value.origin.as_ref()));
        let proxy = &self.config.proxy.kri;
        for overridden in self.provenance.of(proxy, key, place) {
            let text = format!("{:<11} instead of {}", "", overridden.value);
            self.page
                .noted(depth, &text, &words::origin(&overridden.origin));
        }
    }
}

/// The timeouts that have a meaning for a protocol; those that are off by nature only where a policy sets them.
fn rows<'a>(
    timeouts: &'a Timeouts,
    protocol: Protocol,
    connect: Option<&str>,
) -> Vec<(&'static str, &'static str, &'a Sourced<Duration>)> {
    let set = |value: &Sourced<Duration>| value.origin.is_some() && !value.value.is_zero();
    let http = protocol.is_http();
    let all = [
        (connect.is_some(), "connect", "connect", &timeouts.connect),
        (true, "idle", "idle", &timeouts.idle),
        (http, "request", "request", &timeouts.request),
        (http, "stream idle", "streamIdle", &timeouts.stream_idle),
        (
            http && set(&timeouts.max_stream),
            "max stream",
            "maxStream",
            &timeouts.max_stream,
        ),
        (
            http && set(&timeouts.max_connection),
            "max conn",
            "maxConnection",
            &timeouts.max_connection,
        ),
        (
            http && set(&timeouts.request_headers),
            "headers",
            "requestHeaders",
            &timeouts.request_headers,
        ),
    ];
    all.into_iter()
        .filter(|(shown, ..)| *shown)
        .map(|(_, name, field, value)| (name, field, value))
        .collect()
}
