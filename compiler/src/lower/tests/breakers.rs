//! Limits and detectors, towards a service and of what is received.

use mesh_bundle::resource::{CircuitBreaker, ConnectionLimits};

use super::*;

/// `connections pending requests retries`.
pub(super) fn limits(breaker: &CircuitBreaker) -> String {
    let ConnectionLimits {
        max_connections,
        max_connection_pools: _,
        max_pending_requests,
        max_requests,
        max_retries,
        retry_budget: _,
    } = &breaker.limits;
    let all = [
        max_connections,
        max_pending_requests,
        max_requests,
        max_retries,
    ];
    all.map(at).join(" ")
}

#[test]
fn limits_follow_the_service_that_receives_the_request() {
    let route = "type: MeshHTTPRoute\nname: r\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}, sectionName: http}\n      rules:\n        - matches: [{path: {type: PathPrefix, value: /v2}}]\n          default: {backendRefs: [{kind: MeshService, labels: {kuma.io/display-name: api-v2}, port: 80}]}\n".to_owned();
    let target = "{kind: MeshService, labels: {kuma.io/display-name: api-v2}}";
    let compiled = carried(&[
        route,
        to(
            "MeshCircuitBreaker",
            "b",
            target,
            "{connectionLimits: {maxRequests: 7, maxConnectionPools: 2}}",
        ),
    ]);
    let clusters = config(&compiled, "web-1").clusters;
    let breaker = |service: &str| {
        let cluster = &clusters[&port(service, "http")];
        cluster.circuit_breaker.clone().unwrap()
    };
    assert_eq!(limits(&breaker("api")), "1024@- 1024@- 1024@- 3@-");
    assert_eq!(limits(&breaker("api-v2")), "1024@- 1024@- 7@13 3@-");
    let pools = &breaker("api-v2").limits.max_connection_pools;
    assert_eq!(at(pools.as_ref().unwrap()), "2@13");
}

#[test]
fn retries_have_a_budget_where_nothing_is_written_too() {
    let breaker = |conf: &str| {
        let compiled = carried(&[to("MeshCircuitBreaker", "b", API, conf)]);
        let cluster = &config(&compiled, "web-1").clusters[&port("api", "http")];
        cluster.circuit_breaker.clone().unwrap()
    };
    let budget = |conf: &str| {
        let budget = breaker(conf).limits.retry_budget;
        [at(&budget.percent), at(&budget.min_per_second)].join(" ")
    };
    assert_eq!(budget("{connectionLimits: {maxRequests: 7}}"), "20@= 10@=");
    assert_eq!(
        budget("{connectionLimits: {retryBudget: {percent: 5}}}"),
        "5@4 10@="
    );
    assert_eq!(
        budget("{connectionLimits: {retryBudget: {percent: 0, minRetriesPerSecond: 0}}}"),
        "0@4 0@4"
    );
    assert_eq!(
        CircuitBreaker::default().limits.retry_budget.percent.value,
        20
    );
}

#[test]
fn only_the_detectors_that_are_named_are_active() {
    let conf = "{outlierDetection: {interval: 5s, maxEjectionPercent: 50, healthyPanicThreshold: '12.5', detectors: {totalFailures: {consecutive: 7}, gatewayFailures: {}, successRate: {standardDeviationFactor: '1.25'}}}}";
    let compiled = carried(&[to("MeshCircuitBreaker", "b", API, conf)]);
    let cluster = &config(&compiled, "web-1").clusters[&port("api", "http")];
    let breaker = cluster.circuit_breaker.as_deref().unwrap();
    assert_eq!(at(&breaker.healthy_panic_threshold), "125000@4");
    let detection = breaker.detection().unwrap();
    assert_eq!(at(&detection.interval), "5s@4");
    assert_eq!(at(&detection.base_ejection_time), "30s@=");
    assert_eq!(at(&detection.max_ejection_percent), "50@4");
    let detectors = &detection.detectors;
    assert_eq!(at(detectors.total_failures.as_ref().unwrap()), "7@4");
    assert_eq!(at(detectors.gateway_failures.as_ref().unwrap()), "5@=");
    assert_eq!(detectors.local_origin_failures, None);
    assert_eq!(detectors.failure_percentage, None);
    let rate = detectors.success_rate.as_ref().unwrap();
    assert_eq!(at(&rate.standard_deviation_factor), "1250000@4");
    assert_eq!(at(&rate.request_volume), "100@=");
}

/// The threshold below which all instances are used is about health checks too (language 8.1).
#[test]
fn the_panic_threshold_outlives_the_detection() {
    let off = "{outlierDetection: {disabled: true, healthyPanicThreshold: 0, detectors: {totalFailures: {}}}}";
    let on = "{outlierDetection: {detectors: {totalFailures: {consecutive: 2}}}}";
    let compiled = carried(&[
        to("MeshCircuitBreaker", "a", API, off),
        to("MeshCircuitBreaker", "b", MESH, on),
    ]);
    let cluster = &config(&compiled, "web-1").clusters[&port("api", "http")];
    let breaker = cluster.circuit_breaker.as_deref().unwrap();
    assert_eq!(breaker.detection(), None);
    assert_eq!(at(&breaker.healthy_panic_threshold), "0@4");
    let kept = breaker.outlier_detection.as_ref().unwrap();
    assert_eq!(at(&kept.disabled), "true@4");
    let failures = kept.detectors.total_failures.as_ref().unwrap();
    assert_eq!(at(failures), "2@9");
}

#[test]
fn what_a_workload_receives_is_limited_by_rules() {
    let rules = |name: &str, target: &str, default: &str| {
        format!(
            "type: MeshCircuitBreaker\nname: {name}\nspec:\n  targetRef: {target}\n  rules: [{{default: {default}}}]\n"
        )
    };
    let compiled = carried(&[
        rules(
            "all",
            "{kind: Dataplane, labels: {app: api}}",
            "{connectionLimits: {maxConnections: 9, maxRequests: 8}}",
        ),
        rules(
            "one",
            "{kind: Dataplane, labels: {app: api}, sectionName: admin}",
            "{connectionLimits: {maxRequests: 1}}",
        ),
    ]);
    let limits_of = |proxy: &str, section: &str| {
        let (_, policy) = &config(&compiled, proxy).inbounds[section];
        policy.circuit_breaker.as_deref().map(limits)
    };
    let limits_of = |proxy, section| limits_of(proxy, section).unwrap_or_default();
    assert_eq!(limits_of("api-1", "http"), "9@5 1024@= 8@5 3@=");
    assert_eq!(limits_of("api-1", "admin"), "9@5 1024@= 1@11 3@=");
    assert_eq!(limits_of("db-1", "sql"), "");
}
