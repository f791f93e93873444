//! What of two resources is not equal, before it is compared value by value: mostly one of many.
//!
//! Never leaves out what differs in anything, were it a line.

use std::borrow::Cow;

use mesh_bundle::Resource;
use mesh_bundle::resource::{Cluster, Destination, InboundPolicy, Traffic};

/// Both without the parts that are equal.
pub(super) fn unequal<'r>(
    old: &'r Resource,
    new: &'r Resource,
) -> (Cow<'r, Resource>, Cow<'r, Resource>) {
    let [old, new] = match (old, new) {
        // What a route does not say, its destination says: of routes that differ, all of it is asked.
        (Resource::Destination(old), Resource::Destination(new)) if old.traffic == new.traffic => {
            [destination(old, new), destination(new, old)].map(Resource::Destination)
        }
        (Resource::Cluster(old), Resource::Cluster(new)) => {
            [cluster(old, new), cluster(new, old)].map(Resource::Cluster)
        }
        (Resource::InboundPolicy(old), Resource::InboundPolicy(new)) => {
            [inbound(old, new), inbound(new, old)].map(Resource::InboundPolicy)
        }
        both => return (Cow::Borrowed(both.0), Cow::Borrowed(both.1)),
    };
    (Cow::Owned(old), Cow::Owned(new))
}

/// A value; nothing where the other one is equal.
fn part<T: Clone + Default + PartialEq>(own: &T, other: &T) -> T {
    match own == other {
        true => T::default(),
        false => own.clone(),
    }
}

fn destination(own: &Destination, other: &Destination) -> Destination {
    Destination {
        kri: own.kri.clone(),
        protocol: own.protocol,
        port: own.port,
        vip: own.vip,
        hostnames: part(&own.hostnames, &other.hostnames),
        traffic: Traffic::Http { routes: Vec::new() },
        timeouts: part(&own.timeouts, &other.timeouts),
        hash_policies: part(&own.hash_policies, &other.hash_policies),
        access_log: part(&own.access_log, &other.access_log),
        retry: part(&own.retry, &other.retry),
        origin: own.origin.clone(),
    }
}

fn cluster(own: &Cluster, other: &Cluster) -> Cluster {
    Cluster {
        kri: own.kri.clone(),
        protocol: own.protocol,
        identities: part(&own.identities, &other.identities),
        connect_timeout: own.connect_timeout.clone(),
        balancer: part(&own.balancer, &other.balancer),
        slow_start: part(&own.slow_start, &other.slow_start),
        locality: part(&own.locality, &other.locality),
        external: part(&own.external, &other.external),
        circuit_breaker: part(&own.circuit_breaker, &other.circuit_breaker),
        health_check: part(&own.health_check, &other.health_check),
        origin: own.origin.clone(),
    }
}

fn inbound(own: &InboundPolicy, other: &InboundPolicy) -> InboundPolicy {
    InboundPolicy {
        tls: own.tls.clone(),
        permissions: part(&own.permissions, &other.permissions),
        timeouts: part(&own.timeouts, &other.timeouts),
        peer_timeouts: part(&own.peer_timeouts, &other.peer_timeouts),
        rate_limits: part(&own.rate_limits, &other.rate_limits),
        faults: part(&own.faults, &other.faults),
        access_logs: part(&own.access_logs, &other.access_logs),
        circuit_breaker: part(&own.circuit_breaker, &other.circuit_breaker),
    }
}
