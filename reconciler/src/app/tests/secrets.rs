//! Secrets of servers outside that the operator changes where meshd finds them, without a commit.

use mesh_delivery::message::FromProxy;
use mesh_delivery::subscriber::Event;

use super::room::{Connected, Room};
use crate::state::StateDir;

const PARTNER: &str = "type: MeshExternalService\nmesh: shop\nname: partner\nspec:\n  match: {port: 443, protocol: http}\n  endpoints: [{address: partner.example, port: 443}]\n  tls:\n    enabled: true\n    verification:\n      caCert: {type: Secret, secretRef: {kind: Secret, name: partner-ca}}\n";
const FILE: &str = "secrets/shop/partner-ca";

/// Every value that the proxy is to hold next.
async fn values(proxy: &mut Connected) -> Vec<Vec<u8>> {
    loop {
        match proxy.next().await.unwrap() {
            Event::Secrets(secrets) => {
                return secrets.0.values().map(|value| value.to_vec()).collect();
            }
            Event::Configuration(received) => {
                let root = received.root;
                proxy.send(FromProxy::Ack { root }).await;
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_comes_to_the_proxies_without_a_commit() {
    let (room, _) = Room::open().await;
    let state = StateDir::beside(room.state.path()).unwrap();
    state.write(FILE, b"one").unwrap();
    room.write("partner.yaml", PARTNER);
    let web = "    - address: 127.0.0.11\n      port: 10443\n      backendRef:\n        kind: MeshExternalService\n        name: partner\n        port: 443\n";
    room.write("web.yaml", &format!("{}{web}", super::room::web("web-1")));
    let revision = room.commit("a partner");
    let status = room.settled(&revision).await;
    assert_eq!(status["revision"], revision, "{status}");
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut web = room.connect(&web).await.unwrap();
    assert_eq!(values(&mut web).await, [b"one"]);

    state.write(FILE, b"two").unwrap();
    assert_eq!(values(&mut web).await, [b"two"]);

    // Git may be away.
    let repository = room.repository().join(".git");
    let away = room.repository().join("away");
    std::fs::rename(&repository, &away).unwrap();
    state.write(FILE, b"three").unwrap();
    assert_eq!(values(&mut web).await, [b"three"]);
    std::fs::rename(&away, &repository).unwrap();

    // What cannot be read any more is kept, and told.
    state.remove(FILE).unwrap();
    let looked = room.commit("look again");
    let status = room.settled(&looked).await;
    assert_eq!(status["revision"], looked, "{status}");
    let conditions = status["conditions"].to_string();
    assert!(conditions.contains("SecretUnavailable"), "{status}");
    assert!(conditions.contains("partner-ca"), "{status}");
    state.write(FILE, b"four").unwrap();
    assert_eq!(values(&mut web).await, [b"four"]);
}
