//! What a thief can do with a join token: nothing but what it says.

use super::joining::refusal;
use super::room::{Room, api, scope, web};

/// Somebody who stole a token and writes what he likes into the document that he brings.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_gives_nothing_but_its_workload() {
    let (room, _) = Room::open().await;
    let api = api("vm", 9090).replace("127.0.0.21", "127.0.0.31");
    let thief = api.replace("workload: api", "workload: web");
    for (scope, document, expected) in [
        // Another service, by its labels.
        (
            scope(Some("web"), None, &[]),
            thief.clone(),
            "instance of the service `api`",
        ),
        // Another workload: with a token that names none, too.
        (scope(Some("web"), None, &[]), api.clone(), "claims `api`"),
        (
            scope(None, Some("vm"), &[]),
            api.clone(),
            "names no workload",
        ),
        (
            scope(None, None, &[("app", "api")]),
            api.clone(),
            "names no workload",
        ),
        // Labels that it does not have.
        (
            scope(None, None, &[("team", "a")]),
            api.clone(),
            "the label `team: a`",
        ),
        (
            scope(Some("web"), None, &[("app", "web")]),
            thief.clone(),
            "the label `app: web`",
        ),
        // Another address.
        (
            scope(Some("web"), None, &[("app", "api")]),
            thief
                .replace("127.0.0.31", "127.0.0.21")
                .replace("9090", "9080"),
            "port-clash",
        ),
    ] {
        let token = room.token("shop", scope);
        let reason = refusal(&room, &token, None, Some(&document)).await;
        assert!(reason.contains(expected), "{expected}: {reason}");
    }
    // What the owner of the token may do.
    for (scope, document) in [
        (scope(Some("api"), None, &[]), api.clone()),
        (
            scope(None, None, &[("app", "api"), ("kuma.io/workload", "api")]),
            api.replace("name: vm", "name: vm-2")
                .replace("9090", "9091"),
        ),
        (
            scope(Some("web"), None, &[("app", "api")]),
            thief
                .replace("name: vm", "name: vm-3")
                .replace("9090", "9092"),
        ),
    ] {
        let token = room.token("shop", scope);
        room.enroll(&token, None, Some(&document)).await.unwrap();
    }
    // Nor may a name be taken over that another workload has joined by.
    let token = room.token("shop", scope(Some("web"), None, &[("app", "api")]));
    let reason = refusal(&room, &token, None, Some(&thief)).await;
    assert!(
        reason.contains("has joined as the workload `api`"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_instances_is_nobody_s_until_a_token_says_so() {
    let (room, _) = Room::open().await;
    room.git(&["rm", "-q", "api.yaml"]);
    let revision = room.commit("no instance of api");
    room.settled(&revision).await;
    let document = api("vm", 9090);
    let thief = document.replace("workload: api", "workload: web");
    let token = room.for_workload("web");
    let reason = refusal(&room, &token, None, Some(&thief)).await;
    assert!(reason.contains("instance of the service `api`"), "{reason}");
    let token = room.for_workload("api");
    let reason = refusal(&room, &token, None, Some(&document)).await;
    assert!(reason.contains("--label"), "{reason}");
    let token = room.token("shop", scope(Some("api"), None, &[("app", "api")]));
    room.enroll(&token, None, Some(&document)).await.unwrap();
    // The second one is of the workload that serves it.
    let token = room.for_workload("api");
    let second = document
        .replace("name: vm", "name: vm-2")
        .replace("9090", "9091");
    room.enroll(&token, None, Some(&second)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_admitted_for_a_workload_does_not_become_another() {
    let (room, _) = Room::open().await;
    let document = web("guest").replace("10080", "10099");
    let token = room.for_workload("web");
    let guest = room.enroll(&token, None, Some(&document)).await.unwrap();
    let token = room.for_dataplane("web-1");
    let named = room.enroll(&token, None, None).await.unwrap();
    let mut guest_session = room.connect(&guest).await.unwrap();
    guest_session.configuration().await;
    // Git says that somebody else has these names now.
    room.write(
        "guest.yaml",
        &document.replace("workload: web", "workload: api"),
    );
    room.write(
        "web.yaml",
        &web("web-1").replace("workload: web", "workload: api"),
    );
    let revision = room.commit("other workloads");
    room.settled(&revision).await;
    let reason = room.connect(&guest).await.err().unwrap().to_string();
    assert!(reason.contains("for the workload `web`"), "{reason}");
    // Who was admitted by name stays it.
    room.connect(&named).await.unwrap();
}
