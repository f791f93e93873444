//! When it is time for a probe, and what follows from its result.

use mesh_bundle::Sourced;
use mesh_bundle::resource::TcpProbe;
use tokio::time::advance;

use super::*;

fn check() -> HealthCheck {
    let seconds = |seconds| Sourced::built_in(mesh_bundle::Duration::from_secs(seconds));
    HealthCheck {
        interval: seconds(5),
        no_traffic_interval: seconds(60),
        unhealthy_threshold: Sourced::built_in(3),
        healthy_threshold: Sourced::built_in(2),
        ..HealthCheck::new(Probe::Tcp(TcpProbe::default()))
    }
}

#[test]
fn so_many_results_in_a_row_change_what_is_taken_for_true() {
    let (check, findings) = (check(), Findings::default());
    let found = |results: &[bool]| {
        let found: Vec<_> = results
            .iter()
            .map(|well| findings.found(*well, &check).0)
            .collect();
        (found.last().copied().flatten(), findings.is_unhealthy())
    };
    assert_eq!(found(&[false, false, true, false, false]), (None, false));
    assert_eq!(found(&[false]), (Some(false), true));
    assert_eq!(found(&[false, true, false, true]), (None, true));
    assert_eq!(found(&[true]), (Some(true), false));
}

#[test]
fn the_first_failure_of_several_is_known() {
    let (check, findings) = (check(), Findings::default());
    let firsts =
        [false, false, true, false, false, false, false].map(|well| findings.found(well, &check).1);
    assert_eq!(firsts, [true, false, false, true, false, false, false]);
}

#[tokio::test(start_paused = true)]
async fn one_probe_at_a_time_and_more_of_them_where_there_is_traffic() {
    let (check, findings) = (check(), Findings::default());
    let due = || findings.begin(&check, Instant::now()).0;
    assert!(due());
    advance(Duration::from_secs(61)).await;
    assert!(!due(), "the first one is under way");
    findings.end();
    assert!(due());
    findings.end();
    findings.sent_traffic();
    advance(Duration::from_secs(59)).await;
    assert!(!due(), "it was planned before there was traffic");
    advance(Duration::from_secs(1)).await;
    assert!(due());
    findings.end();
    advance(Duration::from_secs(5)).await;
    assert!(due());
}

#[tokio::test(start_paused = true)]
async fn jitter_is_within_its_bounds() {
    let jittered = HealthCheck {
        no_traffic_interval: check().interval,
        initial_jitter: Some(check().interval),
        interval_jitter_percent: Some(Sourced::built_in(100)),
        ..check()
    };
    for _ in 0..100 {
        let findings = Findings::default();
        let now = Instant::now();
        let (_, first) = findings.begin(&jittered, now);
        assert!(first <= now + Duration::from_secs(5) + SHORTEST);
        advance(Duration::from_secs(6)).await;
        let now = Instant::now();
        let (due, next) = findings.begin(&jittered, now);
        let wait = next - now;
        assert!(
            due && wait >= Duration::from_secs(5) && wait <= Duration::from_secs(10),
            "{wait:?}"
        );
    }
}
