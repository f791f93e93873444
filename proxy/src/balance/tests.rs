//! Shares, order and what stays where it is.

mod measured;
mod new;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::Sourced;
use mesh_bundle::resource::load_balancing::{HashFunction, Zones};
use mesh_bundle::resource::{Balancer, Protocol};
use proptest::prelude::*;

use super::*;
use crate::tests::site::{kri, origin};
use crate::upstream::{Kind, Pool, PoolKey};

/// Instances of these priorities and weights.
fn instances(of: &[(u32, u64)]) -> Vec<Instance> {
    let instance = |(index, (priority, weight)): (usize, &(u32, u64))| Instance {
        priority: *priority,
        weight: *weight,
        ..Instance::new(format!("10.0.0.{index}"), 80)
    };
    let mut instances: Vec<Instance> = of.iter().enumerate().map(instance).collect();
    Balance::arrange(&mut instances);
    instances
}

fn cluster(balancer: Balancer) -> Cluster {
    let mut cluster = Cluster::new(
        kri("kri_msvc_default___api_http"),
        Protocol::Http,
        origin("api.yaml", 1),
    );
    cluster.balancer = Some(Box::new(Sourced::built_in(balancer)));
    cluster
}

fn balance(balancer: Balancer, instances: &[Instance]) -> Balance {
    Balance::new(&cluster(balancer), instances).unwrap()
}

fn ring(function: HashFunction) -> Balancer {
    Balancer::RingHash {
        function: Sourced::built_in(function),
        min_size: Sourced::built_in(1_024),
        max_size: Sourced::built_in(8_388_608),
    }
}

fn maglev(table_size: u32) -> Balancer {
    Balancer::Maglev {
        table_size: Sourced::built_in(table_size),
    }
}

fn least_request(choices: u32, bias: u64) -> Balancer {
    Balancer::LeastRequest {
        choices: Sourced::built_in(choices),
        bias: Sourced::built_in(bias),
    }
}

const EWMA: Ewma = Ewma {
    decay: Duration::from_secs(10),
    penalty: Duration::from_secs(1),
};

fn peak_ewma() -> Balancer {
    let span = |span: Duration| Sourced::built_in(span.into());
    Balancer::PeakEwma {
        choices: Sourced::built_in(2),
        decay: span(EWMA.decay),
        penalty: span(EWMA.penalty),
    }
}

fn every() -> [Balancer; 7] {
    [
        Balancer::RoundRobin {},
        Balancer::Random {},
        least_request(2, 1_000_000),
        peak_ewma(),
        ring(HashFunction::XxHash),
        ring(HashFunction::MurmurHash2),
        maglev(251),
    ]
}

fn first<'a>(balance: &'a Balance, all: &'a [Instance], hash: Option<u64>) -> &'a str {
    balance
        .order(all, hash, false)
        .next()
        .map_or("", |first| &*first.label)
}

/// How often each is the first of 10,000.
fn shares(balance: &Balance, all: &[Instance]) -> BTreeMap<String, u32> {
    let mut shares = BTreeMap::new();
    for _ in 0..10_000 {
        *shares
            .entry(first(balance, all, None).to_owned())
            .or_default() += 1;
    }
    shares
}

/// A pool of its own, with so many requests.
fn give_work(instance: &Instance, requests: u32) -> Vec<crate::upstream::Place> {
    let key = PoolKey {
        owner: "api".into(),
        host: instance.host.clone(),
        port: instance.port,
        kind: Kind::One,
        protocol: Protocol::Http,
        outside: "".into(),
    };
    let pool = instance.pool.get_or_init(|| Arc::new(Pool::new(key)));
    (0..requests).map(|_| pool.busy()).collect()
}

#[test]
fn every_balancer_is_fair() {
    let all = instances(&[(0, 1); 5]);
    for balancer in every() {
        let shares = shares(&balance(balancer.clone(), &all), &all);
        assert_eq!(shares.len(), 5, "{balancer:?}");
        let slack = match balancer {
            Balancer::RoundRobin {} => 0,
            // Places on a ring are as uneven as dice.
            Balancer::RingHash { .. } => 800,
            _ => 250,
        };
        for share in shares.values() {
            assert!(share.abs_diff(2_000) <= slack, "{balancer:?}: {shares:?}");
        }
    }
}

#[test]
fn the_least_busy_of_those_that_are_looked_at() {
    let all = instances(&[(0, 1); 3]);
    let _work = [
        give_work(&all[0], 4),
        give_work(&all[1], 3),
        give_work(&all[2], 2),
    ];
    let looks_at_all = balance(least_request(3, 1_000_000), &all);
    assert_eq!(
        shares(&looks_at_all, &all),
        BTreeMap::from([("10.0.0.2:80".to_owned(), 10_000)])
    );
    // Of two out of three, each pair as often: 2 of 3, 1 of 3, none.
    let looks_at_two = shares(&balance(least_request(2, 1_000_000), &all), &all);
    for (name, expected) in [
        ("10.0.0.0:80", 0),
        ("10.0.0.1:80", 3_333),
        ("10.0.0.2:80", 6_667),
    ] {
        let share = looks_at_two.get(name).copied().unwrap_or_default();
        assert!(share.abs_diff(expected) < 250, "{looks_at_two:?}");
    }
    // Without a bias it is not looked at.
    let blind = shares(&balance(least_request(3, 0), &all), &all);
    assert!(
        blind.values().all(|share| share.abs_diff(3_333) < 250),
        "{blind:?}"
    );
}

#[test]
fn equal_hashes_go_to_one_instance_and_few_move_when_one_goes() {
    let all = instances(&[(0, 1); 10]);
    let fewer: Vec<Instance> = instances(&[(0, 1); 10]).into_iter().skip(1).collect();
    for balancer in [
        ring(HashFunction::XxHash),
        ring(HashFunction::MurmurHash2),
        maglev(65_537),
    ] {
        let (before, after) = (
            balance(balancer.clone(), &all),
            balance(balancer.clone(), &fewer),
        );
        let mut moved = 0;
        for hash in (0..1_000).map(mixed) {
            let chosen = first(&before, &all, Some(hash));
            assert_eq!(chosen, first(&before, &all, Some(hash)));
            // It goes where it would have gone next.
            if chosen == all[0].label.as_ref() {
                let next = before
                    .order(&all, Some(hash), false)
                    .nth(1)
                    .map(|next| &next.label);
                let stays = next.map(|next| &**next) == Some(first(&after, &fewer, Some(hash)));
                assert!(stays || matches!(balancer, Balancer::Maglev { .. }));
            } else if chosen != first(&after, &fewer, Some(hash)) {
                moved += 1;
            }
        }
        let most = if matches!(balancer, Balancer::Maglev { .. }) {
            50
        } else {
            0
        };
        assert!(moved <= most, "{balancer:?}: {moved} of 900 moved");
    }
}

#[test]
fn groups_have_their_weights_and_levels_their_turn() {
    let all = instances(&[(0, 90), (0, 90), (0, 9), (0, 1), (1, 1)]);
    let near = shares(&balance(Balancer::RoundRobin {}, &all), &all);
    for (name, expected) in [
        ("10.0.0.0:80", 4_500),
        ("10.0.0.1:80", 4_500),
        ("10.0.0.2:80", 900),
        ("10.0.0.3:80", 100),
    ] {
        assert!(near[name].abs_diff(expected) < 200, "{near:?}");
    }
    assert!(!near.contains_key("10.0.0.4:80"));
}

#[test]
fn a_level_gives_away_what_its_healthy_instances_do_not_suffice_for() {
    for (shunned, threshold, own) in [
        (1, 500_000, 10_000),
        (2, 500_000, 10_000),
        // A quarter is healthy, a half must be: half of the requests stay.
        (3, 500_000, 5_000),
        (1, 1_000_000, 7_500),
        (4, 500_000, 0),
    ] {
        let all = instances(&[(0, 1), (0, 1), (0, 1), (0, 1), (1, 1)]);
        for instance in all.iter().take(shunned) {
            drop(give_work(instance, 1));
            instance.pool.get().unwrap().shun();
        }
        let mut cluster = cluster(Balancer::RoundRobin {});
        cluster.locality = Some(Box::new(Locality {
            affinity: None,
            zones: Sourced::built_in(Zones::AfterOwn),
            threshold: Sourced::built_in(threshold),
        }));
        let shares = shares(&Balance::new(&cluster, &all).unwrap(), &all);
        let other = shares.get("10.0.0.4:80").copied().unwrap_or_default();
        assert!(
            (10_000 - other).abs_diff(own) < 250,
            "{shunned} {threshold}: {shares:?}"
        );
    }
}

#[test]
fn a_table_whose_size_is_no_prime_is_refused() {
    let refused = Balance::new(&cluster(maglev(65_536)), &[]).unwrap_err();
    assert_eq!(refused.0, "/balancer/value/tableSize/value");
}

proptest! {
    #[test]
    fn every_instance_is_tried_once(
        of in proptest::collection::vec((0_u32..3, 1_u64..3), 0..12),
        balancer in proptest::sample::select(every().to_vec()),
        hash in proptest::option::of(any::<u64>()),
    ) {
        let all = instances(&of);
        let balance = balance(balancer, &all);
        let mut tried: Vec<&str> = balance.order(&all, hash, false).map(|one| &*one.label).collect();
        let mut labels: Vec<&str> = all.iter().map(|one| &*one.label).collect();
        tried.sort_unstable();
        labels.sort_unstable();
        prop_assert_eq!(tried, labels);
    }
}
