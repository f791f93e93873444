//! How a proxy finds out which instances of a service port are well (language 5.9).
//!
//! Never more than one probe: which one fits the port has been chosen by the compiler.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::HeaderPair;
use crate::duration::Duration;
use crate::origin::Sourced;

/// When instances are probed, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// From the start of one probe to that of the next; never zero.
    pub interval: Sourced<Duration>,
    /// Instead of it, for an instance that has not been sent traffic yet; never zero.
    pub no_traffic_interval: Sourced<Duration>,
    /// A random wait before the first probe, at most this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_jitter: Option<Sourced<Duration>>,
    /// A random wait before each probe, at most this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_jitter: Option<Sourced<Duration>>,
    /// The same as a share of the interval, 0 to 100 percent; both together where both are set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_jitter_percent: Option<Sourced<u8>>,
    /// How long a probe may take; never zero.
    pub timeout: Sourced<Duration>,
    /// So many failures in a row make an instance unhealthy; 1 or more.
    pub unhealthy_threshold: Sourced<u32>,
    /// So many successes in a row make it healthy again; 1 or more.
    pub healthy_threshold: Sourced<u32>,
    /// Below the panic threshold requests fail, instead of going to any instance.
    pub fail_traffic_on_panic: Sourced<bool>,
    /// Are all probes of an instance sent on one connection?
    pub reuse_connection: Sourced<bool>,
    /// Is every failure logged, or the first of several in a row only?
    pub always_log_failures: Sourced<bool>,
    /// The absolute path of a file that changes of health are written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_log_path: Option<Sourced<String>>,
    /// What is sent, and what has to come back.
    pub probe: Probe,
}

/// What is sent, and what has to come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Probe {
    /// A connection, and bytes on it.
    Tcp(TcpProbe),
    /// A request.
    Http(HttpProbe),
    /// A call of the health protocol of gRPC.
    Grpc(GrpcProbe),
}

/// A connection, and bytes on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpProbe {
    /// `None`: an instance that accepts the connection is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<Sourced<Payload>>,
    /// What has to come back, in this order, whatever is in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive: Option<Sourced<Vec<Payload>>>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpProbe {
    /// Path and query of the `GET`.
    pub path: Sourced<String>,
    /// The statuses of an instance that is well, each 100 to 599.
    pub expected_statuses: Sourced<BTreeSet<u16>>,
    /// Headers of the request that replace those that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_headers: Option<Sourced<Vec<HeaderPair>>>,
    /// Headers of the request that come in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add_headers: Option<Sourced<Vec<HeaderPair>>>,
}

/// A call of `grpc.health.v1.Health/Check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcProbe {
    /// `None`: the server as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<Sourced<String>>,
    /// `None`: the name of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Sourced<String>>,
}

/// Bytes, written in base64 with padding (RFC 4648 4).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Payload(Vec<u8>);

/// A text that is no base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not in base64")]
pub struct MalformedPayload(pub String);

impl HealthCheck {
    /// With what is built in (language 5.9).
    #[must_use]
    pub fn new(probe: Probe) -> Self {
        let seconds = |seconds| Sourced::built_in(Duration::from_secs(seconds));
        Self {
            interval: seconds(60),
            no_traffic_interval: seconds(60),
            initial_jitter: None,
            interval_jitter: None,
            interval_jitter_percent: None,
            timeout: seconds(15),
            unhealthy_threshold: Sourced::built_in(5),
            healthy_threshold: Sourced::built_in(1),
            fail_traffic_on_panic: Sourced::built_in(false),
            reuse_connection: Sourced::built_in(true),
            always_log_failures: Sourced::built_in(false),
            event_log_path: None,
            probe,
        }
    }
}

impl Default for HttpProbe {
    /// With what is built in (language 5.9): 200 for `/`.
    fn default() -> Self {
        Self {
            path: Sourced::built_in("/".to_owned()),
            expected_statuses: Sourced::built_in(BTreeSet::from([200])),
            set_headers: None,
            add_headers: None,
        }
    }
}

impl Payload {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Payload {
    type Err = MalformedPayload;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = STANDARD.decode(text);
        bytes
            .map(Self)
            .map_err(|_| MalformedPayload(text.to_owned()))
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

impl TryFrom<String> for Payload {
    type Error = MalformedPayload;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Payload> for String {
    fn from(payload: Payload) -> Self {
        payload.to_string()
    }
}
