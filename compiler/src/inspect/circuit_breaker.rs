//! How much at once and which instances are left out, for people.
//!
//! Never shows a limit of requests where bytes are forwarded.

use mesh_bundle::resource::{CircuitBreaker, OutlierDetection, Protocol};
use mesh_bundle::{Key, Sourced};

use super::proxy::Telling;
use super::words;

/// Where the limits are in a resource.
const PLACE: &str = "circuitBreaker";

impl Telling<'_> {
    pub(super) fn circuit_breaker(
        &mut self,
        breaker: &CircuitBreaker,
        protocol: Protocol,
        key: &Key,
    ) {
        let limits = &breaker.limits;
        let rows = [
            (
                true,
                "connections",
                "maxConnections",
                Some(&limits.max_connections),
            ),
            (
                true,
                "pools",
                "maxConnectionPools",
                limits.max_connection_pools.as_ref(),
            ),
            (
                false,
                "pending",
                "maxPendingRequests",
                Some(&limits.max_pending_requests),
            ),
            (false, "requests", "maxRequests", Some(&limits.max_requests)),
            (false, "retries", "maxRetries", Some(&limits.max_retries)),
        ];
        for (for_bytes, name, field, limit) in rows {
            if let Some(limit) = limit.filter(|_| for_bytes || protocol.is_http()) {
                let limit = limit.map_ref(|limit| format!("at most {limit}"));
                self.value(1, name, &limit, key, &format!("{PLACE}/limits/{field}"));
            }
        }
        if protocol.is_http() {
            let budget = &limits.retry_budget;
            let percent = budget
                .percent
                .map_ref(|percent| format!("of the requests of ten seconds {percent} %"));
            let place = format!("{PLACE}/limits/retryBudget");
            self.value(1, "sent again", &percent, key, &format!("{place}/percent"));
            let floor = budget
                .min_per_second
                .map_ref(|floor| format!("and {floor} more each second"));
            self.value(1, "", &floor, key, &format!("{place}/minPerSecond"));
        }
        let threshold = &breaker.healthy_panic_threshold;
        if breaker.detection().is_some() || threshold.origin.is_some() {
            let share = threshold.map_ref(|share| words::percent(u64::from(*share), 1_000_000));
            let share = share.map_ref(|share| format!("below {share} healthy"));
            let place = format!("{PLACE}/healthyPanicThreshold");
            self.value(1, "panic", &share, key, &place);
        }
        if let Some(detection) = &breaker.outlier_detection {
            self.detection(detection, key);
        }
    }

    fn detection(&mut self, detection: &OutlierDetection, key: &Key) {
        let place = |field: &str| format!("{PLACE}/outlierDetection/{field}");
        if detection.disabled.value {
            let off = detection.disabled.map_ref(|_| "off");
            return self.value(1, "outliers", &off, key, &place("disabled"));
        }
        let interval = detection
            .interval
            .map_ref(|span| format!("judged every {span}"));
        self.value(1, "outliers", &interval, key, &place("interval"));
        let ejection = &detection.base_ejection_time;
        let ejection = ejection.map_ref(|span| format!("left out for {span}, then for longer"));
        self.value(1, "", &ejection, key, &place("baseEjectionTime"));
        let share = &detection.max_ejection_percent;
        let share = share.map_ref(|share| format!("at most {share} % left out"));
        self.value(1, "", &share, key, &place("maxEjectionPercent"));
        if detection.split_external_and_local_errors.origin.is_some() {
            let split = &detection.split_external_and_local_errors;
            let split = split.map_ref(|split| match split {
                true => "failures to connect counted apart",
                false => "failures to connect counted with responses",
            });
            self.value(1, "", &split, key, &place("splitExternalAndLocalErrors"));
        }
        self.detectors(detection, key);
    }

    fn detectors(&mut self, detection: &OutlierDetection, key: &Key) {
        let place = |field: &str| format!("{PLACE}/outlierDetection/detectors/{field}");
        let detectors = &detection.detectors;
        let in_a_row: [(&str, &str, &Option<Sourced<u32>>); 3] = [
            ("totalFailures", "failures", &detectors.total_failures),
            (
                "gatewayFailures",
                "responses 502, 503 or 504",
                &detectors.gateway_failures,
            ),
            (
                "localOriginFailures",
                "failures to connect",
                &detectors.local_origin_failures,
            ),
        ];
        for (field, what, number) in in_a_row {
            if let Some(number) = number {
                let number = number.map_ref(|number| format!("{number} {what} in a row"));
                self.value(1, "left out on", &number, key, &place(field));
            }
        }
        if let Some(rate) = &detectors.success_rate {
            let factor = rate.standard_deviation_factor.map_ref(|factor| {
                let factor = format!("{}.{:06}", factor / 1_000_000, factor % 1_000_000);
                let factor = factor.trim_end_matches('0').trim_end_matches('.');
                format!("{factor} deviations fewer successes than others")
            });
            let field = "successRate/standardDeviationFactor";
            self.value(1, "left out on", &factor, key, &place(field));
            self.volume(
                "successRate",
                (&rate.minimum_hosts, &rate.request_volume),
                key,
            );
        }
        if let Some(share) = &detectors.failure_percentage {
            let threshold = share
                .threshold
                .map_ref(|share| format!("{share} % failures"));
            let field = "failurePercentage/threshold";
            self.value(1, "left out on", &threshold, key, &place(field));
            self.volume(
                "failurePercentage",
                (&share.minimum_hosts, &share.request_volume),
                key,
            );
        }
    }

    /// From how many instances and requests on a detector judges.
    fn volume(
        &mut self,
        detector: &str,
        (hosts, requests): (&Sourced<u32>, &Sourced<u32>),
        key: &Key,
    ) {
        let place = |field: &str| format!("{PLACE}/outlierDetection/detectors/{detector}/{field}");
        let hosts = hosts.map_ref(|hosts| format!("from {hosts} instances on"));
        self.value(1, "", &hosts, key, &place("minimumHosts"));
        let requests = requests.map_ref(|requests| format!("from {requests} requests each on"));
        self.value(1, "", &requests, key, &place("requestVolume"));
    }
}
