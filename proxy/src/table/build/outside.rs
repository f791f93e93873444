//! Clusters outside of the mesh.
//!
//! Never looks a name up: that is done for each connection, so that addresses may change.

use http::HeaderValue;
use mesh_bundle::resource::external::{ExternalEndpoint, secret_id};
use mesh_bundle::resource::{External, Protocol};
use mesh_bundle::{Key, Kri, ValueSource};
use mesh_delivery::message::Secrets;

use super::rejected;
use crate::table::{Hop, Instance};
use crate::tls::OutsideTls;
use crate::world::Rejected;

/// How its servers are spoken to.
///
/// One that cannot be spoken to is no reason to refuse the rest of the configuration: its traffic is refused.
pub(super) fn hop(kri: &Kri, external: &External, secrets: &Secrets) -> Hop {
    let Some(tls) = &external.tls else {
        return Hop::Plain;
    };
    let value = |source: &ValueSource| {
        let value = secrets.0.get(&secret_id(kri, source))?;
        Some(value.as_slice())
    };
    OutsideTls::new(tls, value).map_or_else(
        |why| {
            tracing::warn!(cluster = %kri, %why, "traffic to it is refused");
            Hop::Locked
        },
        Hop::Outside,
    )
}

/// Its servers.
pub(super) fn instances(
    kri: &Kri,
    protocol: Protocol,
    external: &External,
) -> Result<Vec<Instance>, Rejected> {
    let instance = |(index, endpoint): (usize, &ExternalEndpoint)| {
        let host = &endpoint.address;
        let named = host.parse::<std::net::IpAddr>().is_err();
        let authority = (protocol.is_http() && named).then(|| HeaderValue::from_str(host));
        let authority = authority.transpose().map_err(|_| {
            let place = format!("/external/endpoints/{index}/address");
            rejected(Key::Cluster(kri.clone()), &place, "no name of a host")
        })?;
        Ok(Instance {
            priority: endpoint.priority,
            authority,
            ..Instance::new(host.clone(), endpoint.port)
        })
    };
    let endpoints = external.endpoints.iter().enumerate();
    endpoints.map(instance).collect()
}
