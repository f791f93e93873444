//! Where traffic arrives that is captured on its way from or to a workload (language 3.2.1).
//!
//! Never about how it is captured: that is a matter of the host.

use serde::{Deserialize, Serialize};

use crate::origin::Origin;

/// What a proxy does for a workload that knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capture {
    /// Where connections to the workload arrive. `None`: they come to the addresses of its inbounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound_port: Option<u16>,
    /// Where connections from the workload arrive. `None`: they come to the addresses of its outbounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbound_port: Option<u16>,
    /// Over which versions of IP.
    pub families: IpFamilies,
    /// Where the Dataplane says so.
    pub origin: Origin,
}

/// Versions of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IpFamilies {
    /// Both, where the host has both.
    Dual,
    /// Version 4 only.
    Ipv4,
    /// Version 6 only.
    Ipv6,
}
