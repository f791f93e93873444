//! `MeshCircuitBreaker`: how much at once, and which instances are left out (language 5.7).
//!
//! Never counts anything: limits are per proxy and port.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};

use super::scalar::{Percentage, TimeSpan};
use super::target_ref::TargetRef;
use super::{Body, Check, KindInfo, Scope, Spec, WHOLE_DESTINATIONS, conf, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshCircuitBreaker",
    short: "mcb",
    to: WHOLE_DESTINATIONS,
    example: include_str!("mesh_circuit_breaker/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: true,
    schema: schema::of::<MeshCircuitBreaker>,
    parse: |body, check| {
        let spec: MeshCircuitBreaker = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshCircuitBreaker)
    },
};

/// How much at once, and which instances are left out: `to` protects a proxy from a destination, `rules` protect its
/// workload. One document may have both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshCircuitBreaker {
    /// Whose proxies: `Mesh` or `Dataplane`; with `rules`, `sectionName` selects one inbound. Default: `Mesh`.
    pub(crate) target_ref: Option<TargetRef>,
    /// By destination: `Mesh`, `MeshService`, `MeshExternalService` or `MeshMultiZoneService`.
    #[serde(default)]
    pub(crate) to: Vec<BreakerTo>,
    /// For what the proxies receive.
    #[serde(default)]
    pub(crate) rules: Vec<BreakerRule>,
}

/// Limits towards a destination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BreakerTo {
    /// Which destinations. Required.
    pub(crate) target_ref: Option<TargetRef>,
    /// The limits. Required.
    pub(crate) default: Option<BreakerConf>,
}

/// Limits of what is received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BreakerRule {
    /// The limits. Required.
    pub(crate) default: Option<BreakerConf>,
}

/// Limits. At least one of the two has to be set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct BreakerConf {
    /// How much at once.
    pub(crate) connection_limits: Option<ConnectionLimits>,
    /// Which instances are left out for a while.
    pub(crate) outlier_detection: Option<OutlierDetection>,
}

/// How much at once; each more than zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ConnectionLimits {
    /// Connections. Built in: 1024.
    pub(crate) max_connections: Option<u32>,
    /// Pools of connections. Built in: no limit. No effect yet.
    pub(crate) max_connection_pools: Option<u32>,
    /// Requests that wait for a connection. Built in: 1024.
    pub(crate) max_pending_requests: Option<u32>,
    /// Retries. Built in: 3.
    pub(crate) max_retries: Option<u32>,
    /// How many requests are sent again within ten seconds, at most, whatever a `MeshRetry` asks for.
    pub(crate) retry_budget: Option<RetryBudget>,
    /// Requests. Built in: 1024.
    pub(crate) max_requests: Option<u32>,
}

/// How many requests are sent again, so that an outage is not multiplied. At least one of the two has to be set. Other
/// tools of this language do not know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct RetryBudget {
    /// Of the requests of the last ten seconds, 0 to 100 percent. Built in: 20.
    pub(crate) percent: Option<u32>,
    /// And so many more for each second. Built in: 10.
    pub(crate) min_retries_per_second: Option<u32>,
}

/// Which instances are left out for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct OutlierDetection {
    /// Switches it off. Default: `false`.
    pub(crate) disabled: Option<bool>,
    /// How often instances are judged, more than zero. Built in: `10s`.
    pub(crate) interval: Option<TimeSpan>,
    /// How long an instance is left out, times how often it was; more than zero. Built in: `30s`.
    pub(crate) base_ejection_time: Option<TimeSpan>,
    /// How many of the instances may be left out, 0 to 100 percent; one always may. Built in: 10.
    pub(crate) max_ejection_percent: Option<u32>,
    /// Are failures to connect counted apart from responses? Default: `false`.
    pub(crate) split_external_and_local_errors: Option<bool>,
    /// Below this share of healthy instances all are used, 0 to 100 percent. Built in: 50.
    pub(crate) healthy_panic_threshold: Option<Percentage>,
    /// By what instances are judged; only what is given is active. Required.
    pub(crate) detectors: Option<Detectors>,
}

/// By what instances are judged. At least one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Detectors {
    /// Responses 5xx, and failures to connect.
    pub(crate) total_failures: Option<Consecutive>,
    /// Responses 502, 503 and 504.
    pub(crate) gateway_failures: Option<Consecutive>,
    /// Failures to connect, where they are counted apart.
    pub(crate) local_origin_failures: Option<Consecutive>,
    /// Instances that fail more often than others.
    pub(crate) success_rate: Option<SuccessRate>,
    /// Instances that fail too often.
    pub(crate) failure_percentage: Option<FailurePercentage>,
}

/// Failures in a row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Consecutive {
    /// How many, more than zero. Built in: 5.
    pub(crate) consecutive: Option<u32>,
}

/// Compared with the other instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SuccessRate {
    /// With fewer instances nothing is judged; more than zero. Built in: 5.
    pub(crate) minimum_hosts: Option<u32>,
    /// An instance with fewer requests is not judged; more than zero. Built in: 100.
    pub(crate) request_volume: Option<u32>,
    /// How many standard deviations below the mean, more than zero. Built in: `"1.9"`.
    pub(crate) standard_deviation_factor: Option<Percentage>,
}

/// Compared with a threshold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct FailurePercentage {
    /// With fewer instances nothing is judged; more than zero. Built in: 5.
    pub(crate) minimum_hosts: Option<u32>,
    /// An instance with fewer requests is not judged; more than zero. Built in: 50.
    pub(crate) request_volume: Option<u32>,
    /// The share of failures, 0 to 100 percent. Built in: 85.
    pub(crate) threshold: Option<u32>,
}

impl MeshCircuitBreaker {
    fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), !self.rules.is_empty(), check);
        let spec = Pointer::default();
        let items = [
            ("to", !self.to.is_empty()),
            ("rules", !self.rules.is_empty()),
        ];
        conf::any_of(&items, &spec, check);
        for (index, to) in self.to.iter().enumerate() {
            let at = spec.field("to").index(index);
            let target = to.target_ref.as_ref();
            TargetRef::check_item(target, &at.field("targetRef"), KIND.to, check);
            BreakerConf::check(to.default.as_ref(), &at.field("default"), check);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let at = spec.field("rules").index(index).field("default");
            BreakerConf::check(rule.default.as_ref(), &at, check);
            let conf = rule.default.as_ref();
            if conf.is_some_and(|conf| conf.outlier_detection.is_some()) {
                let at = at.field("outlierDetection");
                check.not_implemented(&at, "a proxy has one workload, which is never left out");
            }
            let limits = conf.and_then(|conf| conf.connection_limits.as_ref());
            if limits.is_some_and(|limits| limits.retry_budget.is_some()) {
                let at = at.field("connectionLimits").field("retryBudget");
                let message =
                    "`retryBudget` has no effect on what is received: only clients send again";
                check
                    .warn(Code::NO_EFFECT, &at, message)
                    .help("put it under `to`");
            }
        }
    }
}

impl BreakerConf {
    fn check(conf: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let empty = Self::default();
        let found = conf.unwrap_or(&empty);
        let sections = [
            ("connectionLimits", found.connection_limits.is_some()),
            ("outlierDetection", found.outlier_detection.is_some()),
        ];
        conf::any_of(&sections, at, check);
        if let Some(limits) = &found.connection_limits {
            limits.check(&at.field("connectionLimits"), check);
        }
        if let Some(detection) = &found.outlier_detection {
            detection.check(&at.field("outlierDetection"), check);
        }
    }
}

impl ConnectionLimits {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let limits = [
            ("maxConnections", self.max_connections),
            ("maxConnectionPools", self.max_connection_pools),
            ("maxPendingRequests", self.max_pending_requests),
            ("maxRetries", self.max_retries),
            ("maxRequests", self.max_requests),
        ];
        for (field, limit) in limits {
            conf::above_zero(limit, &at.field(field), check);
        }
        if self.max_connection_pools.is_some() {
            let at = at.field("maxConnectionPools");
            check.not_implemented(&at, "pools are not limited");
        }
        if let Some(budget) = &self.retry_budget {
            let at = at.field("retryBudget");
            let members = [
                ("percent", budget.percent.is_some()),
                (
                    "minRetriesPerSecond",
                    budget.min_retries_per_second.is_some(),
                ),
            ];
            conf::any_of(&members, &at, check);
            conf::between(budget.percent, (0, 100), &at.field("percent"), check);
        }
    }
}

impl OutlierDetection {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        conf::span_above_zero(self.interval, &at.field("interval"), check);
        let ejection = at.field("baseEjectionTime");
        conf::span_above_zero(self.base_ejection_time, &ejection, check);
        let percent = at.field("maxEjectionPercent");
        conf::between(self.max_ejection_percent, (0, 100), &percent, check);
        if let Some(threshold) = &self.healthy_panic_threshold {
            threshold.check(&at.field("healthyPanicThreshold"), check);
        }
        let at = at.field("detectors");
        match &self.detectors {
            Some(detectors) => {
                detectors.check(&at, check);
                if detectors.local_origin_failures.is_some() && !self.counts_apart() {
                    let at = at.field("localOriginFailures");
                    let message = "`localOriginFailures` has no effect: failures to connect are not counted apart";
                    check
                        .warn(Code::NO_EFFECT, &at, message)
                        .help("set `splitExternalAndLocalErrors: true` beside `detectors`, or use `totalFailures`, which counts them too");
                }
            }
            None => {
                check.missing(&at);
            }
        }
    }
}

impl OutlierDetection {
    fn counts_apart(&self) -> bool {
        self.split_external_and_local_errors == Some(true)
    }
}

impl Detectors {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let in_a_row = [
            ("totalFailures", &self.total_failures),
            ("gatewayFailures", &self.gateway_failures),
            ("localOriginFailures", &self.local_origin_failures),
        ];
        let mut members: Vec<(&str, bool)> = in_a_row
            .iter()
            .map(|(name, detector)| (*name, detector.is_some()))
            .collect();
        members.push(("successRate", self.success_rate.is_some()));
        members.push(("failurePercentage", self.failure_percentage.is_some()));
        conf::any_of(&members, at, check);
        for (name, detector) in in_a_row {
            let number = detector.as_ref().and_then(|found| found.consecutive);
            conf::above_zero(number, &at.field(name).field("consecutive"), check);
        }
        if let Some(rate) = &self.success_rate {
            let at = at.field("successRate");
            check_volume(rate.minimum_hosts, rate.request_volume, &at, check);
            if let Some(factor) = &rate.standard_deviation_factor {
                factor.check_above_zero(&at.field("standardDeviationFactor"), check);
            }
        }
        if let Some(percentage) = &self.failure_percentage {
            let at = at.field("failurePercentage");
            check_volume(
                percentage.minimum_hosts,
                percentage.request_volume,
                &at,
                check,
            );
            conf::between(
                percentage.threshold,
                (0, 100),
                &at.field("threshold"),
                check,
            );
        }
    }
}

fn check_volume(hosts: Option<u32>, volume: Option<u32>, at: &Pointer, check: &mut Check<'_>) {
    conf::above_zero(hosts, &at.field("minimumHosts"), check);
    conf::above_zero(volume, &at.field("requestVolume"), check);
}
