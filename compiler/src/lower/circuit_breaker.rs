//! How much at once and which instances are left out, each value with what set it (language 5.7).
//!
//! Never adds a detector: only those that a policy names are active.

use mesh_bundle::Sourced;
use mesh_bundle::resource::{
    CircuitBreaker, ConnectionLimits, Detectors, FailurePercentage, OutlierDetection, RetryBudget,
    SuccessRate,
};
use serde_json::Value;

use crate::kinds::scalar::Percentage;

use super::leaf::{Leaves, plain};

const DETECTION: &str = "outlierDetection";

/// The effective limits of a merged conf; `None` where no policy says anything.
pub(super) fn circuit_breaker(mut leaves: Leaves<'_>) -> Option<Box<CircuitBreaker>> {
    if leaves.merged.value.is_empty() {
        return None;
    }
    let built_in = CircuitBreaker::default();
    let threshold = leaves.read(
        &[DETECTION, "healthyPanicThreshold"],
        "healthyPanicThreshold",
        |value| decimal(value)?.parts_per_million(),
        |value| format!("{} %", plain(value)),
    );
    Some(Box::new(CircuitBreaker {
        limits: limits(&mut leaves),
        healthy_panic_threshold: threshold.unwrap_or(built_in.healthy_panic_threshold),
        outlier_detection: detection(&mut leaves),
    }))
}

fn limits(leaves: &mut Leaves<'_>) -> ConnectionLimits {
    let built_in = ConnectionLimits::default();
    let mut get = |name: &str| -> Option<Sourced<u32>> {
        leaves.value(&["connectionLimits", name], &format!("limits/{name}"))
    };
    ConnectionLimits {
        max_connections: get("maxConnections").unwrap_or(built_in.max_connections),
        max_connection_pools: get("maxConnectionPools"),
        max_pending_requests: get("maxPendingRequests").unwrap_or(built_in.max_pending_requests),
        max_requests: get("maxRequests").unwrap_or(built_in.max_requests),
        max_retries: get("maxRetries").unwrap_or(built_in.max_retries),
        retry_budget: retry_budget(leaves, built_in.retry_budget),
    }
}

fn retry_budget(leaves: &mut Leaves<'_>, built_in: RetryBudget) -> RetryBudget {
    let path = |name| ["connectionLimits", "retryBudget", name];
    let percent = leaves.value(&path("percent"), "limits/retryBudget/percent");
    let floor = leaves.value(
        &path("minRetriesPerSecond"),
        "limits/retryBudget/minPerSecond",
    );
    RetryBudget {
        percent: percent.unwrap_or(built_in.percent),
        min_per_second: floor.unwrap_or(built_in.min_per_second),
    }
}

fn detection(leaves: &mut Leaves<'_>) -> Option<Box<OutlierDetection>> {
    leaves.merged.leaf(&[DETECTION])?.as_object()?;
    let built_in = OutlierDetection::default();
    let place = |name: &str| format!("{DETECTION}/{name}");
    let disabled = leaves.value(&[DETECTION, "disabled"], &place("disabled"));
    let interval = leaves.duration(&[DETECTION, "interval"], &place("interval"));
    let ejection = leaves.duration(&[DETECTION, "baseEjectionTime"], &place("baseEjectionTime"));
    let percent = leaves.value(
        &[DETECTION, "maxEjectionPercent"],
        &place("maxEjectionPercent"),
    );
    let split = leaves.value(
        &[DETECTION, "splitExternalAndLocalErrors"],
        &place("splitExternalAndLocalErrors"),
    );
    Some(Box::new(OutlierDetection {
        disabled: disabled.unwrap_or(built_in.disabled),
        interval: interval.unwrap_or(built_in.interval),
        base_ejection_time: ejection.unwrap_or(built_in.base_ejection_time),
        max_ejection_percent: percent.unwrap_or(built_in.max_ejection_percent),
        split_external_and_local_errors: split.unwrap_or(built_in.split_external_and_local_errors),
        detectors: detectors(leaves),
    }))
}

fn detectors(leaves: &mut Leaves<'_>) -> Detectors {
    Detectors {
        total_failures: consecutive(leaves, "totalFailures"),
        gateway_failures: consecutive(leaves, "gatewayFailures"),
        local_origin_failures: consecutive(leaves, "localOriginFailures"),
        success_rate: success_rate(leaves),
        failure_percentage: failure_percentage(leaves),
    }
}

/// A detector that is named is active, with or without numbers of its own.
fn is_named(leaves: &Leaves<'_>, detector: &str) -> bool {
    let found = leaves.merged.leaf(&[DETECTION, "detectors", detector]);
    found.is_some_and(Value::is_object)
}

fn consecutive(leaves: &mut Leaves<'_>, detector: &str) -> Option<Sourced<u32>> {
    if !is_named(leaves, detector) {
        return None;
    }
    let path = [DETECTION, "detectors", detector, "consecutive"];
    let place = format!("{DETECTION}/detectors/{detector}");
    let found = leaves.value(&path, &place);
    Some(found.unwrap_or(Sourced::built_in(Detectors::CONSECUTIVE)))
}

fn success_rate(leaves: &mut Leaves<'_>) -> Option<SuccessRate> {
    if !is_named(leaves, "successRate") {
        return None;
    }
    let built_in = SuccessRate::default();
    let path = |name| [DETECTION, "detectors", "successRate", name];
    let place = |name: &str| format!("{DETECTION}/detectors/successRate/{name}");
    let hosts = leaves.value(&path("minimumHosts"), &place("minimumHosts"));
    let volume = leaves.value(&path("requestVolume"), &place("requestVolume"));
    let factor = leaves.read(
        &path("standardDeviationFactor"),
        &place("standardDeviationFactor"),
        |value| decimal(value)?.millionths(),
        plain,
    );
    Some(SuccessRate {
        minimum_hosts: hosts.unwrap_or(built_in.minimum_hosts),
        request_volume: volume.unwrap_or(built_in.request_volume),
        standard_deviation_factor: factor.unwrap_or(built_in.standard_deviation_factor),
    })
}

fn failure_percentage(leaves: &mut Leaves<'_>) -> Option<FailurePercentage> {
    if !is_named(leaves, "failurePercentage") {
        return None;
    }
    let built_in = FailurePercentage::default();
    let path = |name| [DETECTION, "detectors", "failurePercentage", name];
    let place = |name: &str| format!("{DETECTION}/detectors/failurePercentage/{name}");
    let hosts = leaves.value(&path("minimumHosts"), &place("minimumHosts"));
    let volume = leaves.value(&path("requestVolume"), &place("requestVolume"));
    let threshold = leaves.value(&path("threshold"), &place("threshold"));
    Some(FailurePercentage {
        minimum_hosts: hosts.unwrap_or(built_in.minimum_hosts),
        request_volume: volume.unwrap_or(built_in.request_volume),
        threshold: threshold.unwrap_or(built_in.threshold),
    })
}

fn decimal(value: &Value) -> Option<Percentage> {
    serde_json::from_value(value.clone()).ok()
}
