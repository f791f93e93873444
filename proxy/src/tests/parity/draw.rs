//! Which configurations and requests are drawn: few names, so that what is asked for is often there.
//!
//! Never what the compiler would not make, other than a destination without a last route: that is answered too.

use std::collections::BTreeSet;

use http::Method;
use mesh_bundle::resource::load_balancing::HashFunction;
use mesh_bundle::resource::{
    Abort, BackOff, Balancer, Fault, Filter, HeaderMatch, HeaderModifier, HeaderPair, HttpRoute,
    IndependentRule, PathMatch, PathRewrite, PeerMatch, PermissionRule, Permissions, QueryMatch,
    Redirect, RequestMatch, RequestRetry, RetryBudget, RetryCondition, RetryOn, Rewrite, SlowStart,
    SpiffeMatch, TextMatch, WeightedBackend,
};
use mesh_bundle::{Duration, Origin, Sourced};
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::super::site::{WEB, origin, route, service};
use super::{Asked, Balance, Case, EMPTY, HEADERS, MESHED, PLAIN};

/// Segments that a configuration may name.
const NAMES: [&str; 5] = ["v1", "v2", "users", "Users", "a.b"];
/// Segments that only requests have, and what is refused among them.
const ODD: [&str; 10] = [
    "", ".", "..", "%75sers", "v1;x=1", "..;x", "%2f", "%00", "%7e", "é",
];
const VALUES: [&str; 5] = ["one", "two", "on", "", "one,two"];

pub(super) fn case() -> impl Strategy<Value = Case> {
    let routes = (vec(http_route(), 0..5), weighted(0.8, last_route()));
    (
        routes,
        weighted(0.5, retry()),
        permissions(),
        vec(fault(), 0..2),
        balance(),
        vec(asked(), 1..8),
    )
        .prop_map(
            |((mut routes, last), retry, permissions, faults, balance, requests)| {
                routes.extend(last);
                Case {
                    routes,
                    retry,
                    permissions,
                    faults,
                    balance,
                    requests,
                }
            },
        )
}

/// Every way to choose one, and a budget that is spent or never is: in between it depends on what others do.
fn balance() -> impl Strategy<Value = Balance> {
    let choices = || (2_u32..4).prop_map(Sourced::built_in);
    let of_all = prop_oneof![
        Just(Balancer::RoundRobin {}),
        Just(Balancer::Random {}),
        (choices(), 0_u64..3_000_000).prop_map(|(choices, bias)| Balancer::LeastRequest {
            choices,
            bias: Sourced::built_in(bias),
        }),
        (choices(), 1_u64..1_000, 0_u64..2_000).prop_map(|(choices, decay, penalty)| {
            Balancer::PeakEwma {
                choices,
                decay: Sourced::built_in(Duration::from_millis(decay)),
                penalty: Sourced::built_in(Duration::from_millis(penalty)),
            }
        }),
    ];
    let slow_start =
        (1_u64..60_000, 1_u64..3_000_000, 1_u8..=100).prop_map(|(window, aggression, percent)| {
            SlowStart {
                window: Sourced::built_in(Duration::from_millis(window)),
                aggression: Sourced::built_in(aggression),
                min_weight: Sourced::built_in(percent),
            }
        });
    let by_hash = prop_oneof![
        select(vec![HashFunction::XxHash, HashFunction::MurmurHash2]).prop_map(|function| {
            Balancer::RingHash {
                function: Sourced::built_in(function),
                min_size: Sourced::built_in(8),
                max_size: Sourced::built_in(64),
            }
        }),
        Just(Balancer::Maglev {
            table_size: Sourced::built_in(13),
        }),
    ];
    let chosen = prop_oneof![
        4 => (of_all, weighted(0.5, slow_start)),
        1 => by_hash.prop_map(|balancer| (balancer, None)),
    ];
    let budget = select(vec![(0_u8, 0_u32), (100, 1_000_000), (0, 1_000_000)]);
    (chosen, budget).prop_map(|((balancer, slow_start), (percent, per_second))| Balance {
        balancer,
        slow_start,
        budget: RetryBudget {
            percent: Sourced::built_in(percent),
            min_per_second: Sourced::built_in(per_second),
        },
    })
}

fn place(file: &'static str) -> impl Strategy<Value = Origin> {
    (1_u32..1_000).prop_map(move |line| origin(file, line))
}

fn http_route() -> impl Strategy<Value = HttpRoute> {
    (matches(), last_route()).prop_map(|(matches, route)| HttpRoute { matches, ..route })
}

/// For every request.
fn last_route() -> impl Strategy<Value = HttpRoute> {
    (filters(), backends(), place("routes.yaml")).prop_map(|(filters, backends, origin)| {
        HttpRoute {
            filters,
            backends,
            origin,
            ..route(Vec::new())
        }
    })
}

fn matches() -> impl Strategy<Value = RequestMatch> {
    let path = prop_oneof![
        1 => configured_path().prop_map(PathMatch::Exact),
        4 => configured_path().prop_map(PathMatch::Prefix),
        1 => select(vec!["/v[12]/.*", "/v1(/users)?", "/[^/]+", ".*", "/"])
            .prop_map(|pattern| PathMatch::Regex(pattern.to_owned())),
    ];
    let method = select(vec!["GET", "POST", "PURGE"]).prop_map(str::to_owned);
    let name = prop_oneof![5 => select(&HEADERS[..]), 1 => Just("host")];
    let header = (name.prop_map(str::to_owned), text(true))
        .prop_map(|(name, value)| HeaderMatch { name, value });
    let parameter = (select(vec!["a", "b"]).prop_map(str::to_owned), text(false))
        .prop_map(|(name, value)| QueryMatch { name, value });
    (
        weighted(0.8, path),
        weighted(0.2, method),
        prop_oneof![3 => Just(Vec::new()), 1 => vec(header, 1..3)],
        prop_oneof![3 => Just(Vec::new()), 1 => vec(parameter, 1..2)],
    )
        .prop_map(|(path, method, headers, query)| RequestMatch {
            path,
            method,
            headers,
            query,
        })
}

fn text(of_header: bool) -> BoxedStrategy<TextMatch> {
    let exact = select(&VALUES[..]).prop_map(|text| TextMatch::Exact(text.to_owned()));
    let regex = select(vec!["o.*", "[^x]*", "one|two", ""])
        .prop_map(|pattern| TextMatch::Regex(pattern.to_owned()));
    if !of_header {
        return prop_oneof![exact, regex].boxed();
    }
    prop_oneof![
        exact,
        regex,
        select(vec!["o", "api", ""]).prop_map(|text| TextMatch::Prefix(text.to_owned())),
        Just(TextMatch::Present),
        Just(TextMatch::Absent),
    ]
    .boxed()
}

fn configured_path() -> impl Strategy<Value = String> {
    vec(select(&NAMES[..]), 0..3).prop_map(|names| format!("/{}", names.join("/")))
}

fn filters() -> impl Strategy<Value = Vec<Filter>> {
    let path = || {
        prop_oneof![
            configured_path().prop_map(PathRewrite::Full),
            configured_path().prop_map(PathRewrite::Prefix),
        ]
    };
    let hostname = || select(vec!["other.mesh", "b.test"]).prop_map(str::to_owned);
    let redirect = (
        weighted(0.5, select(vec!["http", "https"]).prop_map(str::to_owned)),
        weighted(0.5, hostname()),
        weighted(0.5, select(vec![80_u16, 443, 8_443])),
        weighted(0.5, path()),
        select(vec![301_u16, 302, 303, 307, 308]),
    )
        .prop_map(|(scheme, hostname, port, path, status)| {
            Filter::Redirect(Redirect {
                scheme,
                hostname,
                port,
                path,
                status,
            })
        });
    let rewrite = (weighted(0.5, hostname()), weighted(0.8, path()))
        .prop_map(|(hostname, path)| Filter::Rewrite(Rewrite { hostname, path }));
    let to =
        prop_oneof![4 => Just(None), 3 => rewrite.prop_map(Some), 1 => redirect.prop_map(Some)];
    let change = (modifier(), any::<bool>()).prop_map(|(change, request)| match request {
        true => Filter::RequestHeaders(change),
        false => Filter::ResponseHeaders(change),
    });
    (vec(change, 0..3), to, any::<prop::sample::Index>()).prop_map(|(mut filters, to, at)| {
        if let Some(to) = to {
            let at = at.index(filters.len() + 1);
            filters.insert(at, to);
        }
        filters
    })
}

fn modifier() -> impl Strategy<Value = HeaderModifier> {
    let name = || select(&HEADERS[..]).prop_map(str::to_owned);
    let pair = || {
        let value = select(vec!["new", "one", ""]).prop_map(str::to_owned);
        (name(), value).prop_map(|(name, value)| HeaderPair { name, value })
    };
    (vec(pair(), 0..2), vec(pair(), 0..3), vec(name(), 0..2))
        .prop_map(|(set, add, remove)| HeaderModifier { set, add, remove })
}

fn backends() -> impl Strategy<Value = Vec<WeightedBackend>> {
    let cluster = prop_oneof![
        6 => Just(Some(MESHED)),
        3 => Just(Some(PLAIN)),
        1 => Just(Some(EMPTY)),
        1 => Just(None),
    ];
    let weight = prop_oneof![1 => Just(0_u32), 4 => 1..4_u32];
    let share = (cluster, weight, place("routes.yaml")).prop_map(|(cluster, weight, origin)| {
        WeightedBackend {
            cluster: cluster.map(service),
            weight,
            origin,
        }
    });
    vec(share, 1..3)
}

fn permissions() -> impl Strategy<Value = Permissions> {
    let rule = || {
        (peer(), place("policies/api.yaml"))
            .prop_map(|(peer, origin)| PermissionRule { peer, origin })
    };
    let usual = prop_oneof![3 => Just(Vec::new()), 1 => vec(rule(), 1..3)];
    (
        usual,
        vec(rule(), 0..4),
        vec(rule(), 0..2),
        place("policies/all.yaml"),
    )
        .prop_map(
            |(deny, allow, allow_with_shadow_deny, unmatched)| Permissions {
                deny,
                allow,
                allow_with_shadow_deny,
                unmatched,
            },
        )
}

fn peer() -> impl Strategy<Value = PeerMatch> {
    let exact = select(vec![WEB, WEB, "spiffe://td/workload/other", "spiffe://td"])
        .prop_map(|id| SpiffeMatch::Exact(id.parse().unwrap()));
    let prefix = select(vec!["spiffe://td/workload/w", "spiffe://td", "spiffe://t"])
        .prop_map(|id| SpiffeMatch::Prefix(id.parse().unwrap()));
    let sni = weighted(0.1, Just("api.mesh".to_owned()));
    (prop_oneof![exact, prefix], sni).prop_map(|(id, sni)| PeerMatch {
        spiffe_id: Some(id),
        sni,
    })
}

fn fault() -> impl Strategy<Value = IndependentRule<Fault>> {
    let abort =
        (select(vec![418_u16, 503, 404, 299]), any::<bool>()).prop_map(|(status, on)| Abort {
            status,
            parts_per_million: u32::from(on) * 1_000_000,
        });
    (
        0_u32..2,
        weighted(0.7, peer()),
        abort,
        place("policies/faults.yaml"),
    )
        .prop_map(|(number, peer, abort, origin)| IndependentRule {
            number,
            peer,
            acts: vec![Fault {
                delay: None,
                abort: Some(abort),
                response_bandwidth: None,
                origin: origin.clone(),
            }],
            origin,
        })
}

fn retry() -> impl Strategy<Value = RequestRetry> {
    let conditions = select(vec![
        RetryCondition::ServerError,
        RetryCondition::GatewayError,
        RetryCondition::Retriable4xx,
        RetryCondition::ConnectFailure,
    ]);
    let on = (
        vec(conditions, 1..3),
        vec(select(vec![404_u16, 500, 200]), 0..2),
        vec(select(vec!["GET", "POST"]).prop_map(str::to_owned), 0..2),
    )
        .prop_map(|(conditions, statuses, methods)| RetryOn {
            conditions: conditions.into_iter().collect(),
            statuses: statuses.into_iter().collect(),
            codes: BTreeSet::new(),
            methods: methods.into_iter().collect(),
        });
    let header = || {
        let name = select(&HEADERS[..]).prop_map(str::to_owned);
        let header = (name, text(true)).prop_map(|(name, value)| HeaderMatch { name, value });
        weighted(0.2, vec(header, 1..2).prop_map(Sourced::built_in))
    };
    (0_u32..3, on, header(), header()).prop_map(|(times, on, request, response)| RequestRetry {
        num_retries: Sourced::built_in(times),
        back_off: BackOff {
            base: Sourced::built_in(Duration::ZERO),
            max: Sourced::built_in(Duration::ZERO),
        },
        request_headers: request,
        response_headers: response,
        ..RequestRetry::new(on)
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let segment = prop_oneof![8 => select(&NAMES[..]), 1 => select(&ODD[..])];
    let path = vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")));
    let hosts = vec!["api", "api:8080", "API.mesh:80", "[::1]:81", "10.0.0.1"];
    let queries = vec![
        "",
        "a",
        "a=one",
        "a=two&a=one",
        "%61=on&b=one",
        "A=one",
        "b=%6fne",
    ];
    let header = (
        select(&HEADERS[..]),
        select(vec![&b"one"[..], b"two", b"on", b"", b"one\xff", b"three"]),
    );
    (
        any::<bool>(),
        select(vec!["GET", "GET", "POST", "DELETE", "PURGE", "get"]),
        select(hosts),
        path,
        weighted(0.4, select(queries)),
        vec(header, 0..3),
        select(vec![200_u16, 200, 201, 404, 409, 500, 503]),
    )
        .prop_map(|(two, method, host, path, query, headers, status)| Asked {
            two,
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            host,
            path,
            query,
            headers,
            status,
            body: if method == "POST" { "data" } else { "" },
        })
}
