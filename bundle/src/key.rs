//! The name of a resource inside one proxy's configuration.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::kri::Kri;

/// What a resource is to the proxy that holds it. Two proxies may hold different resources under the same key (their
/// policies differ), or the same bytes (they are then encoded once).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Key {
    /// The proxy itself: its name and identity.
    Proxy,
    /// The certificate authorities that peers may be vouched for by.
    Trust,
    /// What the proxy measures, and who gets it.
    Metrics,
    /// Which requests are traced, and where spans go.
    Tracing,
    /// What may leave the mesh without being known to it.
    Passthrough,
    /// A listener for traffic to the workload, by section name.
    Inbound(String),
    /// What the listener of that section name permits and limits.
    InboundPolicy(String),
    /// A listener for traffic from the workload, by `address:port`.
    Outbound(String),
    /// What happens to traffic for a service port: routes, split, timeouts.
    Destination(Kri),
    /// A service port that traffic ends at.
    Cluster(Kri),
}

/// A text that is not a key of this version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a resource key that this version knows")]
pub struct MalformedKey {
    /// What was given.
    pub text: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proxy => f.write_str("proxy"),
            Self::Trust => f.write_str("trust"),
            Self::Metrics => f.write_str("metrics"),
            Self::Tracing => f.write_str("tracing"),
            Self::Passthrough => f.write_str("passthrough"),
            Self::Inbound(section) => write!(f, "inbound/{section}"),
            Self::InboundPolicy(section) => write!(f, "inbound-policy/{section}"),
            Self::Outbound(address) => write!(f, "outbound/{address}"),
            Self::Destination(kri) => write!(f, "destination/{kri}"),
            Self::Cluster(kri) => write!(f, "cluster/{kri}"),
        }
    }
}

impl FromStr for Key {
    type Err = MalformedKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || MalformedKey {
            text: text.to_owned(),
        };
        let kri = |name: &str| name.parse().map_err(|_| malformed());
        match text.split_once('/') {
            None if text == "proxy" => Ok(Self::Proxy),
            None if text == "trust" => Ok(Self::Trust),
            None if text == "metrics" => Ok(Self::Metrics),
            None if text == "tracing" => Ok(Self::Tracing),
            None if text == "passthrough" => Ok(Self::Passthrough),
            Some(("inbound", name)) => Ok(Self::Inbound(name.to_owned())),
            Some(("inbound-policy", name)) => Ok(Self::InboundPolicy(name.to_owned())),
            Some(("outbound", name)) => Ok(Self::Outbound(name.to_owned())),
            Some(("destination", name)) => Ok(Self::Destination(kri(name)?)),
            Some(("cluster", name)) => Ok(Self::Cluster(kri(name)?)),
            _ => Err(malformed()),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = MalformedKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}
