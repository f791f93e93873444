//! git is not followed any more, and everybody is held at an earlier bundle: what that changes, and what it does not bring back.

use serde_json::{Value, json};

use super::super::Meshd;
use super::config;
use super::room::{Connected, PATIENCE, PERMISSION, Proxy, Room, api};
use crate::git::GitServer;
use crate::settings::Settings;

/// Three commits: the last one removes api-2, ends a token, and lets nobody in.
struct Story {
    room: Room,
    revisions: Vec<String>,
    web: (Proxy, Connected),
    gone: Proxy,
}

impl Story {
    async fn open() -> Self {
        let mut room = Room::new();
        room.write("api-2.yaml", &api("api-2", 9180));
        room.write("meshc.toml", "");
        let first = room.commit("first");
        room.start().await.unwrap();
        room.settled(&first).await;
        let web = room.enroll(&room.for_dataplane("web-1"), None, None).await;
        let web = web.unwrap();
        let mut session = room.connect(&web).await.unwrap();
        session.configuration().await;
        session.ready().await;
        let gone = room.enroll(&room.for_dataplane("api-2"), None, None).await;
        let gone = gone.unwrap();
        room.write("other.yaml", "# nothing\n");
        let second = room.commit("second");
        room.settled(&second).await;
        std::fs::remove_file(room.repository().join("api-2.yaml")).unwrap();
        let ended = "0123456789abcdef0123456789abcdef";
        room.write(
            "meshc.toml",
            &format!("[tokens]\nrevoked = [\"{ended}\"]\n"),
        );
        let closed = PERMISSION.replace("workload/web", "workload/nobody");
        room.write("permission.yaml", &closed);
        let third = room.commit("third");
        let status = room.settled(&third).await;
        assert_eq!(status["revision"], third, "{status}");
        Self {
            room,
            revisions: vec![first, second, third],
            web: (web, session),
            gone,
        }
    }

    async fn tell(&self, what: &str, body: Value) -> (u16, String) {
        self.room.tell(&format!("/v1/{what}"), &body).await
    }

    async fn status(&self) -> Value {
        let (_, text) = self.room.get("/v1/status").await;
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until everybody is given this.
    async fn served(&self, revision: &str) {
        let mut changed = self.room.meshd().status().watch();
        let served = async {
            while self.room.meshd().revision().as_deref() != Some(revision) {
                changed.changed().await.unwrap();
            }
        };
        let served = tokio::time::timeout(PATIENCE, served).await;
        served.unwrap_or_else(|_| panic!("{revision} is not served"));
    }
}

fn names(status: &Value) -> Vec<&str> {
    let proxies = status["proxies"].as_array().unwrap().iter();
    proxies
        .map(|proxy| proxy["name"].as_str().unwrap())
        .collect()
}

fn conditions(status: &Value) -> Vec<(&str, &str, &str)> {
    let conditions = status["conditions"].as_array().unwrap().iter();
    conditions
        .map(|it| {
            (
                it["type"].as_str().unwrap(),
                it["status"].as_str().unwrap(),
                it["reason"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_holds_everybody_over_commits_and_restarts_until_git_is_followed_again() {
    let mut story = Story::open().await;
    let revisions = story.revisions.clone();
    let back = json!({ "to": revisions[0].get(..10), "by": "ada", "reason": "nobody may call" });
    let (code, text) = story.tell("rollback", back).await;
    assert_eq!(code, 200, "{text}");
    assert!(
        text.contains("the Dataplane shop/api-2 was removed since"),
        "{text}"
    );
    story.served(&revisions[0]).await;
    // A commit changes nothing, and neither does a restart.
    story.room.write("other.yaml", "# something\n");
    let fourth = story.room.commit("fourth");
    for _ in 0..2 {
        let status = story.room.settled(&fourth).await;
        assert_eq!(status["revision"], revisions[0], "{status}");
        assert_eq!(
            conditions(&status),
            [
                ("Ready", "False", "RolledBack"),
                ("Suspended", "True", "RolledBack")
            ]
        );
        let why = status["conditions"][1]["message"].as_str().unwrap();
        assert!(
            why.contains("ada, ") && why.contains(": nobody may call; `meshd resume`"),
            "{why}"
        );
        assert_eq!(status["suspended"]["by"], "ada");
        assert_eq!(status["suspended"]["revision"], revisions[0]);
        // Removed is removed, whatever the earlier commit says.
        assert_eq!(names(&status), ["api-1", "web-1"]);
        let refused = story.room.connect(&story.gone).await;
        assert!(refused.is_err(), "a Dataplane that was removed came back");
        let (_, page) = story.room.get("/metrics").await;
        assert!(
            page.contains("meshd_suspended{reason=\"RolledBack\"} 1"),
            "{page}"
        );
        story.room.stop().await;
        story.room.start().await.unwrap();
    }
    let (_, text) = story.room.get("/v1/events").await;
    for reason in ["RolledBack", "NotBroughtBack"] {
        assert!(text.contains(&format!("\"reason\":\"{reason}\"")), "{text}");
    }
    let (code, text) = story.tell("resume", json!({ "by": "ada" })).await;
    assert_eq!(code, 200, "{text}");
    let status = story.room.settled(&fourth).await;
    assert_eq!(status["revision"], fourth, "{status}");
    assert_eq!(
        (&status["suspended"], &status["conditions"][0]["status"]),
        (&Value::Null, &"True".into())
    );
    let (_, text) = story.room.get("/v1/history").await;
    let history: Value = serde_json::from_str(&text).unwrap();
    let lines = history["entries"].as_array().unwrap().iter();
    let lines: Vec<_> = lines
        .map(|it| (it["revision"].as_str().unwrap(), it["rollback"] == true))
        .collect();
    let [first, second, third] = [0, 1, 2].map(|at| revisions[at].as_str());
    let expected = [
        (fourth.as_str(), false),
        (first, true),
        (third, false),
        (second, false),
        (first, false),
    ];
    assert_eq!(lines, expected);
    let (code, text) = story.tell("resume", json!({ "by": "ada" })).await;
    assert_eq!(
        (code, text.as_str()),
        (409, "git is followed: nothing is suspended\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_ended_since_stays_ended_under_a_rollback() {
    let mut story = Story::open().await;
    let revisions = story.revisions.clone();
    let revoked = |story: &Story| {
        let published = story.room.meshd().registry.published().unwrap();
        published.revoked_tokens.len()
    };
    assert_eq!(revoked(&story), 1);
    for (to, by) in [(1, "ada"), (0, "bob")] {
        let back = json!({ "to": revisions[to], "by": by, "reason": "back" });
        let (code, text) = story.tell("rollback", back).await;
        assert_eq!(code, 200, "{text}");
        story.served(&revisions[to]).await;
        assert_eq!(revoked(&story), 1, "a token counts again");
        assert_eq!(names(&story.status().await), ["api-1", "web-1"]);
    }
    story.room.stop().await;
    story.room.start().await.unwrap();
    assert_eq!(revoked(&story), 1, "a token counts again after a restart");
    assert_eq!(story.status().await["suspended"]["by"], "bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_meshd_follows_nothing_and_what_cannot_be_gone_back_to_changes_nothing() {
    let mut story = Story::open().await;
    let revisions = story.revisions.clone();
    let whole = |to: &str| json!({ "to": to, "by": "ada", "reason": "x" });
    for (what, body, code, part) in [
        (
            "suspend",
            json!({ "by": "ada", "reason": " " }),
            400,
            "say who does it",
        ),
        (
            "rollback",
            json!({ "to": revisions[0], "by": "", "reason": "x" }),
            400,
            "say who does it",
        ),
        ("rollback", whole("ffffffff"), 404, "`meshd history` shows"),
        ("suspend", json!({ "by": "ada" }), 422, "reason"),
    ] {
        let (status, text) = story.tell(what, body).await;
        assert_eq!(status, code, "{text}");
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(story.status().await["suspended"], Value::Null);
    let (code, text) = story
        .tell("suspend", json!({ "by": "ada", "reason": "moving" }))
        .await;
    assert_eq!(code, 200, "{text}");
    story.room.write("other.yaml", "# something\n");
    let fourth = story.room.commit("fourth");
    let status = story.room.settled(&fourth).await;
    assert_eq!(status["revision"], revisions[2], "{status}");
    assert_eq!(conditions(&status)[1], ("Suspended", "True", "Suspended"));
    // Another version of meshd would have made something else of the commit.
    let kept = story
        .room
        .state
        .path()
        .join("sources/repository/history.json");
    story.room.stop().await;
    let text = std::fs::read_to_string(&kept).unwrap();
    let history: Value = serde_json::from_str(&text).unwrap();
    let digest = history["entries"][2]["digest"].as_str().unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    std::fs::write(&kept, text.replace(digest, &other)).unwrap();
    story.room.start().await.unwrap();
    let (code, text) = story.tell("rollback", whole(&revisions[0])).await;
    assert_eq!(code, 409, "{text}");
    assert!(
        text.contains("compiles to") && text.contains("`--recompiled`"),
        "{text}"
    );
    assert_eq!(story.status().await["suspended"]["revision"], Value::Null);
    let mut accepted = whole(&revisions[0]);
    accepted["recompiled"] = json!(true);
    let (code, text) = story.tell("rollback", accepted).await;
    assert_eq!(code, 200, "{text}");
    let (web, _) = &story.web;
    let mut again = story.room.connect(web).await.unwrap();
    assert_eq!(again.configuration().await.revision, revisions[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_the_word_and_the_deed_is_made_good() {
    let mut story = Story::open().await;
    let revisions = story.revisions.clone();
    let served = std::fs::read(
        story
            .room
            .state
            .path()
            .join("sources/repository/published.log"),
    )
    .unwrap();
    let back = json!({ "to": revisions[1], "by": "ada", "reason": "back" });
    assert_eq!(story.tell("rollback", back).await.0, 200);
    story.served(&revisions[1]).await;
    story.room.stop().await;
    // As it is when the word was kept, and the bundle was not.
    std::fs::write(
        story
            .room
            .state
            .path()
            .join("sources/repository/published.log"),
        served,
    )
    .unwrap();
    story.room.start().await.unwrap();
    story.served(&revisions[1]).await;
    assert_eq!(names(&story.status().await), ["api-1", "web-1"]);
    // A word that cannot be read is no permission to go on.
    story.room.stop().await;
    std::fs::write(
        story
            .room
            .state
            .path()
            .join("sources/repository/suspended.json"),
        "{",
    )
    .unwrap();
    story.room.start().await.unwrap();
    let status = story.room.settled(&revisions[2]).await;
    assert_eq!(status["revision"], revisions[1], "{status}");
    assert_eq!(status["suspended"]["by"], "meshd", "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_gone_back_to_while_git_is_away() {
    let Some(server) = GitServer::start() else {
        return;
    };
    server.commit("type: Mesh\nname: one\n");
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let source = server.config("mesh.git").source;
    let config = config(
        Settings {
            sources: vec![source],
            ..Settings::default()
        },
        state.clone(),
    );
    let meshd = Meshd::start(config.clone()).await.unwrap();
    let first = meshd.revision().unwrap();
    let mut changed = meshd.status().watch();
    server.commit("type: Mesh\nname: one\n---\ntype: Mesh\nname: two\n");
    let followed = async {
        assert_eq!(Room::at(&state, ("POST", "/v1/reconcile")).await.0, 202);
        while meshd.revision().as_ref() == Some(&first) {
            changed.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, followed).await.unwrap();
    drop(server);
    let back = json!({ "to": first, "by": "ada", "reason": "two meshes" });
    let (code, text) = Room::told(&state, "/v1/rollback", &back).await;
    assert_eq!(code, 200, "{text}");
    assert_eq!(meshd.revision().as_ref(), Some(&first));
    meshd.end().await;
    // Also after a restart, which nothing of git helps.
    let meshd = Meshd::start(config).await.unwrap();
    assert_eq!(meshd.revision(), Some(first));
    let (_, text) = Room::at(&state, ("GET", "/v1/status")).await;
    assert!(text.contains("everybody is held at"), "{text}");
    meshd.end().await;
}
