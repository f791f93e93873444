//! Instances that are new get less than their share, those that are left out nothing, and all others the rest alike.

use mesh_bundle::resource::SlowStart;
use tokio::time::advance;

use super::*;

const SPAN: Duration = Duration::from_secs(100);

/// The balancers that do not go by hashes.
fn blind() -> [Balancer; 4] {
    [
        Balancer::RoundRobin {},
        Balancer::Random {},
        least_request(2, 1_000_000),
        peak_ewma(),
    ]
}

fn slowly(balancer: Balancer, all: &[Instance]) -> Balance {
    let mut cluster = cluster(balancer);
    cluster.slow_start = Some(Box::new(SlowStart {
        window: Sourced::built_in(SPAN.into()),
        aggression: Sourced::built_in(SlowStart::AGGRESSION),
        min_weight: Sourced::built_in(SlowStart::MIN_WEIGHT),
    }));
    Balance::new(&cluster, all).unwrap()
}

/// Of 10,000 the new one gets `part / (3 + part)`.
fn expected(part: f64) -> f64 {
    10_000.0 * part / (3.0 + part)
}

#[tokio::test(start_paused = true)]
async fn a_new_instance_gets_more_and_more_of_its_share() {
    for balancer in blind() {
        let all = instances(&[(0, 1); 4]);
        drop(give_work(&all[3], 1));
        all[3].known_pool().unwrap().joins();
        let balance = slowly(balancer.clone(), &all);
        for part in [0.1, 0.5, 1.0] {
            let shares = shares(&balance, &all);
            let new = f64::from(shares["10.0.0.3:80"]);
            let off = (new - expected(part)).abs();
            // Six standard deviations of the largest of them.
            assert!(off < 260.0, "{balancer:?} {part}: {shares:?}");
            let others = shares.iter().filter(|(name, _)| *name != "10.0.0.3:80");
            let rest = (10_000.0 - new) / 3.0;
            for (_, other) in others {
                let off = (f64::from(*other) - rest).abs();
                assert!(off < 260.0, "{balancer:?} {part}: {shares:?}");
            }
            advance(SPAN / 2).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_left_out_leaves_its_share_to_all_others_alike() {
    for balancer in blind() {
        let all = instances(&[(0, 1); 5]);
        drop(give_work(&all[1], 1));
        all[1].known_pool().unwrap().shun();
        let shares = shares(&balance(balancer.clone(), &all), &all);
        assert_eq!(shares.len(), 4, "{balancer:?}: {shares:?}");
        for share in shares.values() {
            assert!(share.abs_diff(2_500) < 260, "{balancer:?}: {shares:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_all_are_new_all_are_alike() {
    for balancer in blind() {
        let all = instances(&[(0, 1); 3]);
        for one in &all {
            drop(give_work(one, 1));
            one.known_pool().unwrap().joins();
        }
        let shares = shares(&slowly(balancer.clone(), &all), &all);
        for share in shares.values() {
            assert!(share.abs_diff(3_333) < 260, "{balancer:?}: {shares:?}");
        }
    }
}
