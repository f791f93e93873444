//! What the certificate that was issued says.
//!
//! Never judges who signed it: meshd was authenticated before it answered, and peers check the chain themselves.

use mesh_bundle::SpiffeId;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Unacceptable;

/// What a proxy needs to know of its own certificate.
pub(super) struct Leaf {
    pub(super) name: SpiffeId,
    pub(super) not_after: u64,
    pub(super) serial: Vec<u8>,
}

pub(super) fn read(der: &CertificateDer<'_>) -> Result<Leaf, Unacceptable> {
    let unreadable = |what: String| Unacceptable::Unreadable(what);
    let (rest, certificate) =
        X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
    if !rest.is_empty() {
        return Err(unreadable("bytes follow the certificate".to_owned()));
    }
    if certificate.is_ca() {
        return Err(Unacceptable::Authority);
    }
    let names = certificate
        .subject_alternative_name()
        .map_err(|error| unreadable(error.to_string()))?;
    let names = names.map(|extension| extension.value.general_names.as_slice());
    let uris: Vec<&str> = names
        .unwrap_or_default()
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    let [uri] = uris.as_slice() else {
        return Err(Unacceptable::Names(uris.len()));
    };
    let name = uri
        .parse()
        .map_err(|error| Unacceptable::Name((*uri).to_owned(), error))?;
    let not_after = certificate.validity().not_after.timestamp();
    Ok(Leaf {
        name,
        not_after: u64::try_from(not_after).unwrap_or(0),
        serial: certificate.raw_serial().to_vec(),
    })
}
