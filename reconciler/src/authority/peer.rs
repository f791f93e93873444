//! What a control certificate says.
//!
//! Never accepts a second name: a certificate speaks for one Dataplane or for nobody.

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::ca::SKEW;

/// Before the name of the mesh.
pub(super) const MESH: &str = "spiffe://meshd.control/mesh/";
/// Between the name of the mesh and that of the Dataplane.
pub(super) const DATAPLANE: &str = "/dataplane/";

/// The holder of a control certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) mesh: String,
    pub(super) dataplane: String,
    /// Seconds since 1970.
    pub(super) issued: u64,
}

/// Reads a chain that TLS has verified, leaf first.
pub(super) fn read(chain: &[CertificateDer<'_>]) -> Result<Peer, String> {
    let leaf = chain.first().ok_or("there is no client certificate")?;
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| "it cannot be read")?;
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map_or(&[][..], |names| names.value.general_names.as_slice());
    let [GeneralName::URI(id)] = names else {
        return Err("a control certificate has exactly one name".to_owned());
    };
    let parts = id
        .strip_prefix(MESH)
        .and_then(|rest| rest.split_once(DATAPLANE))
        .filter(|(mesh, name)| {
            let plain = |part: &str| !part.is_empty() && !part.contains('/');
            plain(mesh) && plain(name)
        });
    let (mesh, dataplane) = parts.ok_or("this is not a control certificate")?;
    let from = u64::try_from(leaf.validity().not_before.timestamp()).unwrap_or_default();
    Ok(Peer {
        mesh: mesh.to_owned(),
        dataplane: dataplane.to_owned(),
        issued: from + SKEW.as_secs(),
    })
}
