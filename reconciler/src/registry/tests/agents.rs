//! When meshd takes a proxy for one with a certificate that it has not issued.

use super::*;

#[test]
fn mtls_begins_when_everybody_holds_what_asks_an_agent() {
    let room = Room::new(Options {
        agent: true,
        ..SECURE
    });
    let root = |name: &str| {
        let published = room.registry.published().unwrap();
        published.proxies[&dataplane(name)].wanted.root()
    };
    let holds = |name: &str, session, root| {
        room.registry.acknowledged(&dataplane(name), session, root);
        room.work();
    };
    room.ready("api-1", 1);
    room.ready("api-2", 2);
    assert!(!room.told().1, "ready under what they had before");
    holds("api-1", 1, root("api-1"));
    holds("api-2", 2, Digest::of(b"older"));
    assert!(!room.told().1, "api-2 holds something else");
    // It says so when it comes back, too.
    let api = dataplane("api-2");
    room.registry.connected(&api, 3, Some(root("api-2")));
    room.registry.status(&api, 3, said(true, false));
    room.work();
    assert!(room.told().1);
    let proxies = [dataplane("api-1"), api];
    assert_eq!(room.registry.certified_until(&proxies), 0);
    assert!(room.registry.unrenewed(UNIX).is_empty());
}
