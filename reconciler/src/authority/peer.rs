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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mesh_bundle::SpiffeId;

    use super::*;
    use crate::ca::{Name, Request, open_control, probe};
    use crate::state::StateDir;

    #[test]
    fn only_control_certificates_name_a_proxy() {
        const NOW: u64 = 1_800_000_000;
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let control = open_control(&state, NOW).unwrap();
        let request = Request::read(&probe().unwrap().1).unwrap();
        let issue = |name: Name<'_>| {
            let lifetime = Duration::from_secs(60);
            control.issue(&request, name, lifetime, NOW).unwrap().chain
        };
        let read_id = |id: &str| {
            let id: SpiffeId = id.parse().unwrap();
            read(&issue(Name::Spiffe(&id)))
        };
        let peer = read_id("spiffe://meshd.control/mesh/shop/dataplane/web-1").unwrap();
        assert_eq!(
            (peer.mesh.as_str(), peer.dataplane.as_str()),
            ("shop", "web-1")
        );
        assert_eq!(peer.issued, NOW);
        for id in [
            "spiffe://meshd.control/mesh/shop",
            "spiffe://meshd.control/mesh/shop/dataplane/a/b",
            "spiffe://meshd.control/mesh/a/b/dataplane/c",
            "spiffe://shop.default.mesh.local/workload/web",
        ] {
            assert!(
                read_id(id)
                    .unwrap_err()
                    .contains("not a control certificate")
            );
        }
        let own = read(&issue(Name::Dns("meshd.control")));
        assert!(own.unwrap_err().contains("exactly one name"));
        read(&[]).unwrap_err();
        read(&[CertificateDer::from(b"hello".to_vec())]).unwrap_err();
    }
}
