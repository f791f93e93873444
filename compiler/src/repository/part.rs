//! The part of a proxy that has to be made anew.
//!
//! Never smaller than what a policy of a kind could be about: a kind that is not known here is about anything.

use mesh_bundle::{Key, Kri};

use crate::kinds::{Resource, Spec};

/// What a proxy has to be given anew.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'s> {
    Nothing,
    /// Where what it sends to these services goes, and ends.
    Towards(Vec<&'s Kri>),
    /// What policies of some kinds are about.
    Some(Aspects),
    All,
}

/// What policies make of a proxy, by what they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aspects {
    /// Where what it sends goes.
    pub(crate) destinations: bool,
    /// More of that than what is tried again.
    pub(crate) ways: bool,
    /// How that ends.
    pub(crate) clusters: bool,
    /// What it permits and limits.
    pub(crate) inbounds: bool,
    /// What it does as a whole.
    pub(crate) whole: bool,
}

impl Part<'_> {
    /// What of a proxy it is about.
    pub(crate) const fn aspects(&self) -> Aspects {
        match self {
            Self::Nothing => Aspects::NOTHING,
            Self::Towards(_) => Aspects::SENDING,
            Self::Some(aspects) => *aspects,
            Self::All => Aspects {
                inbounds: true,
                whole: true,
                ..Aspects::SENDING
            },
        }
    }

    /// Is what a proxy has under this key of the part?
    pub(crate) fn covers(&self, key: &Key) -> bool {
        match (self, key) {
            (Self::All, _) => true,
            (Self::Some(aspects), key) => aspects.cover(key),
            (Self::Towards(services), Key::Destination(port) | Key::Cluster(port)) => {
                services.iter().any(|service| port.is_within(service))
            }
            (Self::Nothing | Self::Towards(_), _) => false,
        }
    }
}

impl Aspects {
    pub(super) const NOTHING: Self = Self {
        destinations: false,
        ways: false,
        clusters: false,
        inbounds: false,
        whole: false,
    };
    /// Both ends of what it sends.
    pub(super) const SENDING: Self = Self {
        destinations: true,
        ways: true,
        clusters: true,
        ..Self::NOTHING
    };

    /// What a policy makes of a proxy that it applies to; `None`: anything.
    pub(super) fn of(policy: &Resource) -> Option<Self> {
        let (destinations, clusters) = match policy.spec {
            Spec::MeshMetric | Spec::MeshTrace | Spec::MeshPassthrough => {
                return Some(Self {
                    whole: true,
                    ..Self::NOTHING
                });
            }
            Spec::MeshTls(_)
            | Spec::MeshTrafficPermission
            | Spec::MeshRateLimit
            | Spec::MeshFaultInjection => (false, false),
            Spec::MeshCircuitBreaker | Spec::MeshHealthCheck => (false, true),
            Spec::MeshRetry(_) | Spec::MeshAccessLog => (true, false),
            Spec::MeshTimeout
            | Spec::MeshLoadBalancingStrategy(_)
            | Spec::MeshHttpRoute
            | Spec::MeshTcpRoute => (true, true),
            _ => return None,
        };
        let is_there = |name: &str| policy.body.get(name).is_some_and(|part| !part.is_null());
        let sends = is_there("to");
        Some(Self {
            destinations: destinations && sends,
            ways: destinations && sends && !matches!(policy.spec, Spec::MeshRetry(_)),
            clusters: clusters && sends,
            inbounds: is_there("rules"),
            whole: false,
        })
    }

    pub(super) fn add(&mut self, others: Self) {
        self.destinations |= others.destinations;
        self.ways |= others.ways;
        self.clusters |= others.clusters;
        self.inbounds |= others.inbounds;
        self.whole |= others.whole;
    }

    fn cover(self, key: &Key) -> bool {
        match key {
            Key::Destination(_) => self.destinations,
            Key::Cluster(_) => self.clusters,
            Key::Inbound(_) | Key::InboundPolicy(_) => self.inbounds,
            Key::Metrics | Key::Tracing | Key::Passthrough => self.whole,
            Key::Proxy | Key::Trust | Key::Outbound(_) => false,
        }
    }
}
