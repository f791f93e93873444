//! What others are believed by: what the configuration says, and what an agent says of its own trust domain.
//!
//! Never lets an agent speak for another trust domain.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mesh_bundle::resource::Trust;

use crate::world::World;

/// What the configuration says, and beside it what an agent says of the trust domain of the certificate that it gave.
pub(super) fn believed(world: &World) -> Cow<'_, Trust> {
    let mut trust = Cow::Borrowed(&world.config.trust);
    let given = world.svid.as_ref().filter(|svid| !svid.anchors.is_empty());
    if let Some(svid) = given {
        let domain = svid.spiffe_id.trust_domain().clone();
        let anchors = trust.to_mut().anchors.entry(domain).or_default();
        let more = svid.anchors.iter().map(|der| pem(der));
        anchors.extend(more);
        anchors.sort();
        anchors.dedup();
    }
    trust
}

/// A certificate as bundles hold it.
fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
