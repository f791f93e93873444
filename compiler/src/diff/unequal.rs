//! What of two resources is not equal, before it is compared value by value: mostly one of many.
//!
//! Never leaves out what differs in anything, were it a line.

use std::borrow::Cow;

use mesh_bundle::Resource;
use mesh_bundle::resource::{Destination, InboundPolicy, Traffic};

/// Both without the large parts that are equal.
pub(super) fn unequal<'r>(
    old: &'r Resource,
    new: &'r Resource,
) -> (Cow<'r, Resource>, Cow<'r, Resource>) {
    let pair = match (old, new) {
        (Resource::Destination(old), Resource::Destination(new)) if old.traffic == new.traffic => {
            let [old, new] = [old, new].map(without_traffic);
            (Resource::Destination(old), Resource::Destination(new))
        }
        (Resource::InboundPolicy(old), Resource::InboundPolicy(new))
            if old.permissions == new.permissions =>
        {
            let [old, new] = [old, new].map(without_permissions);
            (Resource::InboundPolicy(old), Resource::InboundPolicy(new))
        }
        both => return (Cow::Borrowed(both.0), Cow::Borrowed(both.1)),
    };
    (Cow::Owned(pair.0), Cow::Owned(pair.1))
}

fn without_traffic(own: &Destination) -> Destination {
    Destination {
        kri: own.kri.clone(),
        protocol: own.protocol,
        port: own.port,
        vip: own.vip,
        hostnames: own.hostnames.clone(),
        traffic: Traffic::Http { routes: Vec::new() },
        timeouts: own.timeouts.clone(),
        hash_policies: own.hash_policies.clone(),
        access_log: own.access_log.clone(),
        retry: own.retry.clone(),
        origin: own.origin.clone(),
    }
}

fn without_permissions(own: &InboundPolicy) -> InboundPolicy {
    InboundPolicy {
        tls: own.tls.clone(),
        permissions: None,
        timeouts: own.timeouts.clone(),
        peer_timeouts: own.peer_timeouts.clone(),
        rate_limits: own.rate_limits.clone(),
        faults: own.faults.clone(),
        access_logs: own.access_logs.clone(),
        circuit_breaker: own.circuit_breaker.clone(),
    }
}
