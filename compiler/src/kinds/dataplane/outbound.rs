//! How traffic leaves a workload: explicit listeners, or captured (language 3.2.1 and 3.2.2).
//!
//! Never looks for the services that are referred to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::kinds::target_ref::TargetKind;

/// A listener for traffic from the workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct Outbound {
    /// Where the workload connects to, 1 to 65535. Required.
    pub(crate) port: Option<u32>,
    /// The IP address of the listener. Default: `127.0.0.1`.
    pub(crate) address: Option<String>,
    /// Where the traffic goes. Required.
    pub(crate) backend_ref: Option<OutboundRef>,
}

/// One port of one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct OutboundRef {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Required.
    pub(crate) kind: Option<TargetKind>,
    /// Its name, in the proxy's own zone and namespace. Either this or `labels`.
    pub(crate) name: Option<String>,
    /// Labels that only it carries. Either this or `name`.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// The port of the service, 1 to 65535. Required, except for `MeshExternalService`.
    pub(crate) port: Option<u32>,
}

/// The traffic of the workload is captured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct TransparentProxying {
    /// Where captured traffic to the workload arrives.
    pub(crate) redirect_port_inbound: Option<u32>,
    /// Where captured traffic from the workload arrives.
    pub(crate) redirect_port_outbound: Option<u32>,
    /// Which addresses are captured. Default: `DualStack`.
    pub(crate) ip_family_mode: Option<IpFamilyMode>,
    /// Services whose instances may be reached by their own address; `*` is all.
    #[serde(default)]
    pub(crate) direct_access_services: Vec<String>,
    /// Restricts what can be reached. Default: everything.
    pub(crate) reachable_backends: Option<ReachableBackends>,
}

/// Which addresses are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum IpFamilyMode {
    /// Both.
    DualStack,
    /// IPv4 only.
    IPv4,
    /// IPv6 only.
    IPv6,
}

/// What can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ReachableBackends {
    /// Services; an empty list is nothing at all.
    #[serde(default)]
    pub(crate) refs: Vec<ReachableRef>,
}

/// Services that can be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ReachableRef {
    /// `MeshService`, `MeshExternalService` or `MeshMultiZoneService`. Required.
    pub(crate) kind: Option<TargetKind>,
    /// Its name. Either this or `labels`.
    pub(crate) name: Option<String>,
    /// The namespace of what is named. Default: the proxy's own.
    pub(crate) namespace: Option<String>,
    /// All that carry these labels. Either this or `name`.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// One port of it. Default: all.
    pub(crate) port: Option<u32>,
}
