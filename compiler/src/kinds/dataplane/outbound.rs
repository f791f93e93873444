//! How traffic leaves a workload: explicit listeners, or captured (language 3.2.1 and 3.2.2).
//!
//! Never looks for the services that are referred to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::{Code, Pointer};
use crate::kinds::target_ref::TargetKind;
use crate::kinds::{Check, SERVICES};

use super::check::check_ip;

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
    /// Where captured traffic to the workload arrives; 0: it is not captured. Default: 15006.
    pub(crate) redirect_port_inbound: Option<u32>,
    /// Where captured traffic from the workload arrives; 0: it is not captured. Default: 15001.
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

impl Outbound {
    /// The address of the listener.
    pub(crate) fn address(&self) -> &str {
        self.address.as_deref().unwrap_or("127.0.0.1")
    }

    /// Checks a listener for traffic from the workload.
    pub(super) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.required_port(self.port, &at.field("port"));
        check_ip(self.address.as_ref(), &at.field("address"), check);
        let at = at.field("backendRef");
        match &self.backend_ref {
            Some(backend) => backend.check(&at, check),
            None => {
                check
                    .missing(&at)
                    .help("`backendRef: {kind: MeshService, name: <service>, port: <port>}`");
            }
        }
    }
}

impl OutboundRef {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_service(self.kind.as_ref(), &at.field("kind"), check);
        let named = self.name.as_ref().is_some_and(|name| !name.is_empty());
        if named != self.labels.is_empty() {
            let message = if named {
                "only one of `name` and `labels` may be set"
            } else {
                "one of `name` and `labels` must be set"
            };
            check.invalid(at, message);
        }
        let at = at.field("port");
        match self.port {
            None if self.kind != Some(TargetKind::MeshExternalService) => {
                check
                    .missing(&at)
                    .help("the port of the service that is meant");
            }
            port => check.port(port, &at),
        }
    }
}

impl TransparentProxying {
    /// Is traffic from the workload captured? Port 0 says that it is not.
    pub(crate) fn captures_outbound(&self) -> bool {
        self.outbound_port().is_some()
    }

    /// Where captured traffic to the workload arrives.
    pub(crate) fn inbound_port(&self) -> Option<u16> {
        captures(self.redirect_port_inbound, 15_006)
    }

    /// Where captured traffic from the workload arrives.
    pub(crate) fn outbound_port(&self) -> Option<u16> {
        captures(self.redirect_port_outbound, 15_001)
    }

    /// Checks how traffic is captured.
    pub(super) fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        // 0 says that traffic in this direction is not captured.
        for (field, port) in [
            ("redirectPortInbound", self.redirect_port_inbound),
            ("redirectPortOutbound", self.redirect_port_outbound),
        ] {
            check.port(port.filter(|port| *port > 0), &at.field(field));
        }
        let reachable = at.field("reachableBackends").field("refs");
        let refs = self
            .reachable_backends
            .iter()
            .flat_map(|reachable| &reachable.refs);
        for (index, one) in refs.enumerate() {
            one.check(&reachable.index(index), check);
        }
        if !self.direct_access_services.is_empty() {
            let at = at.field("directAccessServices");
            check.not_implemented(
                &at,
                "what is addressed to an instance itself leaves as any other address does",
            );
        }
    }
}

/// The port that is declared; `None` for 0, and for what is no port, which its own check reports.
fn captures(declared: Option<u32>, default: u16) -> Option<u16> {
    let port = declared.map_or(Some(default), |port| u16::try_from(port).ok())?;
    (port > 0).then_some(port)
}

impl ReachableRef {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_service(self.kind.as_ref(), &at.field("kind"), check);
        let named = self.name.as_ref().is_some_and(|name| !name.is_empty());
        if self.namespace.is_some() && !named {
            let message = "`name` must be set where `namespace` is";
            check.error(Code::MISSING_FIELD, &at.field("name"), message);
        } else if !named && self.labels.is_empty() {
            let message = "one of `name` and `labels` must be set";
            check.error(Code::MISSING_FIELD, &at.field("name"), message);
        }
        if named && !self.labels.is_empty() {
            let message = "only one of `name` and `labels` may be set";
            check.invalid(&at.field("labels"), message);
        }
        check.port(self.port, &at.field("port"));
    }
}

fn check_service(kind: Option<&TargetKind>, at: &Pointer, check: &mut Check<'_>) {
    let help = "one of `MeshService`, `MeshExternalService`, `MeshMultiZoneService`";
    match kind {
        None => {
            check.missing(at).help(help);
        }
        Some(kind) if !SERVICES.contains(kind) => {
            let message = format!("the kind `{kind}` is not a kind of service");
            check.invalid(at, message).help(help);
        }
        Some(_) => {}
    }
}
