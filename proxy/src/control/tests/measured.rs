//! What goes through a proxy is told to a meshd that asks, by the configuration that it went through under.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_bundle::Digest;
use mesh_delivery::Report;

use super::Running;
use super::meshd::{FakeMeshd, configuration};

/// What was told under each configuration, until this holds of a report.
async fn until(
    meshd: &mut FakeMeshd,
    told: &mut BTreeMap<Digest, u32>,
    holds: impl Fn(&Report) -> bool,
) {
    let end = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let report = tokio::time::timeout_at(end, meshd.reports.recv()).await;
        let report = report.expect("a report in time").unwrap();
        if let Report::Traffic { traffic, .. } = &report {
            *told.entry(traffic.root).or_default() += traffic.both.inbound.failures;
        }
        if holds(&report) {
            return;
        }
    }
}

#[tokio::test]
async fn traffic_is_told_by_the_configuration_that_it_went_through_under() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    let often = Duration::from_millis(500);
    let first = meshd.want_measured("r1", configuration("web-1", None, 5), often);
    let proxy = Running::start(&meshd, directory.path());
    let mut told = BTreeMap::new();
    let acked = |root: Digest| move |report: &Report| matches!(report, Report::Acked { root: held, .. } if *held == root);
    let traffic = |report: &Report| matches!(report, Report::Traffic { .. });
    let fails = |count: u32| proxy.counted.lock().unwrap().inbound.failures += count;
    until(&mut meshd, &mut told, acked(first)).await;
    fails(3);
    until(&mut meshd, &mut told, traffic).await;
    assert_eq!(told, [(first, 3)].into());
    // With the next configuration, what is not told yet is told of the one before.
    fails(2);
    let second = meshd.want_measured("r2", configuration("web-1", None, 6), often);
    until(&mut meshd, &mut told, acked(second)).await;
    assert_eq!(told, [(first, 5)].into());
    fails(4);
    until(&mut meshd, &mut told, traffic).await;
    assert_eq!(told, [(first, 5), (second, 4)].into());
    proxy.kill().await;
}
