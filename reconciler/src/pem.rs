//! Certificates that an operator names by the path of a PEM file.
//!
//! Never none: a file without a certificate would quietly trust nobody.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Every certificate in the file, in its order.
///
/// # Errors
/// In words: it cannot be read, or is not a PEM file of certificates.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |why: &dyn std::fmt::Display| {
        format!(
            "`{}` is not a PEM file of certificates: {why}",
            path.display()
        )
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| unreadable(&error))?;
    match found.is_empty() {
        true => Err(unreadable(&"there is none in it")),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        std::fs::write(&file, certificate.pem().repeat(2)).unwrap();
        assert_eq!(certificates(&file).unwrap().len(), 2);
        for (text, why) in [
            ("", "there is none in it"),
            ("-----BEGIN CERTIFICATE-----\n", "not a PEM file"),
        ] {
            std::fs::write(&file, text).unwrap();
            let told = certificates(&file).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        assert!(certificates(&directory.path().join("none")).is_err());
    }
}
