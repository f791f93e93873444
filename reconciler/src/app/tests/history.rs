//! What was published, asked of a meshd that runs, and what two publications differ in.

use serde_json::Value;

use super::room::{PERMISSION, Room};

fn short(revision: &str) -> &str {
    revision.get(..9).unwrap()
}

async fn history(room: &Room) -> Vec<Value> {
    let (status, text) = room.get("/v1/history").await;
    assert_eq!(status, 200, "{text}");
    let page: Value = serde_json::from_str(&text).unwrap();
    page["entries"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bundle_is_there_with_its_commit_and_who_runs_it_and_is_compiled_again() {
    let (mut room, first) = Room::open().await;
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut web = room.connect(&web).await.unwrap();
    web.configuration().await;
    let closed = PERMISSION.replace("workload/web", "workload/nobody");
    room.write("permission.yaml", &closed);
    let second = room.commit("Let nobody in");
    let status = room.settled(&second).await;
    room.write("permission.yaml", "nonsense: [");
    let bad = room.commit("Break it");
    room.settled(&bad).await;
    for _ in 0..2 {
        let list = history(&room).await;
        let part = |at: usize, field: &str| list[at][field].as_str().unwrap().to_owned();
        let states: Vec<_> = (0..list.len())
            .map(|at| (part(at, "revision"), part(at, "state"), part(at, "subject")))
            .collect();
        assert_eq!(
            states,
            [
                (
                    second.clone(),
                    "live".to_owned(),
                    "Let nobody in".to_owned()
                ),
                (first.clone(), "superseded".to_owned(), "first".to_owned()),
            ],
            "a commit that does not compile was never published"
        );
        assert_eq!(part(0, "author"), "t");
        assert_eq!(list[0]["digest"], status["digest"]);
        assert_eq!(list[0]["before"], list[1]["digest"]);
        // A restart changes nothing of it.
        room.stop().await;
        room.start().await.unwrap();
        room.settled(&bad).await;
    }
    let digest = history(&room).await[1]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    for (query, code, part) in [
        ("".to_owned(), 200, "who reaches what"),
        (format!("?of={}", short(&second)), 200, "who reaches what"),
        (
            format!("?of={second}&of={digest}&format=json"),
            200,
            "\"different\":true",
        ),
        (
            format!("?of={first}&of={digest}"),
            200,
            "no change in meaning",
        ),
        (
            format!("?of={first}"),
            404,
            "the first bundle of the history",
        ),
        ("?of=ffffffff".to_owned(), 404, "`meshd history` shows"),
        ("?of=a&side=b".to_owned(), 400, "the parameters are"),
    ] {
        let (status, text) = room.get(&format!("/v1/diff{query}")).await;
        assert_eq!(status, code, "{query}: {text}");
        assert!(text.contains(part), "{query}: {text}");
        if status == 200 {
            let page: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(page["remarks"], Value::Array(Vec::new()), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_does_not_give_as_it_was_published_is_said() {
    let (mut room, first) = Room::open().await;
    room.write("other.yaml", "# nothing\n");
    let second = room.commit("Say nothing");
    let status = room.settled(&second).await;
    let digest = status["digest"].as_str().unwrap().to_owned();
    // What was published does not come out of the commit any more: it is said.
    let kept = room.state.path().join("sources/repository/history.json");
    room.stop().await;
    let text = std::fs::read_to_string(&kept).unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    std::fs::write(&kept, text.replace(&digest, &other)).unwrap();
    room.start().await.unwrap();
    let (_, text) = room.get(&format!("/v1/diff?of={second}")).await;
    assert!(
        text.contains("compiles to") && text.contains(&digest),
        "{text}"
    );
    // git has lost it.
    room.stop().await;
    let gone = "f".repeat(40);
    let text = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, text.replace(&first, &gone)).unwrap();
    room.start().await.unwrap();
    let (status, text) = room.get(&format!("/v1/diff?of={gone}&of={second}")).await;
    assert_eq!(status, 409, "{text}");
    assert!(
        text.contains("cannot be read from what meshd has"),
        "{text}"
    );
}
