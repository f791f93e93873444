//! A full disk under a real meshd: what is served goes on, the condition says what, and room mends it.

use mesh_tests::{Disk, Line, Mesh, Options, PATIENCE, Proxy, Sshd, Token};

/// Enough for meshd, and soon filled.
const KIB: u32 = 8 << 10;
const FULL: &str = "No space left on device";

fn options() -> Options {
    Options::from_example("shop")
        .only(&["web-1", "api-1"])
        .with(|repo| repo.remove("api/canary.yaml"))
        .disk(KIB)
}

/// A comment that cannot be packed into much less.
fn noise(length: usize, seed: u64) -> String {
    let mut state = seed;
    let mut text = String::from("#");
    while text.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text.push_str(&format!(" {:08x}", state >> 32));
    }
    text.push('\n');
    text
}

/// The conditions, as soon as one says that there is no room.
async fn told(mesh: &Mesh) -> String {
    let asked = async {
        loop {
            let status = mesh.meshd().status().await.status;
            let conditions = status["conditions"].to_string();
            if conditions.contains(FULL) {
                return conditions;
            }
            // Answered when that time is over: nothing settles here.
            let later = "/v1/status?settled=0000000000&timeout=200ms";
            mesh.meshd().ask("GET", later, "").await;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asked).await;
    asked.expect("a condition in time")
}

#[tokio::test]
async fn without_room_for_what_git_says_the_last_good_commit_is_served() {
    if !Disk::is_possible() {
        return;
    }
    let Some(sshd) = Sshd::start().await else {
        return;
    };
    // The objects of a repository elsewhere have to be kept.
    let url = sshd.url(std::path::Path::new("REPO"));
    let [key, known] = ["dev", "known_hosts"].map(|name| sshd.file(name).display().to_string());
    let options = options().configured(move |repo| {
        let url = url.replace("REPO", &repo.path().display().to_string());
        format!(
            "[[source]]\nname = \"shop\"\nrepository = \"{url}\"\npoll = \"1s\"\n\
             ssh = {{ key = \"{key}\", known-hosts = \"{known}\" }}\n"
        )
    });
    let mesh = options.start().await;
    let first = mesh.head().await;
    mesh.disk().fill();
    for number in 0..8 {
        let file = format!("web/large-{number}.yaml");
        mesh.repo().write(&file, &noise(512 << 10, number));
    }
    let second = mesh.repo().commit("Large");
    let conditions = told(&mesh).await;
    assert!(
        conditions.contains(FULL) && conditions.contains("FetchFailed"),
        "{conditions}"
    );
    assert_eq!(mesh.meshd().status().await.revision(), first);
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    // A kill does not make it worse.
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    assert_eq!(mesh.meshd().status().await.revision(), first);
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    mesh.disk().free();
    let settled = mesh.meshd().settled(&second).await;
    assert_eq!(settled.revision(), second, "{}", settled.status);
}

#[tokio::test]
async fn without_room_for_its_state_a_correction_is_served_and_nobody_joins_twice() {
    if !Disk::is_possible() {
        return;
    }
    let mesh = options().start().await;
    // A token for one proxy, made while there is room.
    let token = mesh.directory().join("late.token");
    mesh.meshd().token(Token::Dataplane("web-1"), &token).await;
    mesh.disk().fill();
    let mark = mesh.meshd().process().log().mark();
    let large = noise(256 << 10, 1);
    let settled = mesh
        .change(move |repo| repo.write("web/more.yaml", &large))
        .await;
    let second = settled.revision().to_owned();
    let conditions = settled.status["conditions"].to_string();
    assert!(
        conditions.contains("StorageOperationFailed") && conditions.contains(FULL),
        "{conditions}"
    );
    // What cannot be written down is not used up, and lets nobody in.
    mesh.forget("web-1").await;
    let proxy = mesh.proxy("web-1");
    let late = Proxy::new(
        "web-1",
        &mesh.meshd().delivery().to_string(),
        &token,
        mesh.directory(),
    );
    late.launch();
    let log = mesh.meshd().process().log().clone();
    let refused = |line: &Line| line.to_string().contains("join token cannot be judged");
    log.find(mark, "that a token cannot be judged", refused)
        .await;
    // git has what the disk has not.
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    let settled = mesh.meshd().settled(&second).await;
    assert_eq!(settled.revision(), second, "{}", settled.status);
    mesh.disk().free();
    late.ready().await;
    let settled = mesh
        .change(|repo| repo.write("web/more.yaml", "# and more\n"))
        .await;
    let conditions = settled.status["conditions"].to_string();
    assert!(
        !conditions.contains("StorageOperationFailed"),
        "{conditions}"
    );
    assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
    drop(proxy);
}
