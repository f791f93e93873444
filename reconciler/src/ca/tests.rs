use std::collections::BTreeMap;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mesh_bundle::{CaSource, Issuer as BundledIssuer, Kri, Origin, SpiffeId, ValueSource};
use mesh_compiler::Secrets;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use x509_parser::extensions::GeneralName;

use super::*;
use crate::signer::Signers;
use crate::state::StateDir;

const NOW: u64 = 1_800_000_000;
const DAY: Duration = Duration::from_hours(24);

fn request() -> Request {
    Request::read(&probe().unwrap().1).unwrap()
}

fn authority() -> CertificateAuthority {
    CertificateAuthority::generate("a test", None, NOW)
        .unwrap()
        .0
}

#[test]
fn a_certificate_says_what_meshd_decided_and_nothing_else() {
    let id: SpiffeId = "spiffe://shop/workload/web".parse().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut asked = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
    asked.subject_alt_names.push(SanType::URI(
        "spiffe://shop/workload/admin".try_into().unwrap(),
    ));
    asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    asked
        .distinguished_name
        .push(DnType::OrganizationName, "root");
    let asked = asked.serialize_request(&key).unwrap();
    let request = Request::read(asked.der()).unwrap();
    let issued = authority()
        .issue(&request, Name::Spiffe(&id), DAY, NOW)
        .unwrap();
    assert_eq!(issued.chain.len(), 1);
    assert_eq!(issued.not_after, NOW + DAY.as_secs());
    let share = |part: u64| NOW + DAY.as_secs() * part / 1000;
    assert!(issued.renew_at >= share(599) && issued.renew_at <= share(734));

    let (_, leaf) = X509Certificate::from_der(&issued.chain[0]).unwrap();
    let names = &leaf.subject_alternative_name().unwrap().unwrap().value;
    assert_eq!(names.general_names, [GeneralName::URI(id.as_str())]);
    assert_eq!(leaf.subject().iter().count(), 0);
    assert!(!leaf.is_ca());
    let usage = leaf.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && usage.flags == 1, "{usage:?}");
    let extended = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && extended.client_auth && !extended.any);
    let from = leaf.validity().not_before.timestamp();
    assert_eq!(u64::try_from(from).unwrap(), NOW - SKEW.as_secs());
    assert!(leaf.raw_serial().len() == 16);
    assert_eq!(leaf.public_key().raw, key.subject_public_key_info());
}

#[test]
fn requests_that_are_refused() {
    let valid = probe().unwrap().1;
    let mut forged = valid.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut longer = valid.clone();
    longer.push(0);
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let other = CertificateParams::default()
        .serialize_request(&other)
        .unwrap();
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let edwards = CertificateParams::default()
        .serialize_request(&edwards)
        .unwrap();
    for (der, expected) in [
        (Vec::new(), "not a PKCS#10"),
        (b"hello".to_vec(), "not a PKCS#10"),
        (vec![0x30; 20_000], "too long"),
        (valid[..40].to_vec(), "not a PKCS#10"),
        (longer, "something behind"),
        (forged, "not by its key"),
        (other.der().to_vec(), "must be ECDSA P-256"),
        (edwards.der().to_vec(), "must be ECDSA P-256"),
    ] {
        let refused = Request::read(&der).unwrap_err().to_string();
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
}

#[test]
fn nothing_outlives_its_authority() {
    let authority = authority();
    let end = authority.not_after();
    let issued = authority
        .issue(&request(), Name::Dns("a.b"), DAY, end - 60)
        .unwrap();
    assert_eq!(issued.not_after, end);
    let failure = authority.issue(&request(), Name::Dns("a.b"), DAY, end);
    assert!(failure.unwrap_err().to_string().contains("expired"));
    let early = authority.issue(&request(), Name::Dns("a.b"), DAY, NOW - 3_600);
    assert!(early.unwrap_err().to_string().contains("not valid yet"));
}

#[test]
fn the_control_authority_stays_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let first = open_control(&state, NOW).unwrap();
    let second = open_control(&state, NOW + 1).unwrap();
    assert_eq!(first.pin(), second.pin());
    assert_eq!(first.anchor(), second.anchor());
    // Killed after the key and before the list: found, not made again.
    state.remove("authorities.json").unwrap();
    assert_eq!(open_control(&state, NOW).unwrap().pin(), first.pin());
}

#[test]
fn a_lost_key_stops_meshd_and_is_never_made_again() {
    for (damage, expected) in [
        (&b""[..], "is damaged"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA", "is damaged"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        open_control(&state, NOW).unwrap();
        state.write("ca/control.pem", damage).unwrap();
        let failure = open_control(&state, NOW).unwrap_err().to_string();
        assert!(failure.contains(expected), "{failure}");
        assert!(failure.contains("Restore the file from a backup"));
        state.remove("ca/control.pem").unwrap();
        let failure = open_control(&state, NOW).unwrap_err().to_string();
        assert!(failure.contains("is missing"), "{failure}");
        // Even the list is gone: other files show that this is not a new directory.
        state.remove("authorities.json").unwrap();
        state.write("published.log", b"{}").unwrap();
        let failure = open_control(&state, NOW).unwrap_err().to_string();
        assert!(failure.contains("ran here before"), "{failure}");
        assert_eq!(state.list("ca").unwrap(), [""; 0]);
    }
}

fn provided(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn given_authorities_are_judged() {
    let (certificate, key) = provided(|_| {});
    provided::judge(certificate.as_bytes(), key.as_bytes(), NOW).unwrap();
    let (other, _) = provided(|_| {});
    let leaf = provided(|params| params.is_ca = IsCa::ExplicitNoCa);
    let silent = provided(|params| params.key_usages.clear());
    let agreeing = provided(|params| params.key_usages.push(KeyUsagePurpose::KeyAgreement));
    let useless = provided(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let expired = provided(|params| leaf::set_validity(params, 0, NOW));
    let chain = (format!("{certificate}{other}"), key.clone());
    for ((certificate, key), expected) in [
        ((other, key.clone()), "do not belong together"),
        ((String::new(), key), "no PEM block `CERTIFICATE`"),
        ((certificate, "x".to_owned()), "private key is not PEM"),
        (leaf, "CA:TRUE is missing"),
        (silent, "says nothing about key usage"),
        (agreeing, "must not contain keyAgreement"),
        (useless, "lacks keyCertSign"),
        (expired, "has expired"),
        (chain, "not signed by the one behind it"),
    ] {
        let why = provided::judge(certificate.as_bytes(), key.as_bytes(), NOW).unwrap_err();
        assert!(why.contains(expected), "{expected}: {why}");
    }
}

fn issuer(ca: CaSource) -> (Kri, BundledIssuer) {
    let resource: Kri = "kri_mid_shop___identity_".parse().unwrap();
    let issuer = BundledIssuer {
        mesh: "shop".to_owned(),
        trust_domain: "shop.example".parse().unwrap(),
        ca,
        lifetime: mesh_bundle::Duration::from_secs(3_600),
        publish_trust: true,
        origin: Origin {
            resource: resource.clone(),
            file: "identity.yaml".to_owned(),
            line: 1,
        },
    };
    (resource, issuer)
}

#[test]
fn values_come_from_every_source_and_are_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let (certificate, key) = provided(|_| {});
    state.write("secrets/shop/key", key.as_bytes()).unwrap();
    let file = directory.path().join("certificate.pem");
    std::fs::write(&file, &certificate).unwrap();
    let (kri, _) = issuer(CaSource::Autogenerated {});
    let packed = BASE64_STANDARD.encode(&key);
    let written =
        |name: &str, value: &str| (("shop".to_owned(), name.to_owned()), value.to_owned());
    let secrets = Secrets {
        inline: BTreeMap::from([((kri.clone(), "/spec/x".to_owned()), certificate)]),
        documents: BTreeMap::from([written("in-git", &packed), written("broken", "BEGIN!")]),
    };
    let values = Values {
        state: &state,
        secrets: &secrets,
        alone: true,
    };
    let load = |certificate: ValueSource, private_key: ValueSource| {
        let issuers = BTreeMap::from([issuer(CaSource::Provided {
            certificate,
            private_key,
        })]);
        let authorities =
            Authorities::load((&issuers, None), &values, &Signers::default(), NOW).unwrap();
        authorities.get(&kri).cloned().map_err(str::to_owned)
    };
    use ValueSource::{EnvVar, File, Inline, Secret};
    let secret = || Secret("key".to_owned());
    let path = file.display().to_string();
    load(File(path.clone()), secret()).unwrap();
    load(Inline("/spec/x".to_owned()), secret()).unwrap();
    let document = Secret("in-git".to_owned());
    load(Inline("/spec/x".to_owned()), document).unwrap();
    // Of several sources, none reads what is there for another.
    let among = Values {
        alone: false,
        ..values
    };
    assert!(among.get(&kri, &secret()).is_ok());
    for foreign in [File(path.clone()), EnvVar("PATH".to_owned())] {
        let why = among.get(&kri, &foreign).unwrap_err();
        assert!(why.contains("below `secrets/shop/`"), "{why}");
        assert!(values.get(&kri, &foreign).is_ok());
    }
    for (source, expected) in [
        (Secret("../control".to_owned()), "not the name of a secret"),
        (Secret("absent".to_owned()), "secret `absent`"),
        (
            Secret("broken".to_owned()),
            "`broken`: its document is not in base64",
        ),
        (File("relative".to_owned()), "must be absolute"),
        (File(format!("{path}/../x")), "must be absolute"),
        (File("/dev/zero".to_owned()), "is not a file"),
        (EnvVar("MESH_NO_SUCH".to_owned()), "no variable"),
        (Inline("/spec/y".to_owned()), "no value at `/spec/y`"),
        (File(path), "private key is not PEM"),
    ] {
        let certificate = Inline("/spec/x".to_owned());
        let why = load(certificate, source).unwrap_err();
        assert!(why.contains(expected), "{expected}: {why}");
        assert!(why.contains("identity.yaml:1"), "{why}");
        assert!(!why.contains("BEGIN"), "{why}");
    }
}

#[test]
fn an_identity_has_one_authority_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let issuers = BTreeMap::from([issuer(CaSource::Autogenerated {})]);
    let secrets = Secrets::default();
    let values = Values {
        state: &state,
        secrets: &secrets,
        alone: true,
    };
    let load = || Authorities::load((&issuers, None), &values, &Signers::default(), NOW);
    let kri = issuers.keys().next().unwrap();
    let pin = |authorities: &Authorities| authorities.get(kri).unwrap().pin();
    assert_eq!(pin(&load().unwrap()), pin(&load().unwrap()));
    state.remove(&format!("ca/{kri}.pem")).unwrap();
    assert!(matches!(load(), Err(CaFailure::Lost { .. })));
}

#[test]
fn keys_are_not_shown() {
    let (authority, text) = CertificateAuthority::generate("a test", None, NOW).unwrap();
    let shown = format!("{authority:?}");
    assert!(shown.ends_with(", .. }"), "{shown}");
    let key = text.lines().nth(1).unwrap();
    assert!(!shown.contains(key));
    let anchor = authority.anchor().unwrap();
    assert!(text.ends_with(&pem(anchor)), "{text:?}");
}

#[test]
fn keys_are_sealed_where_a_secret_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let sealed = |secret: Option<&str>| {
        let state = StateDir::open(directory.path()).unwrap();
        state.sealed_by(secret.map(|text| Seal::new(Zeroizing::new(text.to_owned()))))
    };
    let file = directory.path().join("ca/control.pem");
    let text = || std::fs::read_to_string(&file).unwrap();
    // Made in the clear, sealed from the next start on.
    let pin = open_control(&sealed(None), NOW).unwrap().pin();
    assert!(text().contains("PRIVATE KEY"));
    for _ in 0..2 {
        assert_eq!(
            open_control(&sealed(Some("a word")), NOW).unwrap().pin(),
            pin
        );
        assert!(!text().contains("PRIVATE KEY") && text().contains("SEALED KEY"));
    }
    for (secret, expected) in [(Some("another"), "does not open it"), (None, "`seal-file`")] {
        let why = open_control(&sealed(secret), NOW).unwrap_err();
        assert!(matches!(why, CaFailure::Sealed { .. }), "{why}");
        assert!(why.to_string().contains(expected), "{why}");
    }
    // What is public needs no secret.
    let (state, control) = control(directory.path(), NOW).unwrap();
    assert_eq!((control.pin, list(&state).unwrap().len()), (pin, 1));
    let (before, after) = (
        text(),
        text().replacen("SEALED KEY-----\nA", "SEALED KEY-----\nB", 1),
    );
    std::fs::write(
        &file,
        if before == after {
            before.replacen('\n', "\nA", 1)
        } else {
            after
        },
    )
    .unwrap();
    open_control(&sealed(Some("a word")), NOW).unwrap_err();
}
