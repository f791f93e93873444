//! What git's history does is followed: backwards, sideways, and in a hurry.

use mesh_tests::{Load, Mesh, Options};

const CANARY: &str = "api/canary.yaml";

#[tokio::test]
async fn going_back_is_a_commit_like_any_other_where_it_is_allowed() {
    let mesh = Options::from_example("shop")
        .meshd(&["--allow-rewind"])
        .start()
        .await;
    let first = mesh.meshd().status().await;
    let second = mesh
        .change(|repo| {
            repo.replace(CANARY, "weight: 90", "weight: 0");
            repo.replace(CANARY, "weight: 10", "weight: 100");
        })
        .await;
    assert_ne!(first.digest(), second.digest());
    assert_eq!(mesh.client("web-1", "api").get("/").await.by(), "api-2");
    mesh.repo().git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    let back = mesh.meshd().settled(&mesh.head().await).await;
    assert_eq!(back.revision(), first.revision());
    assert_eq!(
        back.digest(),
        first.digest(),
        "the same files, another bundle"
    );

    // Another history with the same files is served too.
    mesh.repo()
        .git(&["checkout", "--quiet", "--orphan", "other"]);
    let orphan = mesh.repo().commit("Begin again");
    mesh.repo().git(&["branch", "--force", "main", "other"]);
    let sideways = mesh.meshd().settled(&orphan).await;
    assert_eq!(sideways.revision(), orphan);
    assert_eq!(sideways.digest(), first.digest());
}

#[tokio::test]
async fn a_branch_that_is_forced_back_is_not_followed() {
    let mesh = Options::from_example("shop").start_meshd().await;
    let first = mesh.head().await;
    let second = mesh.commit("more.yaml", "# nothing\n").await;
    mesh.repo().git(&["reset", "--quiet", "--hard", &first]);
    let back = mesh.meshd().settled(&first).await;
    assert_eq!(back.revision(), second.revision());
    let conditions = back.status["conditions"].to_string();
    assert!(conditions.contains("HistoryRewritten"), "{conditions}");
    assert!(conditions.contains("does not build on"), "{conditions}");
    // A commit on top of the good one is followed again.
    mesh.repo()
        .git(&["reset", "--quiet", "--hard", second.revision()]);
    let third = mesh.commit("more.yaml", "# something\n").await;
    assert_eq!(third.status["conditions"][0]["status"], "True");
}

#[tokio::test]
async fn of_many_commits_the_last_one_counts() {
    let mesh = Mesh::from_example("shop").await;
    let load = Load::start(mesh.client("web-1", "api"), "/", 2);
    for step in 0..40 {
        let (old, new) = (10 + step, 11 + step);
        let (old, new) = (format!("weight: {old}\n"), format!("weight: {new}\n"));
        mesh.repo().replace(CANARY, &old, &new);
        mesh.repo().commit("Step");
    }
    let head = mesh.head().await;
    assert_eq!(mesh.meshd().settled(&head).await.revision(), head);
    let (_, other) = mesh.holders().await;
    assert!(other.is_empty(), "{other:?} hold something older");
    load.more(20).await;
    load.stop().await.assert_none_failed();
}

#[tokio::test]
async fn a_dataplane_that_is_removed_is_served_no_more() {
    let mesh = Mesh::from_example("shop").await;
    let outsider = mesh.proxy("outsider-1");
    mesh.change(|repo| repo.remove("outsider/dataplane.yaml"))
        .await;
    let meshd = mesh.meshd().process().log().clone();
    let gone = |line: &mesh_tests::Line| line.field("proxy").contains("outsider-1");
    meshd.wait(0, "disconnected", gone).await;
    // It may not come back under its old name, with its old certificate.
    outsider.kill().await;
    let mark = meshd.mark();
    outsider.launch();
    let name = [("dataplane", "outsider-1")];
    let refused = meshd.says(mark, "refused", &name).await;
    assert!(
        refused.field("reason").contains("no Dataplane"),
        "{refused}"
    );
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
}
