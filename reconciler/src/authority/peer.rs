//! What a control certificate says.
//!
//! Never accepts a second name: a certificate speaks for one Dataplane or for nobody.

use mesh_bundle::{Kri, SpiffeId};
use mesh_delivery::message::Denied;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::ca::SKEW;
use crate::token::{Grant, is_id};

/// Before the name of the mesh.
const MESH: &str = "spiffe://meshd.control/mesh/";
/// Between the name of the mesh and that of the Dataplane.
const DATAPLANE: &str = "/dataplane/";
/// Before the workload that the Dataplane must be of: the holder was admitted for that alone.
const WORKLOAD: &str = "/workload/";
/// Of a Dataplane without one; no workload is called that.
const NO_WORKLOAD: &str = "-";
/// Before the name of the proof that led to the certificate, also after many renewals.
const TOKEN: &str = "/token/";

/// The holder of a control certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) mesh: String,
    pub(super) dataplane: String,
    /// The Dataplane must be of it; `None`: whatever its workload is.
    pub(super) workload: Option<String>,
    pub(super) token: Option<String>,
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
    let from = u64::try_from(leaf.validity().not_before.timestamp()).unwrap_or_default();
    let peer = parse(id).ok_or("this is not a control certificate")?;
    Ok(Peer {
        issued: from + SKEW.as_secs(),
        ..peer
    })
}

fn parse(id: &str) -> Option<Peer> {
    let plain = |part: &&str| !part.is_empty() && !part.contains('/');
    let (mesh, rest) = id.strip_prefix(MESH)?.split_once(DATAPLANE)?;
    let (rest, token) = match rest.split_once(TOKEN) {
        Some((rest, token)) => (rest, Some(token)),
        None => (rest, None),
    };
    let (dataplane, workload) = match rest.split_once(WORKLOAD) {
        Some((dataplane, workload)) => (dataplane, Some(workload)),
        None => (rest, None),
    };
    let mut parts = [Some(mesh), Some(dataplane), workload]
        .into_iter()
        .flatten();
    if !parts.all(|part| plain(&part)) || !token.is_none_or(is_id) {
        return None;
    }
    Some(Peer {
        mesh: mesh.to_owned(),
        dataplane: dataplane.to_owned(),
        workload: workload.map(str::to_owned),
        token: token.map(str::to_owned),
        issued: 0,
    })
}

impl Peer {
    /// Who becomes this proxy by that proof. Whoever was admitted as one Dataplane stays it whatever that becomes in git;
    /// others only as long as it is of the workload that they were admitted for.
    pub(super) fn new(proxy: &Kri, grant: &Grant, workload: Option<&str>) -> Self {
        let bound = grant.scope.workload.as_deref().or(workload);
        let named = grant.scope.dataplane.is_some() && grant.scope.workload.is_none();
        let bound = (!named).then(|| bound.unwrap_or(NO_WORKLOAD).to_owned());
        Self {
            mesh: proxy.mesh().to_owned(),
            dataplane: proxy.name().to_owned(),
            workload: bound,
            token: Some(grant.id.clone()),
            issued: 0,
        }
    }

    /// May it still be that Dataplane?
    pub(super) fn is_of(&self, workload: Option<&str>) -> bool {
        let bound = self.workload.as_deref();
        bound.is_none_or(|bound| bound == workload.unwrap_or(NO_WORKLOAD))
    }

    /// What it is called in its control certificate.
    pub(super) fn id(&self) -> Result<SpiffeId, Denied> {
        let Self {
            mesh,
            dataplane,
            workload,
            token,
            issued: _,
        } = self;
        let mut text = format!("{MESH}{mesh}{DATAPLANE}{dataplane}");
        for (before, part) in [(WORKLOAD, workload), (TOKEN, token)] {
            if let Some(part) = part {
                text.push_str(before);
                text.push_str(part);
            }
        }
        text.parse().map_err(|_| {
            Denied::Invalid(format!(
                "`{dataplane}` cannot be the name of a proxy in a certificate"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ca::{Name, Request, open_control, probe};
    use crate::state::StateDir;

    const ID: &str = "0123456789abcdef0123456789abcdef";

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
        let token = format!("/token/{ID}");
        for (workload, token) in [("", ""), ("/workload/web", ""), ("/workload/web", &*token)] {
            let text = format!("spiffe://meshd.control/mesh/shop/dataplane/web-1{workload}{token}");
            let peer = read_id(&text).unwrap();
            assert_eq!(
                (peer.mesh.as_str(), peer.dataplane.as_str()),
                ("shop", "web-1")
            );
            assert_eq!(
                (peer.issued, peer.workload.is_some()),
                (NOW, !workload.is_empty())
            );
            assert_eq!(peer.id().unwrap().as_str(), text);
        }
        for id in [
            "spiffe://meshd.control/mesh/shop",
            "spiffe://meshd.control/mesh/shop/dataplane/a/b",
            "spiffe://meshd.control/mesh/a/b/dataplane/c",
            "spiffe://meshd.control/mesh/shop/dataplane/a/workload/b/c",
            "spiffe://meshd.control/mesh/shop/dataplane/a/token/b",
            "spiffe://meshd.control/mesh/shop/dataplane/a/token/b/workload/c",
            "spiffe://shop.default.mesh.local/workload/web",
        ] {
            let refused = read_id(id).unwrap_err();
            assert!(refused.contains("not a control certificate"), "{id}");
        }
        let own = read(&issue(Name::Dns("meshd.control")));
        assert!(own.unwrap_err().contains("exactly one name"));
        read(&[]).unwrap_err();
        read(&[CertificateDer::from(b"hello".to_vec())]).unwrap_err();
    }

    #[test]
    fn whom_a_proof_makes_of_a_proxy() {
        let proxy: Kri = "kri_dp_shop___web-1_".parse().unwrap();
        let peer = |workload: Option<&str>, dataplane: Option<&str>, found: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let grant = Grant {
                id: ID.to_owned(),
                mesh: "shop".to_owned(),
                scope: crate::token::Scope {
                    workload: owned(workload),
                    dataplane: owned(dataplane),
                    labels: std::collections::BTreeMap::new(),
                },
                expires: 1,
                uses: None,
            };
            Peer::new(&proxy, &grant, found)
        };
        let named = peer(None, Some("web-1"), Some("web"));
        assert!(named.is_of(Some("web")) && named.is_of(Some("api")) && named.is_of(None));
        let bound = peer(Some("web"), Some("web-1"), Some("web"));
        assert!(bound.is_of(Some("web")) && !bound.is_of(Some("api")) && !bound.is_of(None));
        // By labels alone: what the document said.
        let found = peer(None, None, Some("web"));
        assert!(found.is_of(Some("web")) && !found.is_of(Some("api")));
        let none = peer(None, None, None);
        assert!(none.is_of(None) && !none.is_of(Some("web")));
    }
}
