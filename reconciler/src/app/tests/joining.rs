//! Who may join, and as whom.

use mesh_bundle::{Key, Resource, Revoked};
use mesh_delivery::message::Received;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::room::{Connected, PATIENCE, PERMISSION, Room, scope, web};

/// The reason for which a proxy is refused.
pub(super) async fn refusal(
    room: &Room,
    token: &str,
    name: Option<&str>,
    document: Option<&str>,
) -> String {
    let outcome = room.enroll(token, name, document).await;
    outcome.err().expect("a refusal").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_do_not_let_in() {
    let (room, _) = Room::open().await;
    let other_mesh = room.token("other", scope(None, Some("web-1"), &[]));
    let used = room.for_dataplane("web-1");
    room.enroll(&used, None, None).await.unwrap();
    let wrong = format!("{}A", room.for_dataplane("web-1"));
    for (token, name, expected) in [
        ("hello".to_owned(), None, "not a join token"),
        (wrong, None, "join token"),
        (used, None, "used up"),
        (other_mesh, None, "the mesh `other` has no Dataplane"),
        (
            room.for_dataplane("web-1"),
            Some("api-1"),
            "not for `api-1`",
        ),
        (room.for_workload("web"), Some("api-1"), "is of another"),
        (room.for_workload("db"), None, "no Dataplane of the mesh"),
        (room.for_dataplane("web-7"), None, "no Dataplane `web-7`"),
    ] {
        let reason = refusal(&room, &token, name, None).await;
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_with_two_dataplanes_needs_a_choice() {
    let (room, _) = Room::open().await;
    room.write("web-2.yaml", &web("web-2").replace("10080", "10082"));
    let revision = room.commit("another web");
    room.settled(&revision).await;
    let token = room.for_workload("web");
    let reason = refusal(&room, &token, None, None).await;
    assert!(reason.contains("--dataplane"), "{reason}");
    room.enroll(&token, Some("web-2"), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_brings_its_own_dataplane() {
    let (mut room, first) = Room::open().await;
    let document = web("web-vm").replace("10080", "10099");
    let token = room.for_workload("web");
    let vm = room.enroll(&token, None, Some(&document)).await.unwrap();
    let mut session = room.connect(&vm).await.unwrap();
    let received = session.configuration().await;
    assert_eq!(received.revision, first);
    let status = room.settled(&first).await;
    assert_eq!(status["proxies"][2]["name"], "web-vm");

    // It follows git, and survives a restart of meshd with git away.
    room.write("web.yaml", &web("web-1").replace("10080", "10081"));
    let second = room.commit("something else");
    let status = room.settled(&second).await;
    assert_eq!(status["proxies"][2]["name"], "web-vm", "{status}");
    room.stop().await;
    std::fs::rename(
        room.repository().join(".git"),
        room.repository().join("gone"),
    )
    .unwrap();
    room.start().await.unwrap();
    room.connect(&vm).await.unwrap();

    // Brought again, with a new key.
    let token = room.for_dataplane("web-vm");
    room.enroll(&token, None, Some(&document)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_are_refused() {
    let (room, _) = Room::open().await;
    let two = format!("{}---\n{}", web("vm-1"), web("vm-2"));
    let other = |name: &str| web(name).replace("10080", "10099");
    let api = other("vm").replace("workload: web", "workload: api");
    for (document, expected) in [
        (web("vm").replace("networking", "netwroking"), "netwroking"),
        (
            web("vm").replace("mesh: shop", "mesh: other"),
            "of the mesh `other`",
        ),
        (two, "one Dataplane, and nothing else"),
        (super::MESH.to_owned(), "one Dataplane, and nothing else"),
        (api, "claims `api`"),
        (other("web-1"), "web-1"),
        (web("vm"), "web.yaml:10"),
        (other("../../x"), ""),
    ] {
        let token = room.for_workload("web");
        let reason = refusal(&room, &token, None, Some(&document)).await;
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    let token = room.for_dataplane("vm-1");
    let reason = refusal(&room, &token, None, Some(&other("vm-2"))).await;
    assert!(reason.contains("may be `vm-1`"), "{reason}");
    let kept = room.state.path().join("dataplanes");
    assert!(!kept.exists(), "nothing that was refused is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_proxy_is_cut_off_and_may_join_again() {
    let (room, _) = Room::open().await;
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut session = room.connect(&web).await.unwrap();
    session.configuration().await;
    let state = crate::state::StateDir::beside(room.state.path()).unwrap();
    let now = crate::registry::Now::read().unix;
    crate::revocation::revoke(&state, "shop", "web-1", now).unwrap();
    room.meshd().look_for_revocations().await;
    session.ended().await;
    let refused = room.connect(&web).await.err().unwrap().to_string();
    assert!(refused.contains("revoked"), "{refused}");
}

fn revoked(received: &Received) -> Vec<Revoked> {
    let (_, bytes) = &received.resources[&Key::Trust];
    let Resource::Trust(trust) = Resource::decode(bytes).unwrap() else {
        panic!("not a trust");
    };
    trust.revoked
}

/// The serial number of a certificate that this proxy is issued.
async fn serial(proxy: &mut Connected) -> Vec<u8> {
    let issuer = "kri_mid_shop_default__identity_".parse().unwrap();
    let certificate = proxy.certificate(Some(issuer)).await.unwrap();
    let (_, leaf) = X509Certificate::from_der(&certificate.chain[0]).unwrap();
    leaf.raw_serial().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_hear_of_who_is_revoked_or_removed_and_no_restart_forgets_it() {
    let (mut room, _) = Room::open().await;
    let token = room.for_dataplane("api-1");
    let api = room.enroll(&token, None, None).await.unwrap();
    let mut peer = room.connect(&api).await.unwrap();
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut web = room.connect(&web).await.unwrap();
    assert_eq!(revoked(&peer.configuration().await), []);
    let before = serial(&mut web).await;

    let state = crate::state::StateDir::beside(room.state.path()).unwrap();
    // A control certificate of this second would be revoked as well.
    let now = crate::registry::Now::read().unix - 5;
    crate::revocation::revoke(&state, "shop", "web-1", now).unwrap();
    room.meshd().look_for_revocations().await;
    let list = revoked(&peer.configuration().await);
    assert!(Revoked::covers(&list, &before));
    // Whoever joins again is given one that counts, at once.
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut web = room.connect(&web).await.unwrap();
    let after = serial(&mut web).await;
    assert!(!Revoked::covers(&list, &after));

    // Removed: so is that.
    room.git(&["rm", "-q", "web.yaml"]);
    room.commit("web is no more");
    let received = peer.configuration().await;
    let list = revoked(&received);
    assert!(Revoked::covers(&list, &after));
    room.stop().await;
    room.start().await.unwrap();
    let mut peer = room.reconnect(&api, Some(received.clone())).await.unwrap();
    // It holds what is wanted: the next that it hears of is the next commit.
    let permission = PERMISSION.replace("workload/web", "workload/other");
    room.write("permission.yaml", &permission);
    let next = room.commit("another permission");
    let other = peer.configuration().await;
    assert_eq!(other.revision, next);
    assert_eq!(revoked(&other), list);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_what_it_led_to() {
    let (room, _) = Room::open().await;
    let token = room.for_workload("web");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut session = room.connect(&web).await.unwrap();
    session.configuration().await;
    // A control certificate that is renewed is still by that token.
    let renewed = session.certificate(None).await.unwrap();
    let id = token_of(&renewed.chain[0]);
    let state = crate::state::StateDir::beside(room.state.path()).unwrap();
    let now = crate::registry::Now::read().unix;
    crate::token::revoke(&state, &id, now).unwrap();
    room.meshd().look_for_revocations().await;
    session.ended().await;
    let reason = room.connect(&web).await.err().unwrap().to_string();
    assert!(reason.contains("revoked"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_ends_tokens() {
    let (room, _) = Room::open().await;
    let (used, unused) = (room.for_workload("web"), room.for_workload("web"));
    let web = room.enroll(&used, None, None).await.unwrap();
    let mut session = room.connect(&web).await.unwrap();
    session.configuration().await;
    let ids = [&used, &unused].map(|token| {
        let (_, id) = said(token)
            .split_once("\"id\":\"")
            .map(|(a, b)| (a.len(), b.to_owned()))
            .unwrap();
        id.split('"').next().unwrap().to_owned()
    });
    room.write(
        "meshc.toml",
        &format!("[tokens]\nrevoked = [\"{}\", \"{}\"]\n", ids[0], ids[1]),
    );
    let revision = room.commit("end two tokens");
    room.settled(&revision).await;
    let reason = refusal(&room, &unused, None, None).await;
    assert!(reason.contains("revoked"), "{reason}");
    room.meshd().look_for_revocations().await;
    session.ended().await;
    let reason = room.connect(&web).await.err().unwrap().to_string();
    assert!(reason.contains("revoked"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_another_is_not_believed_to_be_who_it_was() {
    let (room, _) = Room::open().await;
    let token = room.for_dataplane("api-1");
    let api = room.enroll(&token, None, None).await.unwrap();
    let mut peer = room.connect(&api).await.unwrap();
    peer.configuration().await;
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut web = room.connect(&web).await.unwrap();
    web.configuration().await;
    let before = serial(&mut web).await;
    room.write(
        "web.yaml",
        &super::room::web("web-1").replace("workload: web", "workload: shopfront"),
    );
    room.commit("another name");
    let root = web.offered().await;
    // It has not said that it goes by the new name: the old one is still good.
    let distrusted = || std::fs::read_to_string(room.state.path().join("distrusted.json"));
    room.meshd().look_for_revocations().await;
    assert!(distrusted().is_err(), "before the new one is in use");
    let after = serial(&mut web).await;
    web.acknowledge(root).await;
    let noticed = async {
        while distrusted().is_err() {
            room.get("/v1/status").await;
            room.meshd().look_for_revocations().await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed).await.unwrap();
    let list = loop {
        let list = revoked(&peer.configuration().await);
        if !list.is_empty() {
            break list;
        }
    };
    assert!(Revoked::covers(&list, &before));
    assert!(!Revoked::covers(&list, &after));
}

/// What a token says.
fn said(token: &str) -> String {
    use base64::Engine;
    let text = token.split('.').nth(1).unwrap();
    let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text);
    String::from_utf8(json.unwrap()).unwrap()
}

/// The token that a control certificate names.
fn token_of(der: &[u8]) -> String {
    let (_, leaf) = X509Certificate::from_der(der).unwrap();
    let names = leaf.subject_alternative_name().unwrap().unwrap();
    let name = format!("{:?}", names.value.general_names);
    let (_, token) = name.split_once("/token/").unwrap();
    token.chars().take_while(char::is_ascii_hexdigit).collect()
}
