use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    date_time_ymd,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer};

use super::*;
use crate::clock::unix_now;
use mesh_bundle::Digest;
use std::time::Duration;

/// A certificate authority for tests.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) pin: Digest,
}

fn set_end(params: &mut CertificateParams, not_after: u64) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(not_after);
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let pin = Digest::of(&key.subject_public_key_info());
        Self {
            issuer: Issuer::new(params, key),
            certificate,
            pin,
        }
    }

    /// A client certificate with these URI names, for the key of a request.
    pub(crate) fn issue(
        &self,
        csr: &[u8],
        names: &[&str],
        not_after: u64,
    ) -> CertificateDer<'static> {
        let csr = CertificateSigningRequestDer::from(csr.to_vec());
        let mut request = CertificateSigningRequestParams::from_der(&csr).unwrap();
        let uri = |name: &&str| SanType::URI((*name).try_into().unwrap());
        request.params.subject_alt_names = names.iter().map(uri).collect();
        request.params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        set_end(&mut request.params, not_after);
        request.signed_by(&self.issuer).unwrap().der().clone()
    }

    /// A server's certificate and key.
    pub(crate) fn server(
        &self,
        name: &str,
        not_after: u64,
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        set_end(&mut params, not_after);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (certificate.der().clone(), key)
    }

    /// A certificate that a proxy took from this CA.
    pub(crate) fn credential(&self, name: &str, not_after: u64) -> Credential {
        let key = PrivateKey::generate().unwrap();
        let leaf = self.issue(&key.request().unwrap(), &[name], not_after);
        Credential::restore(key, vec![leaf, self.certificate.clone()], not_after).unwrap()
    }
}

const WEB: &str = "spiffe://default.local/workload/web";

fn accept(
    ca: &Ca,
    names: &[&str],
    not_after: u64,
    renew_at: u64,
    now: u64,
) -> Result<Credential, Unacceptable> {
    let key = PrivateKey::generate().unwrap();
    let leaf = ca.issue(&key.request().unwrap(), names, not_after);
    Credential::accept(key, vec![leaf], renew_at, now)
}

#[test]
fn a_request_says_nothing_but_the_key() {
    let key = PrivateKey::generate().unwrap();
    let csr = CertificateSigningRequestDer::from(key.request().unwrap());
    let request = CertificateSigningRequestParams::from_der(&csr).unwrap();
    assert!(request.params.subject_alt_names.is_empty());
    assert_eq!(request.params.distinguished_name.iter().count(), 0);
    assert_eq!(request.public_key.der_bytes().len(), 65, "P-256");
}

#[test]
fn a_certificate_for_the_key_is_taken() {
    let now = unix_now();
    let credential = accept(&Ca::new("a"), &[WEB], now + 1000, now + 800, now).unwrap();
    assert_eq!(credential.name().as_str(), WEB);
    assert_eq!(credential.not_after(), now + 1000);
    assert_eq!(credential.renew_at(), now + 800);
    assert!(!credential.is_expired(now + 1000) && credential.is_expired(now + 1001));
    let svid = credential.svid();
    assert_eq!((svid.spiffe_id.as_str(), svid.not_after), (WEB, now + 1000));
}

#[test]
fn renewal_is_neither_endless_nor_too_late() {
    let now = unix_now();
    let ca = Ca::new("a");
    let at = |advice| {
        accept(&ca, &[WEB], now + 1000, advice, now)
            .unwrap()
            .renew_at()
            - now
    };
    assert_eq!((at(0), at(now), at(u64::MAX)), (500, 500, 900));
}

#[test]
fn what_does_not_fit_is_refused() {
    let now = unix_now();
    let ca = Ca::new("a");
    let refused = |names: &[&str], end| accept(&ca, names, end, 0, now).unwrap_err();
    let later = now + 60;
    assert!(matches!(refused(&[], later), Unacceptable::Names(0)));
    assert!(matches!(
        refused(&[WEB, "spiffe://b/c"], later),
        Unacceptable::Names(2)
    ));
    assert!(matches!(
        refused(&["https://web"], later),
        Unacceptable::Name(..)
    ));
    assert!(matches!(refused(&[WEB], now - 1), Unacceptable::Expired));

    let key = || PrivateKey::generate().unwrap();
    let leaf = ca.issue(&key().request().unwrap(), &[WEB], later);
    let chain =
        |of: Vec<CertificateDer<'static>>| Credential::accept(key(), of, 0, now).unwrap_err();
    assert!(matches!(chain(vec![]), Unacceptable::Empty));
    assert!(matches!(chain(vec![leaf.clone()]), Unacceptable::OtherKey));
    assert!(matches!(chain(vec![leaf; 9]), Unacceptable::TooLong(9)));
    assert!(matches!(
        chain(vec![ca.certificate.clone()]),
        Unacceptable::Authority
    ));
    assert!(matches!(
        chain(vec![vec![48, 0].into()]),
        Unacceptable::Unreadable(_)
    ));

    let other = "spiffe://default.local/workload/api".parse().unwrap();
    let named = ca.credential(WEB, later).named(&other);
    assert!(matches!(named, Err(Unacceptable::OtherName { .. })));
}

#[test]
fn a_control_certificate_names_a_dataplane() {
    let name = |text: &str| ProxyName::of(&text.parse().unwrap());
    let web = name("spiffe://meshd.control/mesh/default/dataplane/web-1").unwrap();
    assert_eq!(
        (web.mesh.as_str(), web.dataplane.as_str()),
        ("default", "web-1")
    );
    for more in ["/workload/web", "/token/00ff", "/workload/web/token/00ff"] {
        let text = format!("spiffe://meshd.control/mesh/default/dataplane/web-1{more}");
        assert_eq!(name(&text).as_ref(), Some(&web), "{text}");
    }
    for text in [
        "spiffe://meshd.control",
        "spiffe://meshd.control/mesh/default/dataplane/a/b",
        "spiffe://meshd.control/mesh/a/b/dataplane/web-1",
        "spiffe://other/mesh/default/dataplane/web-1",
    ] {
        assert_eq!(name(text), None, "{text}");
    }
}

#[test]
fn keys_do_not_show() {
    let credential = Ca::new("a").credential(WEB, unix_now() + 60);
    let shown = format!(
        "{credential:?} {:?} {:?}",
        credential.key(),
        credential.svid()
    );
    assert!(shown.contains("redacted") && shown.contains(WEB), "{shown}");
    let first: Vec<String> = credential.key().pkcs8()[..4]
        .iter()
        .map(u8::to_string)
        .collect();
    assert!(!shown.contains(&first.join(", ")), "{shown}");
}

#[test]
fn a_key_comes_back_from_its_bytes() {
    let key = PrivateKey::generate().unwrap();
    let bytes = zeroize::Zeroizing::new(key.pkcs8().to_vec());
    let again = PrivateKey::from_pkcs8(bytes).unwrap();
    let leaf = Ca::new("a").issue(&again.request().unwrap(), &[WEB], unix_now() + 60);
    assert!(key.fits(&leaf));
    for length in 0..key.pkcs8().len() {
        let cut = zeroize::Zeroizing::new(key.pkcs8()[..length].to_vec());
        assert!(PrivateKey::from_pkcs8(cut).is_err(), "cut at {length}");
    }
}
