//! A commit that is given to the proxies in waves: by whom it is held when, and what becomes of it.

use mesh_delivery::message::{FromProxy, Received};
use mesh_delivery::subscriber::Event;
use serde_json::Value;

use super::room::{Connected, Proxy, Room};

/// It changes what clients do, and what servers do.
pub(super) const TIMEOUT: &str = "type: MeshTimeout\nmesh: shop\nname: clients\nspec:\n  targetRef:\n    kind: Mesh\n  to:\n    - targetRef:\n        kind: Mesh\n      default:\n        connectionTimeout: 7s\n---\ntype: MeshTimeout\nmesh: shop\nname: servers\nspec:\n  targetRef:\n    kind: Mesh\n  rules:\n    - default:\n        connectionTimeout: 7s\n";

/// web-1 is the canary, api-1 the fleet; both hold the first commit.
struct Mesh {
    room: Room,
    first: String,
    web: (Proxy, Connected),
    api: (Proxy, Connected),
    /// What web-1 held first.
    held: Received,
}

impl Mesh {
    async fn open() -> Self {
        let mut room = Room::new();
        room.write("meshc.toml", "[rollout]\nbake = \"0s\"\n\n[[rollout.waves]]\nname = \"canary\"\nlabels = { app = \"web\" }\n");
        let first = room.commit("first");
        room.start().await.unwrap();
        room.settled(&first).await;
        let (web, held) = join(&room, "web-1").await;
        let (api, _) = join(&room, "api-1").await;
        Self {
            room,
            first,
            web,
            api,
            held,
        }
    }

    /// Commits what changes the configuration of both.
    fn commit(&self) -> String {
        self.room.write("timeout.yaml", TIMEOUT);
        self.room.commit("timeouts")
    }

    async fn status(&self) -> Value {
        let (_, text) = self.room.get("/v1/status").await;
        serde_json::from_str(&text).unwrap()
    }

    async fn tell(&self, what: &str) -> (u16, String) {
        self.room.post(&format!("/v1/rollout/{what}")).await
    }
}

pub(super) async fn join(room: &Room, name: &str) -> ((Proxy, Connected), Received) {
    let token = room.for_dataplane(name);
    let proxy = room.enroll(&token, None, None).await.unwrap();
    let mut session = room.connect(&proxy).await.unwrap();
    let held = session.configuration().await;
    session.ready().await;
    ((proxy, session), held)
}

/// The next configuration, not answered yet.
pub(super) async fn offered(session: &mut Connected) -> Received {
    loop {
        if let Event::Configuration(received) = session.next().await.unwrap() {
            return received;
        }
    }
}

pub(super) async fn refuse(session: &Connected, offered: &Received) {
    let (key, pointer, reason) = (None, String::new(), "not for me".to_owned());
    let root = offered.root;
    session
        .send(FromProxy::Nack {
            root,
            key,
            pointer,
            reason,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_comes_after_the_canary_has_acknowledged() {
    let mut mesh = Mesh::open().await;
    let second = mesh.commit();
    let new = offered(&mut mesh.web.1).await;
    assert_eq!(new.revision, second);
    let status = mesh.status().await;
    let states: Vec<_> = ["revision", "digest"]
        .iter()
        .map(|f| status[f].clone())
        .collect();
    assert_eq!(states[0], mesh.first, "{status}");
    assert_eq!(status["rollout"]["revision"], second, "{status}");
    assert_eq!(status["rollout"]["wave"], "canary");
    assert_eq!(status["rollout"]["expected"], 1);
    assert_eq!(status["conditions"][0]["reason"], "RollingOut");
    let (waiting, _) = mesh
        .room
        .get(&format!("/v1/status?settled={second}&timeout=10ms"))
        .await;
    assert_eq!(waiting, 504, "what is on its way has not settled");
    let root = new.root;
    mesh.web.1.send(FromProxy::Ack { root }).await;
    let fleet = offered(&mut mesh.api.1).await;
    assert_eq!(fleet.revision, second);
    let root = fleet.root;
    mesh.api.1.send(FromProxy::Ack { root }).await;
    let status = mesh.room.settled(&second).await;
    assert_eq!(status["revision"], second, "{status}");
    assert_eq!(status["rollout"], Value::Null);
    let states = status["proxies"].as_array().unwrap().iter();
    assert!(
        states.clone().all(|proxy| proxy["state"] == "acked"),
        "{status}"
    );
    let (status, why) = mesh.tell("abort").await;
    assert_eq!((status, why.as_str()), (409, "no rollout is under way\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_canary_refuses_nobody_else_ever_sees() {
    let mut mesh = Mesh::open().await;
    let bad = mesh.commit();
    let new = offered(&mut mesh.web.1).await;
    refuse(&mesh.web.1, &new).await;
    let status = mesh.room.settled(&bad).await;
    assert_eq!(status["revision"], mesh.first, "{status}");
    assert_eq!(status["conditions"][0]["reason"], "RolloutFailed");
    assert_eq!(status["conditions"][1]["type"], "Stalled");
    let why = status["conditions"][0]["message"].as_str().unwrap();
    assert!(
        why.contains("Rejected: wave `canary`") && why.contains("web-1: not for me"),
        "{why}"
    );
    assert_eq!(status["rollout"]["returned"]["gate"], "Rejected");
    // It is not tried again by itself, also not after a restart.
    mesh.room.stop().await;
    mesh.room.start().await.unwrap();
    let status = mesh.room.settled(&bad).await;
    assert_eq!(status["revision"], mesh.first, "{status}");
    assert_eq!(status["conditions"][0]["reason"], "RolloutFailed");
    let Mesh {
        room,
        web,
        api,
        held,
        ..
    } = &mut mesh;
    web.1 = room.reconnect(&web.0, Some(held.clone())).await.unwrap();
    web.1.ready().await;
    api.1 = room.connect(&api.0).await.unwrap();
    assert_ne!(api.1.configuration().await.revision, bad);
    api.1.ready().await;
    // An operator wants it to be.
    assert_eq!(mesh.tell("resume").await.0, 200);
    let again = offered(&mut mesh.web.1).await;
    assert_eq!(
        (again.root, again.revision.as_str()),
        (new.root, bad.as_str())
    );
    mesh.web.1.send(FromProxy::Ack { root: again.root }).await;
    assert_eq!(mesh.api.1.configuration().await.revision, bad);
    assert_eq!(mesh.room.settled(&bad).await["revision"], bad);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_goes_on_where_it_was() {
    let mut mesh = Mesh::open().await;
    let second = mesh.commit();
    let new = mesh.web.1.configuration().await;
    assert_eq!(new.revision, second);
    let Mesh { room, web, api, .. } = &mut mesh;
    // The fleet has not been asked yet, or has not answered.
    room.stop().await;
    room.start().await.unwrap();
    web.1 = room.reconnect(&web.0, Some(new.clone())).await.unwrap();
    web.1.ready().await;
    api.1 = room.connect(&api.0).await.unwrap();
    let first = api.1.configuration().await;
    if first.revision != second {
        assert_eq!(api.1.configuration().await.revision, second);
    }
    api.1.ready().await;
    assert_eq!(room.settled(&second).await["revision"], second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_and_an_abort_takes_back() {
    let mut mesh = Mesh::open().await;
    let second = mesh.commit();
    let new = offered(&mut mesh.web.1).await;
    let (status, view) = mesh.tell("pause").await;
    assert_eq!(status, 200, "{view}");
    assert!(view.contains("\"paused\":true"), "{view}");
    mesh.web.1.send(FromProxy::Ack { root: new.root }).await;
    let status = mesh.status().await;
    assert_eq!(status["rollout"]["paused"], true, "{status}");
    assert_eq!(status["revision"], mesh.first);
    assert_eq!(mesh.tell("abort").await.0, 200);
    let back = mesh.web.1.configuration().await;
    assert_eq!((back.root, &back.revision), (mesh.held.root, &mesh.first));
    let status = mesh.room.settled(&second).await;
    assert_eq!(status["revision"], mesh.first, "{status}");
    assert_eq!(status["rollout"]["returned"]["gate"], "Aborted");
    // The next commit is another one, and this one cannot wait.
    mesh.room.write("other.yaml", "# nothing\n");
    let third = mesh.room.commit("at once\n\nMesh-Rollout-At-Once: true");
    let (web, api) = (&mut mesh.web.1, &mut mesh.api.1);
    let (one, two) = tokio::join!(web.configuration(), api.configuration());
    assert_eq!((one.revision, two.revision), (third.clone(), third.clone()));
    assert_eq!(mesh.room.settled(&third).await["revision"], third);
}
