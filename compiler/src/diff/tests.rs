//! Judged by brute force: everybody, every port and every class of requests, asked before and after.

mod edges;
mod settings;
mod truth;
mod world;

use std::collections::BTreeSet;

use mesh_bundle::decide::RouteTable;
use proptest::prelude::*;

use super::*;
use crate::flow::classes::classes;
use world::{Identities, Routes, Rule, Small, changed, small};

/// The classes of requests that the routes of any proxy tell apart, and some more.
fn questions(both: &[&Flows<'_>; 2]) -> Vec<Asked> {
    let mut found = BTreeSet::new();
    for method in ["GET", "POST", "PUT"] {
        for path in ["/", "/a", "/a/b", "/ab", "/c"] {
            found.insert(Asked::new(method, path));
            found.insert(Asked::new(method, path).with("x-beta", "1"));
            found.insert(Asked::new(method, &format!("{path}?v=2")));
        }
    }
    let mut tables = std::collections::BTreeMap::new();
    for side in both {
        for node in side.nodes() {
            for (_, outbound) in node.outbounds() {
                let (digest, destination) = node.destination(&outbound.destination).unwrap();
                tables.insert(digest, side.routes(digest, destination).unwrap());
            }
        }
    }
    let tables: Vec<&RouteTable> = tables.values().map(AsRef::as_ref).collect();
    let classes = classes(&tables).unwrap().into_iter();
    found.extend(classes.map(|class| class.example));
    found.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_diff_says_is_what_decide_says(one in small(), other in small(), which in 0_usize..14) {
        let after = changed(&one, other, which);
        let (before, after) = (one.bundle(), after.bundle());
        let difference = diff(&before, &after);
        let (old, new) = (Flows::new(&before), Flows::new(&after));
        let both = [&old, &new];
        let questions = questions(&both);
        edges::judge(&difference, &both, &questions)?;
        settings::judge(&difference, &both, &questions)?;
    }

    #[test]
    fn names_of_files_and_order_mean_nothing(one in small(), prefix in "[d-f]") {
        let other = Small { prefix, reversed: !one.reversed, ..one.clone() };
        let (before, after) = (one.bundle(), other.bundle());
        prop_assert!(before.digest != after.digest);
        let difference = diff(&before, &after);
        prop_assert!(difference.is_empty(), "{}", human(&difference, None));
        prop_assert_eq!(difference.proxies.moved, before.proxies.len());
    }
}

/// What is told of a change, line by line.
#[test]
fn lines_say_all_and_no_more() {
    let rule = |matches: &[usize], weights| Rule {
        matches: matches.iter().copied().collect(),
        weights,
        filter: 0,
    };
    let routes = |to, rules| Routes {
        of_web: false,
        to,
        rules,
    };
    let plain = Small::plain();
    let sending = |api: &[usize], db: &[usize]| Small {
        sends: [api, db].map(|own| own.iter().copied().collect()),
        ..plain.clone()
    };
    let with = |limits, rules| Small {
        timeouts: limits,
        routes: vec![routes(0, rules)],
        ..plain.clone()
    };
    let (one, two) = ([Some(1), None], [None, Some(1)]);
    let cases = [
        // A value, both of its sides, and the line.
        (
            Small {
                timeouts: one,
                ..plain.clone()
            },
            Small {
                timeouts: [Some(2), None],
                ..plain.clone()
            },
            vec!["~ timeouts.request 1s -> 2s: web-1 to api:http  (a9.yaml:4)"],
        ),
        // A route that is new, and what it limits.
        (
            with(two, vec![rule(&[2], one)]),
            with(two, vec![rule(&[2], one), rule(&[0], two)]),
            vec![
                "+ route /a* 1 db:http: web-1 to api:http  (a9.yaml:8)",
                "+ timeouts.request of /a* 100ms: web-1 to api:http  (a10.yaml:4)",
            ],
        ),
        // One that was there gets a limit of its own.
        (
            with([None, None], vec![rule(&[0], one)]),
            with(two, vec![rule(&[0], one)]),
            vec!["~ timeouts.request of /a* 15s -> 100ms: web-1 to api:http  (a10.yaml:4)"],
        ),
        // Equally special routes are tried in the order of their rules.
        (
            with([None, None], vec![rule(&[3], one), rule(&[8], two)]),
            with([None, None], vec![rule(&[8], two), rule(&[3], one)]),
            vec![
                "~ order of routes /* x-beta:1, /* x-gamma:1, /* -> /* x-gamma:1, /* x-beta:1, /*: web-1 to api:http  (a7.yaml:1)",
            ],
        ),
        // Who sends elsewhere is not named with who sends there.
        (
            Small {
                is_tcp: false,
                ..sending(&[0], &[2])
            },
            Small {
                identities: Identities::Nobody,
                ..sending(&[0], &[2])
            },
            vec![
                "- server identity spiffe://td/workload/api: web-1 to api:http  (a7.yaml:1)",
                "- server identity spiffe://td/workload/db: batch-1 to db:http  (a8.yaml:1)",
            ],
        ),
    ];
    for (before, after, expected) in cases {
        let text = human(&diff(&before.bundle(), &after.bundle()), None);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for line in expected {
            assert!(lines.contains(&line), "{line}\n{text}");
        }
    }
}
