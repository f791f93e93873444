//! Peers that cannot prove who they are, in every way that certificates can be wrong.

use std::sync::Arc;

use mesh_bundle::resource::Protocol;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::pki::{Authority, Leaf, uri};
use super::site::{Site, WEB};
use super::wire::echo_workload;

/// The peer that is tested believes everybody.
#[derive(Debug)]
struct Credulous;

impl ServerCertVerifier for Credulous {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = aws_lc_rs::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// What comes back for `x` through the inbound of api.
async fn echo(site: &Site, leaf: Option<Leaf>, alpn: Option<&str>, tls12: bool) -> Option<u8> {
    let versions: &[_] = match tls12 {
        true => &[&rustls::version::TLS12],
        false => &[&rustls::version::TLS13],
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous));
    let mut config = match leaf {
        Some(leaf) => builder.with_client_auth_cert(leaf.chain, leaf.key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(site.inbound).await.unwrap();
    let name = ServerName::IpAddress(site.inbound.ip().into());
    let mut tls = TlsConnector::from(Arc::new(config))
        .connect(name, tcp)
        .await
        .ok()?;
    tls.write_all(b"x").await.ok()?;
    tls.read_u8().await.ok()
}

fn nothing(_: &mut CertificateParams) {}

#[tokio::test]
async fn a_good_certificate_is_served() {
    let site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    for leaf in [
        site.authority.leaf(WEB, nothing),
        site.authority.leaf_with(&p384, WEB, nothing),
        site.authority.leaf_with(&ed25519, WEB, nothing),
        // A DNS name beside the one URI says nothing.
        site.authority.leaf(WEB, |params| {
            let name = rcgen::SanType::DnsName("web.test".try_into().unwrap());
            params.subject_alt_names.push(name);
        }),
        // Without any extended key usage it is for all of them (RFC 5280 4.2.1.12), which SPIFFE allows (X.509-SVID 4.4).
        site.authority
            .leaf(WEB, |params| params.extended_key_usages.clear()),
    ] {
        assert_eq!(
            echo(&site, Some(leaf), Some("mesh/tcp"), false).await,
            Some(b'x')
        );
    }
}

#[expect(clippy::too_many_lines, reason = "it is one table")]
#[tokio::test]
async fn a_bad_certificate_is_not() {
    let site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let ours = &site.authority;
    let other = Authority::new();
    let bad: Vec<(&str, Leaf)> = vec![
        ("other authority", other.leaf(WEB, nothing)),
        (
            "other trust domain",
            ours.leaf("spiffe://other/workload/web", nothing),
        ),
        (
            "longer trust domain",
            ours.leaf("spiffe://td2/workload/web", nothing),
        ),
        (
            "somebody else",
            ours.leaf("spiffe://td/workload/other", nothing),
        ),
        (
            "prefix of an ID",
            ours.leaf("spiffe://td/workload/we", nothing),
        ),
        (
            "longer ID",
            ours.leaf("spiffe://td/workload/web/x", nothing),
        ),
        ("upper case", ours.leaf("spiffe://td/workload/WEB", nothing)),
        ("a trust domain", ours.leaf("spiffe://td", nothing)),
        (
            "no ID",
            ours.leaf(WEB, |params| params.subject_alt_names.clear()),
        ),
        (
            "two IDs",
            ours.leaf(WEB, |params| {
                params.subject_alt_names.push(uri("spiffe://td/x"));
            }),
        ),
        (
            "two IDs, ours last",
            ours.leaf("spiffe://td/x", |params| {
                params.subject_alt_names.push(uri(WEB));
            }),
        ),
        (
            "the same ID twice",
            ours.leaf(WEB, |params| params.subject_alt_names.push(uri(WEB))),
        ),
        ("another URI", ours.leaf("https://td/workload/web", nothing)),
        ("query", ours.leaf("spiffe://td/workload/web?x", nothing)),
        (
            "trailing slash",
            ours.leaf("spiffe://td/workload/web/", nothing),
        ),
        (
            "dot segment",
            ours.leaf("spiffe://td/workload/../workload/web", nothing),
        ),
        ("escape", ours.leaf("spiffe://td/workload/we%62", nothing)),
        (
            "expired",
            ours.leaf(WEB, |params| params.not_after = date_time_ymd(2001, 1, 1)),
        ),
        (
            "not yet",
            ours.leaf(WEB, |params| params.not_before = date_time_ymd(4000, 1, 1)),
        ),
        (
            "authority",
            ours.leaf(WEB, |params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }),
        ),
        (
            "may sign certificates",
            ours.leaf(WEB, |params| {
                params.key_usages.push(KeyUsagePurpose::KeyCertSign);
            }),
        ),
        (
            "may not sign",
            ours.leaf(WEB, |params| {
                params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
            }),
        ),
        (
            "for servers only",
            ours.leaf(WEB, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
        ),
        (
            "for code",
            ours.leaf(WEB, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
            }),
        ),
    ];
    for (what, leaf) in bad {
        assert_eq!(
            echo(&site, Some(leaf), Some("mesh/tcp"), false).await,
            None,
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_leaf_cannot_vouch_for_another() {
    let site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let key = KeyPair::generate().unwrap();
    let middle = site
        .authority
        .leaf_with(&key, "spiffe://td/workload/other", nothing);
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(WEB)];
    let issuer = rcgen::Issuer::from_ca_cert_der(&middle.chain[0], key).unwrap();
    let own = KeyPair::generate().unwrap();
    let forged = params.signed_by(&own, &issuer).unwrap();
    let leaf = Leaf {
        chain: vec![forged.der().clone(), middle.chain[0].clone()],
        key: rustls_pki_types::PrivatePkcs8KeyDer::from(own.serialize_der()).into(),
    };
    assert_eq!(echo(&site, Some(leaf), Some("mesh/tcp"), false).await, None);
}

#[tokio::test]
async fn a_long_chain_is_refused_without_much_work() {
    let site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let mut leaf = site.authority.leaf(WEB, nothing);
    for _ in 0..30 {
        leaf.chain
            .extend(site.authority.leaf("spiffe://td/junk", nothing).chain);
    }
    assert_eq!(echo(&site, Some(leaf), Some("mesh/tcp"), false).await, None);
}

#[tokio::test]
async fn no_certificate_no_protocol_no_old_tls() {
    let site = Site::start(Protocol::Tcp, echo_workload().await).await;
    let good = || Some(site.authority.leaf(WEB, nothing));
    for (what, leaf, alpn, tls12) in [
        ("no certificate", None, Some("mesh/tcp"), false),
        ("no protocol", good(), None, false),
        ("other protocol", good(), Some("h2"), false),
        (
            "requests on an inbound for bytes",
            good(),
            Some("mesh/h2"),
            false,
        ),
        ("TLS 1.2", good(), Some("mesh/tcp"), true),
    ] {
        assert_eq!(echo(&site, leaf, alpn, tls12).await, None, "{what}");
    }
    // And nothing of it has hurt.
    assert_eq!(
        echo(&site, good(), Some("mesh/tcp"), false).await,
        Some(b'x')
    );
}

#[tokio::test]
async fn the_key_never_shows() {
    let authority = Authority::new();
    let svid = authority.svid(WEB);
    let shown = format!("{svid:?}");
    assert!(shown.contains("redacted") && shown.contains(WEB), "{shown}");
    assert!(shown.len() < 300, "{shown}");
}
