use super::*;
use crate::clock::unix_now;
use crate::control::tests::meshd::{WEB, cluster, configuration, endpoints, token};
use crate::identity::tests::Ca;
use mesh_bundle::{Key, Manifest, Resource};
use std::fs;
use std::path::Path;
use zeroize::Zeroizing;

fn received(resources: Vec<(Key, Resource)>) -> Received {
    let mut manifest = Manifest::default();
    let mut held = BTreeMap::new();
    for (key, resource) in resources {
        let (digest, bytes) = resource.encode().unwrap();
        manifest.entries.insert(key.clone(), digest);
        held.insert(key, (digest, Bytes::from(bytes)));
    }
    Received {
        revision: "r1".to_owned(),
        root: manifest.root(),
        resources: held,
    }
}

fn membership(ca: &Ca, dataplane: &str) -> Membership {
    let name = format!("spiffe://meshd.control/mesh/default/dataplane/{dataplane}");
    let credential = ca.credential(&name, unix_now() + 60);
    let name = credential.proxy_name().unwrap();
    Membership {
        token: "t1".to_owned(),
        credential,
        anchors: vec![ca.certificate.clone()],
        name,
    }
}

/// A store in which everything is kept.
async fn full(path: &Path, ca: &Ca) -> Store {
    let store = Store::new(Directory::open(path, Duration::ZERO).unwrap());
    let membership = membership(ca, "web-1");
    store.save_membership(&membership).await;
    let svid = ca.credential(WEB, unix_now() + 60);
    let received = received(configuration("web-1", Some(WEB), 5));
    store.save_serving(&received, Some(&svid)).await;
    store
        .save_endpoints(&membership.name, &endpoints(&[8080, 8081]))
        .await;
    store.save_secrets(&membership.name, &some_secrets()).await;
    store
}

fn some_secrets() -> Secrets {
    let value = Zeroizing::new(b"a private key".to_vec());
    Secrets([("secret key".to_owned(), value)].into())
}

#[tokio::test]
async fn secrets_are_for_their_owner_and_their_proxy_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, ca) = (tempfile::tempdir().unwrap(), Ca::new("a"));
    let store = full(directory.path(), &ca).await;
    let file = directory.path().join(SECRETS);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!format!("{:?}", some_secrets()).contains("private"));
    store.save_membership(&membership(&ca, "api-1")).await;
    assert_eq!(store.load(None, None).secrets, Secrets::default());

    // Without any there is no file, and what is not needed any more is not kept.
    let name = membership(&ca, "api-1").name;
    store.save_secrets(&name, &Secrets::default()).await;
    assert!(!fs::read_to_string(&file).unwrap().contains("secret key"));
    fs::remove_file(&file).unwrap();
    store.save_secrets(&name, &Secrets::default()).await;
    assert!(!file.exists());
}

#[tokio::test]
async fn everything_comes_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = full(directory.path(), &Ca::new("a")).await;
    let Restored {
        membership,
        serving,
        endpoints,
        secrets,
    } = store.load(Some("web-1"), None);
    let membership = membership.unwrap();
    assert_eq!(
        (membership.token.as_str(), membership.anchors.len()),
        ("t1", 1)
    );
    let serving = serving.unwrap();
    assert_eq!(
        serving.configuration.received,
        received(configuration("web-1", Some(WEB), 5))
    );
    assert_eq!(serving.svid.unwrap().name().as_str(), WEB);
    assert_eq!(endpoints[&cluster()].endpoints.len(), 2);
    assert!(endpoints[&cluster()].tls_ready);
    assert_eq!(secrets, some_secrets());
}

#[tokio::test]
async fn the_state_of_another_proxy_is_refused() {
    let (directory, ca) = (tempfile::tempdir().unwrap(), Ca::new("a"));
    let store = full(directory.path(), &ca).await;
    assert!(store.load(Some("api-1"), None).membership.is_none());
    store.save_membership(&membership(&ca, "api-1")).await;
    let restored = store.load(None, None);
    assert!(restored.membership.is_some());
    assert!(restored.serving.is_none() && restored.endpoints.is_empty());
}

#[tokio::test]
async fn a_configuration_without_its_certificate_is_refused() {
    let (directory, ca) = (tempfile::tempdir().unwrap(), Ca::new("a"));
    let store = full(directory.path(), &ca).await;
    let with_identity = received(configuration("web-1", Some(WEB), 5));
    store.save_serving(&with_identity, None).await;
    assert!(store.load(None, None).serving.is_none());
    let other = ca.credential("spiffe://default.local/workload/api", unix_now() + 60);
    store.save_serving(&with_identity, Some(&other)).await;
    assert!(store.load(None, None).serving.is_none());
    let without = received(configuration("web-1", None, 5));
    store.save_serving(&without, Some(&other)).await;
    assert!(store.load(None, None).serving.is_none());
    store.save_serving(&without, None).await;
    assert!(store.load(None, None).serving.is_some());
}

#[tokio::test]
async fn an_ended_certificate_comes_back_as_ended() {
    let (directory, ca) = (tempfile::tempdir().unwrap(), Ca::new("a"));
    let store = full(directory.path(), &ca).await;
    let ended = ca.credential(WEB, unix_now() - 60);
    let received = received(configuration("web-1", Some(WEB), 5));
    store.save_serving(&received, Some(&ended)).await;
    let svid = store.load(None, None).serving.unwrap().svid.unwrap();
    assert!(svid.is_expired(unix_now()));
}

/// Whatever happens to one file, the others are whole, and nothing that depends on it is believed.
#[tokio::test]
async fn damage_is_survived_file_by_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = full(directory.path(), &Ca::new("a")).await;
    for (name, kept) in [
        (CONTROL, [false; 3]),
        (SERVING, [true, false, true]),
        (ENDPOINTS, [true, true, false]),
    ] {
        let path = directory.path().join(name);
        let whole = fs::read(&path).unwrap();
        // Every tenth of what is long, and every byte of the first line, where the format is.
        let lengths = (0..whole.len()).filter(|length| *length < 100 || length % 10 == 0);
        for length in lengths {
            fs::write(&path, &whole[..length]).unwrap();
            let restored = store.load(None, None);
            let found = [
                restored.membership.is_some(),
                restored.serving.is_some(),
                !restored.endpoints.is_empty(),
            ];
            assert_eq!(found, kept, "{name} cut at {length}");
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(store.load(None, None).serving.is_some());
}

#[tokio::test]
async fn a_directory_that_takes_no_writes_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state");
    let store = full(&path, &Ca::new("a")).await;
    // Writing fails for root too where the name of the temporary file is taken by a directory.
    fs::create_dir(path.join("serving.new")).unwrap();
    let other = received(configuration("web-1", None, 9));
    store.save_serving(&other, None).await;
    let serving = store.load(None, None).serving.unwrap();
    assert_ne!(serving.configuration.received.root, other.root);
}

#[tokio::test]
async fn the_state_of_another_meshd_is_refused() {
    let (directory, ca) = (tempfile::tempdir().unwrap(), Ca::new("a"));
    let store = full(&directory.path().join("state"), &ca).await;
    let kept = |id: &str, pin| {
        let path = token(directory.path(), id, pin);
        let token = Token::read(&path, None).unwrap();
        store.load(None, Some(&token)).membership.is_some()
    };
    let other = Ca::new("b");
    assert!(
        kept("t1", other.pin),
        "the token that was spent, after its CA was replaced"
    );
    assert!(kept("t2", ca.pin), "another token of the same meshd");
    assert!(!kept("t2", other.pin));
}
