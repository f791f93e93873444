//! How much at once, and which instances are left out for a while (language 5.7).
//!
//! Never counts: limits are per proxy and service port, or per inbound, and whoever forwards counts against them.

use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::origin::Sourced;

/// The limits of one service port or one inbound. Where there is none, its [`Default`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CircuitBreaker {
    /// How much at once.
    pub limits: ConnectionLimits,
    /// Below this share of instances that are well, all are used. In millionths, 0 to 1,000,000. Holds for what health
    /// checks find too, so it counts where outlier detection is off.
    pub healthy_panic_threshold: Sourced<u32>,
    /// `None`: no instance is ever left out for its failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outlier_detection: Option<Box<OutlierDetection>>,
}

/// How much at once; each is 1 or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionLimits {
    /// Connections. One more is closed where bytes are forwarded; a request waits for one of those that are there.
    pub max_connections: Sourced<u32>,
    /// Pools of connections. `None`: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connection_pools: Option<Sourced<u32>>,
    /// Requests that wait for a connection. One more is answered with 503.
    pub max_pending_requests: Sourced<u32>,
    /// Requests on their way. One more is answered with 503.
    pub max_requests: Sourced<u32>,
    /// Requests on their way that were sent before. One more is not sent again.
    pub max_retries: Sourced<u32>,
    /// How many requests may be sent again, whoever asks for it.
    #[serde(default, skip_serializing_if = "RetryBudget::is_built_in")]
    pub retry_budget: RetryBudget,
}

/// How many requests are sent again in any [`RetryBudget::WINDOW`], at most: so an outage is not multiplied by those who wait
/// for its end, however often a policy lets them try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryBudget {
    /// Of the requests in that time, 0 to 100 percent.
    pub percent: Sourced<u8>,
    /// And so many more for each of its seconds, so that a service with few requests is helped too.
    pub min_per_second: Sourced<u32>,
}

/// When an instance is left out, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierDetection {
    /// Nothing of it holds; kept so that one can see what switched it off.
    pub disabled: Sourced<bool>,
    /// How often instances that were left out are let in again, and shares are judged; never zero.
    pub interval: Sourced<Duration>,
    /// How long an instance is left out the first time; times how often it was. Never zero.
    pub base_ejection_time: Sourced<Duration>,
    /// How many of the instances may be left out, 0 to 100 percent; one always may.
    pub max_ejection_percent: Sourced<u8>,
    /// Failures to connect do not count as responses 5xx, but for `local_origin_failures` alone.
    pub split_external_and_local_errors: Sourced<bool>,
    /// By what instances are judged.
    pub detectors: Detectors,
}

/// By what instances are judged; what is `None` is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Detectors {
    /// So many responses 5xx or failures to connect in a row; 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_failures: Option<Sourced<u32>>,
    /// So many responses 502, 503 or 504 in a row; 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_failures: Option<Sourced<u32>>,
    /// So many failures to connect in a row, where they are counted apart; 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_origin_failures: Option<Sourced<u32>>,
    /// Fewer successes than others have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<SuccessRate>,
    /// Too large a share of failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_percentage: Option<FailurePercentage>,
}

/// Instances compared with each other, once in an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuccessRate {
    /// With fewer instances nothing is judged; 1 or more.
    pub minimum_hosts: Sourced<u32>,
    /// An instance with fewer requests in the interval is not judged; 1 or more.
    pub request_volume: Sourced<u32>,
    /// How many standard deviations below the mean, in millionths; 1 or more.
    pub standard_deviation_factor: Sourced<u64>,
}

/// Instances compared with a threshold, once in an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailurePercentage {
    /// With fewer instances nothing is judged; 1 or more.
    pub minimum_hosts: Sourced<u32>,
    /// An instance with fewer requests in the interval is not judged; 1 or more.
    pub request_volume: Sourced<u32>,
    /// From this share of failures an instance is left out, 0 to 100 percent.
    pub threshold: Sourced<u8>,
}

impl CircuitBreaker {
    /// What instances are judged by, unless that is off.
    #[must_use]
    pub fn detection(&self) -> Option<&OutlierDetection> {
        let detection = self.outlier_detection.as_deref();
        detection.filter(|detection| !detection.disabled.value)
    }
}

impl Default for CircuitBreaker {
    /// The built-in values of language 4.13 and 5.7.
    fn default() -> Self {
        Self {
            limits: ConnectionLimits::default(),
            healthy_panic_threshold: Sourced::built_in(500_000),
            outlier_detection: None,
        }
    }
}

impl Default for ConnectionLimits {
    /// The built-in values of language 4.13.
    fn default() -> Self {
        Self {
            max_connections: Sourced::built_in(1_024),
            max_connection_pools: None,
            max_pending_requests: Sourced::built_in(1_024),
            max_requests: Sourced::built_in(1_024),
            max_retries: Sourced::built_in(3),
            retry_budget: RetryBudget::default(),
        }
    }
}

impl RetryBudget {
    /// What is counted: the last ten seconds.
    pub const WINDOW: Duration = Duration::from_secs(10);

    /// No policy says anything.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for RetryBudget {
    /// Finagle's and linkerd's: a fifth, and ten for each second.
    fn default() -> Self {
        Self {
            percent: Sourced::built_in(20),
            min_per_second: Sourced::built_in(10),
        }
    }
}

impl Default for OutlierDetection {
    /// The built-in values of language 5.7, without a detector.
    fn default() -> Self {
        Self {
            disabled: Sourced::built_in(false),
            interval: Sourced::built_in(Duration::from_secs(10)),
            base_ejection_time: Sourced::built_in(Duration::from_secs(30)),
            max_ejection_percent: Sourced::built_in(10),
            split_external_and_local_errors: Sourced::built_in(false),
            detectors: Detectors::default(),
        }
    }
}

impl Detectors {
    /// How many failures in a row, where a detector is named without a number (language 5.7).
    pub const CONSECUTIVE: u32 = 5;
}

impl Default for SuccessRate {
    /// The built-in values of language 5.7.
    fn default() -> Self {
        Self {
            minimum_hosts: Sourced::built_in(5),
            request_volume: Sourced::built_in(100),
            standard_deviation_factor: Sourced::built_in(1_900_000),
        }
    }
}

impl Default for FailurePercentage {
    /// The built-in values of language 5.7.
    fn default() -> Self {
        Self {
            minimum_hosts: Sourced::built_in(5),
            request_volume: Sourced::built_in(50),
            threshold: Sourced::built_in(85),
        }
    }
}
