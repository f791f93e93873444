use super::*;
use crate::clock::unix_now;
use crate::control::tests::meshd::{self as fake, FakeMeshd};
use mesh_bundle::Digest;

async fn ask(
    meshd: &FakeMeshd,
    token: &std::path::Path,
    claim: Claim,
) -> Result<Membership, Failure> {
    let token = Token::read(token, None).unwrap();
    let key = PrivateKey::generate().unwrap();
    enroll(&meshd.address.to_string(), &token, key, &claim, unix_now()).await
}

#[tokio::test]
async fn a_token_becomes_a_membership() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    let claim = Claim {
        dataplane: Some("web-1".to_owned()),
        document: Some(b"type: Dataplane".to_vec()),
    };
    let token = meshd.token(directory.path());
    let membership = ask(&meshd, &token, claim.clone()).await.unwrap();
    assert_eq!(membership.name.to_string(), "web-1 of mesh default");
    assert_eq!(
        (membership.token.as_str(), membership.anchors.len()),
        ("t1", 1)
    );
    let asked = meshd.enrolled().pop().unwrap();
    assert_eq!(asked.dataplane, claim.dataplane);
    assert_eq!(asked.dataplane_document, claim.document);
}

#[tokio::test]
async fn a_server_without_the_pinned_key_learns_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    let token = fake::token(directory.path(), "t2", Digest::of(b"another key"));
    let failure = ask(&meshd, &token, Claim::default()).await.unwrap_err();
    assert!(!failure.is_final(), "{failure}");
    assert!(meshd.enrolled().is_empty(), "the token was shown");
}

#[tokio::test]
async fn a_refused_token_is_final() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    meshd.rule(|rules| rules.refuse_tokens = true);
    let token = meshd.token(directory.path());
    let failure = ask(&meshd, &token, Claim::default()).await.unwrap_err();
    assert!(failure.is_final(), "{failure}");
    assert!(
        failure.to_string().contains("this token is spent"),
        "{failure}"
    );
}

#[tokio::test]
async fn another_name_than_the_one_asked_for_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    let claim = Claim {
        dataplane: Some("api-1".to_owned()),
        document: None,
    };
    let token = meshd.token(directory.path());
    let failure = ask(&meshd, &token, claim).await.unwrap_err();
    assert!(matches!(failure, Failure::OtherProxy { .. }), "{failure}");
}

#[tokio::test]
async fn an_absent_meshd_may_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    meshd.stop().await;
    let token = meshd.token(directory.path());
    let failure = ask(&meshd, &token, Claim::default()).await.unwrap_err();
    assert!(!failure.is_final(), "{failure}");
}

mod pinned {
    use super::super::pin::Pinned;
    use crate::clock::unix_now;
    use crate::identity::tests::Ca;
    use rustls::client::danger::ServerCertVerifier;
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
    use std::time::Duration;

    fn judge(
        pinned: &Ca,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        name: &str,
    ) -> bool {
        let name = ServerName::try_from(name).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(unix_now()));
        Pinned::new(pinned.pin)
            .verify_server_cert(leaf, rest, &name, &[], now)
            .is_ok()
    }

    #[test]
    fn only_what_the_pinned_key_signed_is_accepted() {
        let (ours, theirs) = (Ca::new("control"), Ca::new("control"));
        let later = unix_now() + 60;
        let (leaf, _) = ours.server("meshd.control", later);
        let authority = ours.certificate.clone();
        let good = std::slice::from_ref(&authority);
        assert!(judge(&ours, &leaf, good, "meshd.control"));
        assert!(!judge(&ours, &leaf, good, "meshd.other"));
        assert!(!judge(&theirs, &leaf, good, "meshd.control"));
        assert!(!judge(&ours, &leaf, &[], "meshd.control"));

        let (forged, _) = theirs.server("meshd.control", later);
        let both = [theirs.certificate.clone(), authority.clone()];
        assert!(!judge(&ours, &forged, &both, "meshd.control"));
        assert!(!judge(&ours, &authority, good, "meshd.control"));
        let (ended, _) = ours.server("meshd.control", unix_now() - 60);
        assert!(!judge(&ours, &ended, good, "meshd.control"));
    }
}
