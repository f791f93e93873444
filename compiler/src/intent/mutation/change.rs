//! One rule in one resource, changed to something else that could stand there.
//!
//! Never makes what a compiler would not: a route is left for every request.

use mesh_bundle::resource::{
    Destination, HttpRoute, InboundPolicy, RateLimits, RequestMatch, Resource, Retry, Timeouts,
    TlsMode, Traffic, WeightedBackend,
};
use mesh_bundle::{Duration, Kri, Origin, Sourced};

use super::super::rule::{Rule, What};

/// How a rule is changed, in words.
pub(super) fn words(what: What) -> &'static str {
    match what {
        What::Deny => "without this `deny`",
        What::Allow => "without this `allow`",
        What::AllowWithShadowDeny => "without this `allowWithShadowDeny`",
        What::Mode => "with plaintext allowed where it was not, or refused where it was",
        What::Route => "without this rule",
        What::Backend => "without this backend",
        What::Timeout => "with a second more",
        What::Retries => "with one more try",
        What::Rate => "with one more",
    }
}

/// Changes it; `false`: there is nothing to change.
pub(super) fn change(resource: &mut Resource, rule: &Rule) -> bool {
    match resource {
        Resource::InboundPolicy(policy) => of_inbound(policy, rule),
        Resource::Destination(destination) => of_destination(destination, rule),
        Resource::Cluster(cluster) => longer(&mut cluster.connect_timeout, &rule.origin),
        _ => false,
    }
}

fn of_inbound(policy: &mut InboundPolicy, rule: &Rule) -> bool {
    let permissions = policy.permissions.as_mut();
    let list = match rule.what {
        What::Deny => permissions.map(|permissions| &mut permissions.deny),
        What::Allow => permissions.map(|permissions| &mut permissions.allow),
        What::AllowWithShadowDeny => {
            permissions.map(|permissions| &mut permissions.allow_with_shadow_deny)
        }
        What::Mode => return turned(&mut policy.tls),
        What::Timeout => {
            let peers = policy.peer_timeouts.iter_mut();
            let peers = peers.flat_map(|peer| [&mut peer.request, &mut peer.stream_idle]);
            let own = [
                &mut policy.timeouts.request,
                &mut policy.timeouts.stream_idle,
            ];
            return own
                .into_iter()
                .chain(peers)
                .filter_map(|time| longer(time, &rule.origin).then_some(()))
                .count()
                > 0;
        }
        What::Rate => return more(&mut policy.rate_limits, &rule.origin),
        What::Route | What::Backend | What::Retries => None,
    };
    let Some(list) = list else {
        return false;
    };
    let before = list.len();
    list.retain(|entry| entry.origin != rule.origin);
    list.len() < before
}

fn turned(tls: &mut Sourced<TlsMode>) -> bool {
    tls.value = match tls.value {
        TlsMode::Strict => TlsMode::Permissive,
        TlsMode::Permissive => TlsMode::Strict,
        // Without an identity there is no other mode.
        TlsMode::Disabled => return false,
    };
    true
}

fn more(limits: &mut RateLimits, origin: &Origin) -> bool {
    let mut any = false;
    let (mut http, mut tcp) = (Vec::new(), Vec::new());
    http.extend(limits.http.as_mut());
    tcp.extend(limits.tcp.as_mut());
    for peer in &mut limits.peers {
        http.extend(peer.http.as_mut());
        tcp.extend(peer.tcp.as_mut());
    }
    let http = http.into_iter().filter_map(|limit| limit.rate.as_mut());
    let tcp = tcp.into_iter().filter_map(|limit| limit.rate.as_mut());
    for rate in http.chain(tcp) {
        any |= once_more(&mut rate.num, origin);
    }
    any
}

fn of_destination(destination: &mut Destination, rule: &Rule) -> bool {
    let own = destination.kri.clone();
    match rule.what {
        What::Timeout => {
            let of_routes =
                routes(&mut destination.traffic).filter_map(|route| route.timeouts.as_mut());
            std::iter::once(&mut destination.timeouts)
                .chain(of_routes)
                .filter_map(|timeouts| all_longer(timeouts, &rule.origin).then_some(()))
                .count()
                > 0
        }
        What::Retries => {
            let of_routes =
                routes(&mut destination.traffic).filter_map(|route| route.retry.as_mut());
            destination
                .retry
                .iter_mut()
                .chain(of_routes)
                .filter_map(|retry| tried_once_more(retry, &rule.origin).then_some(()))
                .count()
                > 0
        }
        What::Route => without_route(&mut destination.traffic, &own, &rule.origin),
        What::Backend => {
            let lists: Vec<&mut Vec<WeightedBackend>> = match &mut destination.traffic {
                Traffic::Http { routes } => {
                    routes.iter_mut().map(|route| &mut route.backends).collect()
                }
                Traffic::Tcp { route } => vec![&mut route.backends],
            };
            lists
                .into_iter()
                .filter_map(|list| without_backend(list, &rule.origin).then_some(()))
                .count()
                > 0
        }
        _ => false,
    }
}

fn routes(traffic: &mut Traffic) -> impl Iterator<Item = &mut HttpRoute> {
    match traffic {
        Traffic::Http { routes } => routes.as_mut_slice().iter_mut(),
        Traffic::Tcp { .. } => [].iter_mut(),
    }
}

/// What is left where a rule about every request goes away: the destination itself.
fn itself(own: &Kri, origin: &Origin) -> Vec<WeightedBackend> {
    vec![WeightedBackend {
        cluster: Some(own.clone()),
        weight: 1,
        origin: origin.clone(),
    }]
}

fn without_route(traffic: &mut Traffic, own: &Kri, origin: &Origin) -> bool {
    match traffic {
        Traffic::Tcp { route } if route.origin == *origin => {
            route.backends = itself(own, origin);
            true
        }
        Traffic::Tcp { .. } => false,
        Traffic::Http { routes } => {
            let before = routes.len();
            let last = routes.pop();
            routes.retain(|route| route.origin != *origin);
            let mut any = routes.len() < before.saturating_sub(1);
            if let Some(mut last) = last {
                if last.origin == *origin {
                    last.matches = RequestMatch::default();
                    last.filters.clear();
                    last.backends = itself(own, origin);
                    any = true;
                }
                routes.push(last);
            }
            any
        }
    }
}

fn without_backend(list: &mut [WeightedBackend], origin: &Origin) -> bool {
    let weighed = list.iter().filter(|backend| backend.weight > 0).count();
    let mut backends = list.iter_mut();
    let found = backends.find(|backend| backend.origin == *origin && backend.weight > 0);
    match found {
        // Without the only one there is nothing left.
        Some(backend) if weighed > 1 => {
            backend.weight = 0;
            true
        }
        _ => false,
    }
}

fn all_longer(timeouts: &mut Timeouts, origin: &Origin) -> bool {
    let all = [
        &mut timeouts.idle,
        &mut timeouts.request,
        &mut timeouts.stream_idle,
        &mut timeouts.max_stream,
        &mut timeouts.max_connection,
        &mut timeouts.request_headers,
    ];
    all.into_iter()
        .filter_map(|time| longer(time, origin).then_some(()))
        .count()
        > 0
}

fn longer(time: &mut Sourced<Duration>, origin: &Origin) -> bool {
    let own = time.origin.as_ref() == Some(origin);
    if own {
        let longer = time
            .value
            .as_std()
            .saturating_add(std::time::Duration::from_secs(1));
        time.value = Duration::from_secs(longer.as_secs());
    }
    own
}

fn once_more(number: &mut Sourced<u32>, origin: &Origin) -> bool {
    let own = number.origin.as_ref() == Some(origin);
    if own {
        number.value = number.value.saturating_add(1);
    }
    own
}

fn tried_once_more(retry: &mut Retry, origin: &Origin) -> bool {
    match retry {
        Retry::Requests(retry) => once_more(&mut retry.num_retries, origin),
        Retry::Connections(retry) => once_more(&mut retry.max_connect_attempts, origin),
    }
}
