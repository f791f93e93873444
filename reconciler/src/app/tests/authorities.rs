//! A certificate authority that the operator gives, and its successor.

use mesh_bundle::{Key, Kri, Resource};
use mesh_delivery::message::Received;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::room::{IDENTITY, Room};
use crate::ca;
use crate::state::StateDir;

const PROVIDED: &str = "type: MeshIdentity\nmesh: shop\nname: identity\nspec:\n  selector:\n    dataplane:\n      matchLabels: {}\n  provider:\n    type: Bundled\n    bundled:\n      insecureAllowSelfSigned: true\n      ca:\n        certificate:\n          type: Secret\n          secretRef:\n            kind: Secret\n            name: mesh-ca\n        privateKey:\n          type: Secret\n          secretRef:\n            kind: Secret\n            name: mesh-ca\n";

fn issuer() -> Kri {
    "kri_mid_shop_default__identity_".parse().unwrap()
}

/// Key and certificate of an authority, as PEM.
fn authority() -> Vec<u8> {
    let scratch = tempfile::tempdir().unwrap();
    let state = StateDir::open(scratch.path()).unwrap();
    ca::open_control(&state, crate::registry::Now::read().unix).unwrap();
    state.read("ca/control.pem").unwrap().unwrap().to_vec()
}

fn anchors(received: &Received) -> usize {
    let (_, bytes) = &received.resources[&Key::Trust];
    let Resource::Trust(trust) = Resource::decode(bytes).unwrap() else {
        panic!("not a trust");
    };
    trust.anchors.values().map(Vec::len).sum()
}

/// The authority key identifier of a leaf tells who signed it.
fn signer(chain: &[rustls_pki_types::CertificateDer<'_>]) -> String {
    let (_, leaf) = X509Certificate::from_der(&chain[0]).unwrap();
    let extension = leaf.extensions().iter().find(|extension| {
        extension.oid == x509_parser::oid_registry::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER
    });
    format!("{:?}", extension.unwrap().value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_authority_is_waited_for_and_followed() {
    let (room, first) = Room::open().await;
    room.write("identity.yaml", PROVIDED);
    let provided = room.commit("our own authority");
    let status = room.settled(&provided).await;
    assert_eq!(status["revision"], first, "the secret is not there yet");
    assert_eq!(status["conditions"][0]["reason"], "AuthorityUnavailable");
    let message = status["conditions"][0]["message"].as_str().unwrap();
    assert!(message.contains("secret `mesh-ca`"), "{message}");

    let state = StateDir::beside(room.state.path()).unwrap();
    state.write("secrets/shop/mesh-ca", &authority()).unwrap();
    let looked = room.commit("look again");
    let status = room.settled(&looked).await;
    assert_eq!(status["revision"], looked, "{status}");
    let token = room.for_dataplane("api-1");
    let api = room.enroll(&token, None, None).await.unwrap();
    let mut api = room.connect(&api).await.unwrap();
    // The authority that meshd made before may have signed something.
    assert_eq!(anchors(&api.configuration().await), 2);
    let before = api.certificate(Some(issuer())).await.unwrap();

    state.write("secrets/shop/mesh-ca", &authority()).unwrap();
    // Not a commit: only a reason to look.
    room.git(&["tag", "knock"]);
    let received = api.configuration().await;
    assert_eq!(received.revision, looked);
    assert_eq!(anchors(&received), 3);
    room.settled(&looked).await;
    let after = api.certificate(Some(issuer())).await.unwrap();
    assert_ne!(signer(&before.chain), signer(&after.chain));

    // A file that does not do changes nothing, and is told.
    state.write("secrets/shop/mesh-ca", b"").unwrap();
    let again = room.commit("look once more");
    let status = room.settled(&again).await;
    assert_eq!(status["revision"], looked);
    let same = api.certificate(Some(issuer())).await.unwrap();
    assert_eq!(signer(&same.chain), signer(&after.chain));
}

#[tokio::test(flavor = "multi_thread")]
async fn trust_that_live_proxies_need_is_not_taken_away() {
    let (room, first) = Room::open().await;
    let token = room.for_dataplane("api-1");
    let api = room.enroll(&token, None, None).await.unwrap();
    let mut api = room.connect(&api).await.unwrap();
    api.configuration().await;
    api.certificate(Some(issuer())).await.unwrap();

    // The same identity in another trust domain: nobody would trust what api-1 shows.
    let moved = IDENTITY.replace(
        "  provider:",
        "  spiffeID:\n    trustDomain: other.example\n    path: /workload/{{ .Workload }}\n  provider:",
    );
    room.write("identity.yaml", &moved);
    let commit = room.commit("another trust domain in one step");
    let status = room.settled(&commit).await;
    assert_eq!(status["revision"], first, "{status}");
    let conditions = status["conditions"].to_string();
    assert!(conditions.contains("AnchorNeeded"), "{conditions}");
    assert!(conditions.contains("a proxy needs it"), "{conditions}");

    // In two steps: the new one beside the old one, and the old one goes when nobody shows anything of it.
    let another = moved.replace("name: identity", "name: another");
    room.write("identity.yaml", &format!("{another}---\n{IDENTITY}"));
    let commit = room.commit("another identity first");
    api.configuration().await;
    let status = room.settled(&commit).await;
    assert_eq!(status["revision"], commit, "{status}");
    let issuer = "kri_mid_shop_default__another_".parse().unwrap();
    api.certificate(Some(issuer)).await.unwrap();
    room.write("identity.yaml", &another);
    let commit = room.commit("the old one goes");
    api.configuration().await;
    let status = room.settled(&commit).await;
    assert_eq!(status["revision"], commit, "{status}");

    // Or whoever commits says that it is meant.
    room.write("identity.yaml", &another.replace("other.ex", "third.ex"));
    let commit = room.commit("it was stolen\n\nMesh-Allow-Distrust: true");
    api.configuration().await;
    let status = room.settled(&commit).await;
    assert_eq!(status["revision"], commit, "{status}");
}
