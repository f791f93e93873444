//! The rules of a bundle that a test can tell from others: the lines that permit, route and limit.
//!
//! Never counts what nobody wrote: default policies have no line.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::{
    Destination, InboundPolicy, RateLimits, Resource, Retry, Timeouts, Traffic, WeightedBackend,
};
use mesh_bundle::{Bundle, Digest, Kri, Origin};

/// One line that decides something, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) origin: Origin,
    pub(super) what: What,
    /// The resources that it is in.
    pub(super) places: BTreeSet<Digest>,
}

/// What a line decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Who is refused.
    Deny,
    /// Who is served.
    Allow,
    /// Who is served, and counted.
    AllowWithShadowDeny,
    /// Whether mesh TLS is needed.
    Mode,
    /// Which requests it is about.
    Route,
    /// Where a part of them goes.
    Backend,
    /// How long something may take.
    Timeout,
    /// How often something is tried.
    Retries,
    /// How much is let in.
    Rate,
}

impl What {
    /// As reports call it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allow => "allow",
            Self::AllowWithShadowDeny => "allowWithShadowDeny",
            Self::Mode => "mode",
            Self::Route => "route",
            Self::Backend => "backend",
            Self::Timeout => "timeout",
            Self::Retries => "retries",
            Self::Rate => "rate limit",
        }
    }
}

/// All of them, in the order of their lines.
pub(super) fn rules(bundle: &Bundle) -> Vec<Rule> {
    let mut found: BTreeMap<(Origin, What), BTreeSet<Digest>> = BTreeMap::new();
    for (digest, resource) in &bundle.resources {
        let mut lines = Lines::default();
        lines.of(resource);
        for (origin, what) in lines.0 {
            let key = (origin.clone(), what);
            found.entry(key).or_default().insert(*digest);
        }
    }
    let rule = |((origin, what), places)| Rule {
        origin,
        what,
        places,
    };
    let mut rules: Vec<Rule> = found.into_iter().map(rule).collect();
    rules.sort_by(|a, b| place(&a.origin).cmp(&place(&b.origin)));
    rules
}

fn place(origin: &Origin) -> (&str, u32) {
    (&origin.file, origin.line)
}

#[derive(Default)]
struct Lines<'b>(Vec<(&'b Origin, What)>);

impl<'b> Lines<'b> {
    fn of(&mut self, resource: &'b Resource) {
        match resource {
            Resource::InboundPolicy(policy) => self.of_inbound(policy),
            Resource::Destination(destination) => self.of_destination(destination),
            Resource::Cluster(cluster) => {
                self.add(cluster.connect_timeout.origin.as_ref(), What::Timeout);
            }
            _ => {}
        }
    }

    fn of_inbound(&mut self, policy: &'b InboundPolicy) {
        if let Some(permissions) = &policy.permissions {
            let lists = [
                (&permissions.deny, What::Deny),
                (&permissions.allow, What::Allow),
                (
                    &permissions.allow_with_shadow_deny,
                    What::AllowWithShadowDeny,
                ),
            ];
            for (list, what) in lists {
                for rule in list {
                    self.add(Some(&rule.origin), what);
                }
            }
        }
        self.add(policy.tls.origin.as_ref(), What::Mode);
        self.add(policy.timeouts.request.origin.as_ref(), What::Timeout);
        self.add(policy.timeouts.stream_idle.origin.as_ref(), What::Timeout);
        for peer in &policy.peer_timeouts {
            self.add(peer.request.origin.as_ref(), What::Timeout);
            self.add(peer.stream_idle.origin.as_ref(), What::Timeout);
        }
        self.of_limits(&policy.rate_limits);
    }

    fn of_limits(&mut self, limits: &'b RateLimits) {
        let peers = limits.peers.iter();
        let http = peers.clone().filter_map(|peer| peer.http.as_ref());
        let tcp = peers.filter_map(|peer| peer.tcp.as_ref());
        let http = limits
            .http
            .iter()
            .chain(http)
            .filter_map(|limit| limit.rate.as_ref());
        let tcp = limits
            .tcp
            .iter()
            .chain(tcp)
            .filter_map(|limit| limit.rate.as_ref());
        for rate in http.chain(tcp) {
            self.add(rate.num.origin.as_ref(), What::Rate);
        }
    }

    fn of_destination(&mut self, destination: &'b Destination) {
        self.of_timeouts(&destination.timeouts);
        self.of_retry(destination.retry.as_ref());
        match &destination.traffic {
            Traffic::Http { routes } => {
                for route in routes {
                    self.add(of_policy(&route.kri, &route.origin), What::Route);
                    self.of_backends(&route.kri, &route.backends);
                    if let Some(timeouts) = &route.timeouts {
                        self.of_timeouts(timeouts);
                    }
                    self.of_retry(route.retry.as_ref());
                }
            }
            Traffic::Tcp { route } => {
                self.add(of_policy(&route.kri, &route.origin), What::Route);
                self.of_backends(&route.kri, &route.backends);
            }
        }
    }

    fn of_backends(&mut self, route: &Kri, backends: &'b [WeightedBackend]) {
        for backend in backends {
            let several = backends.len() > 1;
            let origin = of_policy(route, &backend.origin).filter(|_| several);
            self.add(origin, What::Backend);
        }
    }

    fn of_timeouts(&mut self, timeouts: &'b Timeouts) {
        let all = [
            &timeouts.idle,
            &timeouts.request,
            &timeouts.stream_idle,
            &timeouts.max_stream,
            &timeouts.max_connection,
            &timeouts.request_headers,
        ];
        for timeout in all {
            self.add(timeout.origin.as_ref(), What::Timeout);
        }
    }

    fn of_retry(&mut self, retry: Option<&'b Retry>) {
        let origin = match retry {
            Some(Retry::Requests(retry)) => retry.num_retries.origin.as_ref(),
            Some(Retry::Connections(retry)) => retry.max_connect_attempts.origin.as_ref(),
            None => None,
        };
        self.add(origin, What::Retries);
    }

    fn add(&mut self, origin: Option<&'b Origin>, what: What) {
        if let Some(origin) = origin.filter(|origin| origin.line > 0) {
            self.0.push((origin, what));
        }
    }
}

/// What a policy says; the rest follows from the service.
fn of_policy<'b>(route: &Kri, origin: &'b Origin) -> Option<&'b Origin> {
    let policy = ["mhttpr", "mtcpr"].contains(&route.kind());
    policy.then_some(origin)
}
