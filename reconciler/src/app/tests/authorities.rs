//! A certificate authority that the operator gives, and its successor.

use mesh_bundle::{Key, Kri, Resource};
use mesh_delivery::message::Received;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::room::Room;
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
