//! Names and keys in certificates that an authority of the mesh has signed, and that are not what an SVID must be.
//!
//! Never opens a connection: what a handshake adds is held elsewhere.

use std::time::Duration;

use mesh_bundle::resource;
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyPair, SanType, SubjectPublicKeyInfo,
    date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::pki::{Authority, uri};
use super::site::WEB;
use crate::tls::{Role, Trust};

/// RSA of 1024 bits, whose other half is lost.
const WEAK: &str = "\
    30819f300d06092a864886f70d010101050003818d0030818902818100ab6f77f0f853285faecd54a5337556202dbc78\
    aa9c91817f3fd06ab0eaf8319d2210b4d9e430cc893a753d894782cb318c2ed0b39b2985372fcf179bbade783e64ad16\
    75bef54deb245cee59d0d1f1d74bbeefd1e14d5d30fb88b6f1fef89cffe5c5af536955c9812e71f9084ba3e8a55b41fc\
    1d0c3ff46587bccc48e393cea30203010001\
";

fn trust(authority: &Authority) -> Trust {
    let mut trust = resource::Trust::default();
    let anchors = vec![authority.pem.clone()];
    trust.anchors.insert("td".parse().unwrap(), anchors);
    Trust::read(&trust).unwrap()
}

fn verdict(trust: &Trust, chain: &[CertificateDer<'_>]) -> Result<String, String> {
    let verified = trust.verify(chain, UnixTime::now(), Role::Client, &default_provider());
    let id = verified.map_err(|why| why.to_string())?;
    Ok(id.as_str().to_owned())
}

#[test]
fn a_name_is_believed_only_as_it_is_written() {
    let authority = Authority::new();
    let trust = trust(&authority);
    let good = authority.leaf(WEB, |_| {}).chain;
    assert_eq!(verdict(&trust, &good), Ok(WEB.to_owned()));
    let long = format!("spiffe://td/{}", "x".repeat(2_048));
    for name in [
        "",
        "spiffe://TD/workload/web",
        "SPIFFE://td/workload/web",
        "spiffe:/td/workload/web",
        "spiffe:td/workload/web",
        "//td/workload/web",
        "spiffe:///workload/web",
        "spiffe://td",
        "spiffe://td/",
        "spiffe://td//web",
        "spiffe://td/workload/web/",
        "spiffe://td/workload/./web",
        "spiffe://td/workload/web#x",
        "spiffe://td/workload/web?x",
        "spiffe://td/workload/web\0",
        "spiffe://td/workload/web\0.other",
        "spiffe://td\0/workload/web",
        "spiffe://td/workload/web\r\nx: y",
        "spiffe://td/workload/web,URI=spiffe://td/admin",
        "spiffe://td/workload/web;x",
        "spiffe://td/workload/\"web\"",
        "spiffe://td/workload/we b",
        " spiffe://td/workload/web",
        "spiffe://td/workload/*",
        "spiffe://*/workload/web",
        "spiffe://td:443/workload/web",
        "spiffe://user@td/workload/web",
        "spiffe://td./workload/web",
        "spiffe://other.td/workload/web",
        "spiffe://td.other/workload/web",
        "spiffe://td/workload/%77eb",
        long.as_str(),
    ] {
        let leaf = authority.leaf(name, |_| {}).chain;
        assert!(verdict(&trust, &leaf).is_err(), "{name:?}");
    }
    let other_names = [
        SanType::DnsName("td".try_into().unwrap()),
        SanType::DnsName("*.td".try_into().unwrap()),
        SanType::Rfc822Name("web@td".try_into().unwrap()),
        SanType::IpAddress([127, 0, 0, 1].into()),
    ];
    for name in other_names {
        let leaf = authority.leaf(WEB, |params| params.subject_alt_names = vec![name]);
        assert!(verdict(&trust, &leaf.chain).is_err());
    }
}

#[test]
fn a_chain_that_was_believed_is_believed_for_the_same_and_for_no_longer_than_it_is_valid() {
    let authority = Authority::new();
    let trust = trust(&authority);
    let leaf = authority.leaf(WEB, |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let at = |days: u64, role| {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400));
        let verified = trust.verify(&leaf.chain, now, role, &default_provider());
        verified.is_ok()
    };
    // Days since 1970: the year is 18,262 to 18,628.
    assert!(at(18_400, Role::Client) && at(18_400, Role::Client));
    assert!(at(18_300, Role::Client) && at(18_627, Role::Client));
    assert!(!at(18_261, Role::Client) && !at(18_629, Role::Client));
    assert!(!at(18_400, Role::Server));
    let mut longer = leaf.chain.clone();
    longer.push(CertificateDer::from(vec![0x30, 0x80]));
    assert!(verdict(&trust, &longer).is_err());
}

#[test]
fn nobody_vouches_for_himself_and_no_weak_key_is_believed() {
    let authority = Authority::new();
    let trust = trust(&authority);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(WEB)];
    let own = params.self_signed(&key).unwrap().der().clone();
    assert!(verdict(&trust, std::slice::from_ref(&own)).is_err());
    let anchor = CertificateDer::from(pem(&authority));
    assert!(verdict(&trust, &[own, anchor.clone()]).is_err());
    assert!(verdict(&trust, &[anchor]).is_err());
    assert!(verdict(&trust, &[]).is_err());
    assert!(verdict(&trust, &[CertificateDer::from(vec![0x30, 0x80])]).is_err());
    let good = authority.certificate(&key, WEB);
    assert_eq!(verdict(&trust, &[good]), Ok(WEB.to_owned()));
    let digits: Vec<_> = WEAK.as_bytes().chunks(2).collect();
    let byte = |pair: &&[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let weak: Vec<u8> = digits.iter().map(byte).collect();
    let weak = SubjectPublicKeyInfo::from_der(&weak).unwrap();
    let weak = authority.certificate(&weak, WEB);
    let why = verdict(&trust, &[weak]).unwrap_err();
    assert!(why.contains("too weak"), "{why}");
}

fn pem(authority: &Authority) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject as _;
    let anchor = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    anchor.as_ref().to_vec()
}
