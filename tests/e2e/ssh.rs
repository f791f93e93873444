//! A repository behind a real sshd: commits are served, and nobody is believed whom the operator did not write down.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use mesh_tests::{Mesh, Options, Settled, Sshd};

/// A mesh whose repository is at `url`, with these files.
fn options(url: &str, (key, known): (&Path, &Path), more: &str) -> Options {
    let (key, known, url) = (key.display(), known.display(), url.to_owned());
    Options::from_example("shop").configured(move |repo| {
        let url = url.replace("REPO", &repo.path().display().to_string());
        format!(
            "[[source]]\nname = \"shop\"\nrepository = \"{url}\"\npoll = \"1s\"\n{more}\n\
             ssh = {{ key = \"{key}\", known-hosts = \"{known}\" }}\n"
        )
    })
}

fn failed(settled: &Settled) -> Option<(String, String)> {
    let all = settled.status["conditions"].as_array().expect("conditions");
    let found = all.iter().find(|each| each["type"] == "FetchFailed")?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("reason"), text("message")))
}

/// Waits until a fetch has failed like this, and asserts that what was served is served.
async fn fails(mesh: &Mesh, (mark, good): (usize, &str), reason: &str, said: &str) {
    let log = mesh.meshd().process().log().clone();
    let is_it = |line: &mesh_tests::Line| {
        line.message() == "not published" && line.field("error").contains(said)
    };
    let line = log.find(mark, said, is_it).await;
    assert_eq!(line.field("reason"), reason, "{line}");
    let settled = mesh.meshd().status().await;
    assert_eq!(settled.revision(), good);
    let (condition, message) = failed(&settled).expect("a condition");
    assert_eq!(condition, reason, "{message}");
    assert!(message.contains(said), "{message}");
}

/// Commits something, and waits until it is served.
async fn follows(mesh: &Mesh, text: &str) -> String {
    mesh.repo().write("note.yaml", text);
    let revision = mesh.repo().commit("Go on");
    let served = [("revision", revision.as_str())];
    let log = mesh.meshd().process().log().clone();
    log.says(0, "published", &served).await;
    assert_eq!(failed(&mesh.meshd().status().await), None);
    revision
}

#[tokio::test]
async fn commits_come_over_ssh_and_only_from_whom_the_operator_wrote_down() {
    let Some(sshd) = Sshd::start().await else {
        return;
    };
    let (key, known) = (sshd.file("dev"), sshd.file("known_hosts"));
    let url = sshd.url(Path::new("REPO"));
    let mesh = options(&url, (&key, &known), "").start_meshd().await;
    let mut good = follows(&mesh, "# One.\n").await;
    let right = std::fs::read_to_string(&known).expect("known hosts");
    let named = format!("[127.0.0.1]:{}", sshd.address().port());
    let another = format!("{named} {}", sshd.stranger("another"));
    let elsewhere = right.replace(&named, "elsewhere.example");
    let refused = "AuthenticationFailed";
    for (text, said) in [
        (another.as_str(), "another host key than"),
        (elsewhere.as_str(), "no host key of the server stands in"),
        ("", "no host key of the server stands in"),
    ] {
        let mark = mesh.meshd().process().log().mark();
        std::fs::write(&known, text).expect("written");
        fails(&mesh, (mark, &good), refused, said).await;
        let kept = std::fs::read_to_string(&known).expect("known hosts");
        assert_eq!(kept, text, "a host key was learned");
        std::fs::write(&known, &right).expect("written");
        good = follows(&mesh, &format!("# After {said}.\n# {}\n", text.len())).await;
    }
    // A key that the server does not know; and one that others may read.
    let kept = sshd.file("kept");
    std::fs::rename(&key, &kept).expect("renamed");
    sshd.stranger("mallory");
    std::fs::copy(sshd.file("mallory"), &key).expect("copied");
    fails(&mesh, (0, &good), refused, "does not let the key in").await;
    std::fs::copy(&kept, &key).expect("copied");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("a mode");
    fails(&mesh, (0, &good), refused, "give it mode 0600").await;
    std::fs::rename(&kept, &key).expect("renamed");
    follows(&mesh, "# The end.\n").await;
    let log = mesh.meshd().process().log().to_string();
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_in_time_and_asked_again() {
    let Some(sshd) = Sshd::start().await else {
        return;
    };
    let (key, known) = (sshd.file("dev"), sshd.file("known_hosts"));
    let url = sshd.url(Path::new("REPO"));
    let short = options(&url, (&key, &known), "timeout = \"3s\"");
    let mesh = short.start_meshd().await;
    let good = mesh.head().await;
    // It lets meshd in, and then says nothing.
    let authorized = std::fs::read_to_string(sshd.file("authorized")).expect("keys");
    let hangs = format!("command=\"sleep 600\" {authorized}");
    std::fs::write(sshd.file("authorized"), hangs).expect("written");
    let begin = Instant::now();
    fails(
        &mesh,
        (0, &good),
        "GitOperationFailed",
        "not done within 3s",
    )
    .await;
    assert!(begin.elapsed().as_secs() < 15, "{:?}", begin.elapsed());
    // What it says is not git's protocol.
    let babbles = format!("command=\"echo hello\" {authorized}");
    std::fs::write(sshd.file("authorized"), babbles).expect("written");
    let mark = mesh.meshd().process().log().mark();
    let log = mesh.meshd().process().log().clone();
    let not_git = |line: &mesh_tests::Line| {
        line.message() == "not published" && !line.field("error").contains("not done within")
    };
    log.find(mark, "another failure", not_git).await;
    assert_eq!(mesh.meshd().status().await.revision(), good);
    std::fs::write(sshd.file("authorized"), authorized).expect("written");
    follows(&mesh, "# The end.\n").await;
}

#[tokio::test]
async fn a_server_that_never_greets_keeps_meshd_from_starting_no_longer_than_it_may() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("written");
    let settings = directory.path().join("meshd.toml");
    let text = format!(
        "[[source]]\nname = \"shop\"\nrepository = \"ssh://git@127.0.0.1:{port}/mesh.git\"\ntimeout = \"2s\"\n\
         ssh = {{ key = \"file\", known-hosts = \"file\" }}\n"
    );
    std::fs::write(&settings, text).expect("written");
    let mut command = std::process::Command::new(mesh_tests::binary("meshd"));
    command.arg("run").arg("--config").arg(&settings);
    command
        .arg("--state-dir")
        .arg(directory.path().join("state"));
    command.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let begin = Instant::now();
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("a task").expect("meshd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("not done within 2s"), "{said}");
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    drop(listener);
}
