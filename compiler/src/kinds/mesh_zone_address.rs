//! `MeshZoneAddress`: where other zones reach the ingress of a zone (language 3.13).
//!
//! Never opens the listener: that is a Dataplane with `listeners`.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::diag::Pointer;

use super::{Body, Check, KindInfo, Scope, Spec, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshZoneAddress",
    short: "mza",
    to: &[],
    example: include_str!("mesh_zone_address/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: false,
    name_is_label: false,
    is_policy: false,
    schema: schema::of::<MeshZoneAddress>,
    parse: |body, check| {
        let spec: MeshZoneAddress = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshZoneAddress(spec))
    },
};

/// The public address of the ingress of a zone, for one mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshZoneAddress {
    /// An IP address or a DNS name. Required.
    pub(crate) address: Option<String>,
    /// 1 to 65535. Required.
    pub(crate) port: Option<u32>,
}

impl MeshZoneAddress {
    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        let at = spec.field("address");
        if let Some(address) = check.required(self.address.as_ref(), &at) {
            let unspecified = |ip: IpAddr| ip.is_unspecified();
            if address.parse().is_ok_and(unspecified) {
                check.invalid(
                    &at,
                    format!("`{address}` is no address that others can reach"),
                );
            } else if !grammar::is_address(address) {
                let message = format!("`{address}` is neither an IP address nor a DNS name");
                check.invalid(&at, message);
            }
        }
        check.required_port(self.port, &spec.field("port"));
        check.not_implemented(&spec, "traffic between zones goes from proxy to proxy");
    }
}
