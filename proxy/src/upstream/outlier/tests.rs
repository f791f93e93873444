//! Who is left out, for how long, and how many at once.

use std::sync::OnceLock;

use mesh_bundle::Sourced;
use mesh_bundle::resource::{CircuitBreaker, Cluster, Protocol};

use super::*;
use crate::balance::Balance;
use crate::table::Hop;
use crate::tests::site::{kri, origin};
use crate::upstream::{Kind, PoolKey};

fn number(value: u32) -> Option<Sourced<u32>> {
    Some(Sourced::built_in(value))
}

fn detection(detectors: Detectors) -> OutlierDetection {
    OutlierDetection {
        max_ejection_percent: Sourced::built_in(100),
        detectors,
        ..OutlierDetection::default()
    }
}

/// So many instances, each with its pool.
fn cluster(size: usize, detection: OutlierDetection) -> ClusterTable {
    let instance = |index: usize| {
        let instance = Instance::new(format!("10.0.0.{index}"), 80);
        let key = PoolKey {
            owner: "api".into(),
            host: instance.host.clone(),
            port: 80,
            kind: Kind::One,
            protocol: Protocol::Http,
            outside: "".into(),
        };
        instance.pool.get_or_init(|| Arc::new(Pool::new(key)));
        instance
    };
    let mut instances: Vec<Instance> = (0..size).map(instance).collect();
    Balance::arrange(&mut instances);
    let name = kri("kri_msvc_default___api_http");
    let mut resource = Cluster::new(name.clone(), Protocol::Http, origin("api.yaml", 1));
    resource.circuit_breaker = Some(Box::new(CircuitBreaker {
        outlier_detection: Some(Box::new(detection.clone())),
        ..CircuitBreaker::default()
    }));
    ClusterTable {
        label: name.to_string().into(),
        kri: name,
        protocol: Protocol::Http,
        identities: Vec::new(),
        hop: Hop::Plain,
        connect_timeout: Duration::from_secs(1),
        balance: Balance::new(&resource, &instances).unwrap(),
        instances,
        limits: mesh_bundle::resource::ConnectionLimits::default(),
        load: OnceLock::new(),
        detection: Some(Box::new(detection)),
        health_check: None,
        events: OnceLock::new(),
    }
}

/// A cluster, and what became of requests to its instances in a row.
struct Story {
    cluster: ClusterTable,
    judged: Judged,
    ejections: Ejections,
}

impl Story {
    fn of(size: usize, detection: OutlierDetection) -> Self {
        Self {
            cluster: cluster(size, detection),
            judged: Judged::default(),
            ejections: Ejections::default(),
        }
    }

    fn pool(&self, instance: usize) -> &Arc<Pool> {
        self.cluster.instances[instance].known_pool().unwrap()
    }

    fn judge<'a>(&'a self, trying: Option<&'a Trying>) -> Judge<'a> {
        Judge {
            detection: self.cluster.detection.as_deref().unwrap(),
            cluster: &self.cluster,
            judged: &self.judged,
            ejections: &self.ejections,
            trying,
        }
    }

    fn saw(&self, instance: usize, fates: &[Fate]) {
        for fate in fates {
            self.judge(None).saw(self.pool(instance), *fate);
        }
    }

    fn out(&self) -> Vec<usize> {
        let out = |index: &usize| self.cluster.instances[*index].is_ejected();
        (0..self.cluster.instances.len()).filter(out).collect()
    }
}

const WELL: Fate = Fate::Status(200);

#[tokio::test(start_paused = true)]
async fn so_many_in_a_row() {
    let total = Detectors {
        total_failures: number(3),
        ..Detectors::default()
    };
    let gateway = Detectors {
        gateway_failures: number(2),
        ..Detectors::default()
    };
    let (s500, s503) = (Fate::Status(500), Fate::Status(503));
    for (detectors, fates, out) in [
        (&total, vec![s500, s503, s500], true),
        (&total, vec![s500, Fate::Broken, Fate::Late], true),
        (&total, vec![s500, s500, WELL, s500, s500], false),
        (&total, vec![Fate::Status(429); 9], false),
        (&gateway, vec![s503, Fate::Late], true),
        (&gateway, vec![s503, s500, s503], false),
        (&gateway, vec![s500; 9], false),
    ] {
        let story = Story::of(2, detection(detectors.clone()));
        story.saw(1, &fates);
        assert_eq!(story.out() == [1], out, "{detectors:?} {fates:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_ones_own_are_counted_apart_where_that_is_asked_for() {
    let split = OutlierDetection {
        split_external_and_local_errors: Sourced::built_in(true),
        ..detection(Detectors {
            total_failures: number(2),
            local_origin_failures: number(3),
            ..Detectors::default()
        })
    };
    let story = Story::of(3, split);
    story.saw(0, &[Fate::Broken, Fate::Late]);
    // Between them was none that came through, so it is the third.
    story.saw(
        1,
        &[Fate::Broken, Fate::Broken, Fate::Status(500), Fate::Broken],
    );
    assert!(story.out().is_empty());
    story.saw(0, &[Fate::Broken]);
    story.saw(2, &[Fate::Status(500), Fate::Status(500)]);
    assert_eq!(story.out(), [0, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_second_time_is_longer_and_good_intervals_are_forgiving() {
    let story = Story::of(
        2,
        detection(Detectors {
            total_failures: number(1),
            ..Detectors::default()
        }),
    );
    let fails = || story.saw(0, &[Fate::Status(500)]);
    let wait = |seconds| tokio::time::advance(Duration::from_secs(seconds));
    fails();
    wait(29).await;
    assert_eq!(story.out(), [0]);
    wait(2).await;
    assert!(story.out().is_empty());
    fails();
    wait(59).await;
    assert_eq!(story.out(), [0]);
    wait(2).await;
    assert!(story.out().is_empty());
    for _ in 0..4 {
        wait(11).await;
        story.saw(0, &[WELL]);
    }
    fails();
    wait(31).await;
    assert!(story.out().is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_more_are_left_out_than_may_be_and_one_always_may() {
    for (percent, out) in [(0, 1), (10, 1), (20, 2), (25, 2), (100, 10)] {
        let limited = OutlierDetection {
            max_ejection_percent: Sourced::built_in(percent),
            ..detection(Detectors {
                total_failures: number(1),
                ..Detectors::default()
            })
        };
        let story = Story::of(10, limited);
        for instance in 0..10 {
            story.saw(instance, &[Fate::Broken]);
        }
        assert_eq!(story.out().len(), out, "{percent} %");
    }
}

#[tokio::test(start_paused = true)]
async fn instances_are_compared_once_in_an_interval() {
    let rate = Detectors {
        success_rate: Some(SuccessRate::default()),
        ..Detectors::default()
    };
    let percentage = Detectors {
        failure_percentage: Some(FailurePercentage::default()),
        ..Detectors::default()
    };
    // (requests, failures) of each instance.
    let fair = [(200, 2); 5];
    let bad = [(200, 2), (200, 0), (200, 2), (200, 1), (200, 180)];
    let idle = [(200, 2), (200, 0), (200, 2), (200, 1), (40, 40)];
    for (detectors, counts, out) in [
        (&rate, fair, vec![]),
        (&rate, bad, vec![4]),
        (&rate, idle, vec![]),
        (&percentage, fair, vec![]),
        (&percentage, bad, vec![4]),
        (&percentage, idle, vec![]),
    ] {
        let story = Story::of(5, detection(detectors.clone()));
        story.saw(0, &[WELL]);
        for (instance, (requests, failures)) in counts.iter().enumerate() {
            for number in 0..*requests {
                let fate = if number < *failures {
                    Fate::Status(500)
                } else {
                    WELL
                };
                story.saw(instance, &[fate]);
            }
        }
        assert!(story.out().is_empty(), "before the interval is over");
        tokio::time::advance(Duration::from_secs(10)).await;
        story.saw(0, &[WELL]);
        assert_eq!(story.out(), out, "{detectors:?} {counts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_left_out_gets_nothing_unless_too_few_are_well() {
    let total = Detectors {
        total_failures: number(1),
        ..Detectors::default()
    };
    let story = Story::of(4, detection(total));
    let firsts = || {
        let firsts = (0..8).filter_map(|_| story.cluster.in_turn(None).next());
        let firsts: std::collections::BTreeSet<&str> = firsts.map(|one| &*one.host).collect();
        firsts.len()
    };
    assert_eq!(firsts(), 4);
    for (instance, used) in [(0, 3), (1, 2), (2, 4)] {
        story.saw(instance, &[Fate::Broken]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(firsts(), used, "{instance}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_told_of_the_last_instance() {
    let late = Detectors {
        total_failures: number(1),
        ..Detectors::default()
    };
    let story = Story::of(2, detection(late));
    let trying = Trying::default();
    story.judge(Some(&trying)).late();
    assert!(story.out().is_empty());
    story.judge(Some(&trying)).begins(story.pool(0));
    story.judge(Some(&trying)).begins(story.pool(1));
    story.judge(Some(&trying)).late();
    assert_eq!(story.out(), [1]);
}
