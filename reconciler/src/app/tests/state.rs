//! What the state directory is good for: restarts, lost files, a second meshd.

use super::room::{MESH, Room, SERVICE};
use super::{Failure, Meshd};

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_commit_is_served_without_git() {
    let (mut room, first) = Room::open().await;
    room.write("service.yaml", &SERVICE.replace("selector", "slector"));
    let bad = room.commit("a mistake");
    room.settled(&bad).await;
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let held = room.connect(&web).await.unwrap().configuration().await;
    room.stop().await;
    let git = room.repository().join(".git");
    let away = room.repository().join("away");
    std::fs::rename(&git, &away).unwrap();
    // Killed while it wrote.
    std::fs::write(room.state.path().join(".writing-00"), b"half").unwrap();
    room.start().await.unwrap();
    assert_eq!(room.get("/readyz").await.0, 200);
    let (_, status) = room.get("/v1/status").await;
    assert!(status.contains(&first), "{status}");
    let again = room.connect(&web).await.unwrap().configuration().await;
    assert_eq!(
        again.root, held.root,
        "the same authorities, the same bytes"
    );
    // Git comes back.
    std::fs::rename(&away, &git).unwrap();
    room.stop().await;
    room.start().await.unwrap();
    let status = room.settled(&bad).await;
    assert_eq!(status["revision"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_comes_from_git_again() {
    let (mut room, first) = Room::open().await;
    room.stop().await;
    for damage in ["", "{", "{\"format\":7}"] {
        std::fs::write(
            room.state.path().join("sources/repository/published.log"),
            damage,
        )
        .unwrap();
        std::fs::write(room.state.path().join("proxies.json"), damage).unwrap();
        room.start().await.unwrap();
        let status = room.settled(&first).await;
        assert_eq!(status["revision"], first);
        room.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_git_and_without_state_meshd_ends_with_a_reason() {
    let mut room = Room::new();
    room.commit("first");
    room.git(&["branch", "-m", "main", "trunk"]);
    let failure = room.start().await.err().unwrap();
    assert!(matches!(failure, Failure::Repository(_)), "{failure:?}");
    let text = failure.to_string();
    assert!(text.contains("no branch or tag `main`"), "{text}");
    let mut config = room.config();
    config.settings.sources[0].repository = "/nonexistent".to_owned();
    let failure = Meshd::start(config).await.err().unwrap().to_string();
    assert!(failure.contains("not a git repository"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_first_commit_is_waited_out() {
    let mut room = Room::new();
    room.write("mesh.yaml", "type: Mehs\nname: shop\n");
    let bad = room.commit("a mistake");
    room.start().await.unwrap();
    let (status, body) = room.get("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.starts_with("CompileFailed: "), "{body}");
    let status = room.settled(&bad).await;
    assert_eq!(status["revision"], serde_json::Value::Null);
    room.write("mesh.yaml", MESH);
    let good = room.commit("mended");
    assert_eq!(room.settled(&good).await["revision"], good);
    assert_eq!(room.get("/readyz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_directory_has_one_meshd() {
    let (room, _) = Room::open().await;
    let failure = Meshd::start(room.config()).await.err().unwrap();
    assert!(failure.to_string().contains("in use"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_authority_is_told_and_not_made_again() {
    let (mut room, _) = Room::open().await;
    room.stop().await;
    for file in std::fs::read_dir(room.state.path().join("ca")).unwrap() {
        let file = file.unwrap().path();
        let kept = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let failure = room.start().await.err().unwrap().to_string();
        assert!(failure.contains("is lost"), "{failure}");
        assert!(!file.exists());
        std::fs::write(&file, kept).unwrap();
    }
    room.start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_does_not_stop_a_correction() {
    let (mut room, _) = Room::open().await;
    let file = room.state.path().join("sources/repository/published.log");
    std::fs::remove_file(&file).unwrap();
    // Stands for a full disk: nothing can take this place.
    std::fs::create_dir_all(file.join("in the way")).unwrap();
    room.write("service.yaml", &SERVICE.replace("port: 80", "port: 81"));
    room.write(
        "web.yaml",
        &super::web("web-1").replace("port: 80", "port: 81"),
    );
    let second = room.commit("a correction");
    let status = room.settled(&second).await;
    assert_eq!(status["revision"], second, "{status}");
    let degraded = &status["conditions"][1];
    assert_eq!(degraded["type"], "Degraded", "{status}");
    assert_eq!(degraded["reason"], "StorageOperationFailed");
    room.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_and_the_keys_of_the_authorities_are_everything() {
    let (mut room, first) = Room::open().await;
    let token = room.for_dataplane("web-1");
    let web = room.enroll(&token, None, None).await.unwrap();
    let mut session = room.connect(&web).await.unwrap();
    let held = session.configuration().await;
    let issuer = "kri_mid_shop_default__identity_".parse().unwrap();
    let before = session.certificate(Some(issuer)).await.unwrap();
    room.stop().await;
    // The machine is gone; the backup holds this, and the repository is a clone.
    let restored = tempfile::tempdir().unwrap();
    std::fs::create_dir(restored.path().join("ca")).unwrap();
    for entry in std::fs::read_dir(room.state.path().join("ca")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(
            entry.path(),
            restored.path().join("ca").join(entry.file_name()),
        )
        .unwrap();
    }
    room.state = restored;
    room.start().await.unwrap();
    let status = room.settled(&first).await;
    assert_eq!(status["revision"], first, "{status}");
    // Proxies that were enrolled before come back, and hold what is wanted.
    let mut session = room.reconnect(&web, Some(held.clone())).await.unwrap();
    let issuer = "kri_mid_shop_default__identity_".parse().unwrap();
    let after = session.certificate(Some(issuer)).await.unwrap();
    assert_eq!(before.chain.len(), after.chain.len());
    let fresh = room.connect(&web).await.unwrap().configuration().await;
    assert_eq!(fresh.root, held.root, "the same authorities are trusted");
    // And new ones join.
    let token = room.for_dataplane("api-1");
    room.enroll(&token, None, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_version_kept_of_its_source_counts() {
    let (mut room, first) = Room::open().await;
    let order = serde_json::json!({ "by": "ada", "reason": "a freeze" });
    assert_eq!(room.tell("/v1/suspend", &order).await.0, 200);
    room.stop().await;
    // As it lay before there could be several sources.
    let own = room.state.path().join("sources/repository");
    for file in std::fs::read_dir(&own).unwrap() {
        let file = file.unwrap();
        std::fs::rename(file.path(), room.state.path().join(file.file_name())).unwrap();
    }
    std::fs::remove_dir_all(room.state.path().join("sources")).unwrap();
    room.start().await.unwrap();
    let (_, status) = room.get("/v1/status").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["suspended"]["by"], "ada", "{status}");
    assert_eq!(status["revision"], first, "{status}");
    let (_, history) = room.get("/v1/history").await;
    assert!(history.contains(&first), "{history}");
    assert!(!room.state.path().join("published.log").exists());
    assert!(own.join("published.log").exists());
}
