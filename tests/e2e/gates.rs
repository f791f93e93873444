//! What nobody may do alone, meshd does not publish: the gates of the repository and those of the operator, asked of each
//! commit, and not to be taken away by the one that breaks them.

use std::path::PathBuf;

use mesh_tests::{Mesh, Options, Repo, Settled};

const GATES: &str = "# Ours.\n[gates]\nmax-removed-edges-percent = 10\n";
/// Nobody may call the API any more.
const CLOSED: (&str, &str, &str) = ("api/permission.yaml", "workload/web", "workload/nobody");

fn condition(settled: &Settled, kind: &str) -> (String, String) {
    let all = settled.status["conditions"].as_array().expect("conditions");
    let found = all.iter().find(|condition| condition["type"] == kind);
    let text = |field: &str| {
        let value = found.map(|condition| condition[field].as_str().unwrap_or_default());
        value.unwrap_or_default().to_owned()
    };
    (text("reason"), text("message"))
}

async fn mesh(repository: &'static str, operator: &'static str) -> (Mesh, PathBuf) {
    let options = Options::from_example("shop").with(|repo| repo.write("meshc.toml", repository));
    let keep = tempfile::tempdir().expect("a directory").keep();
    let file = keep.join("gates.toml");
    let options = options.configured(|repo| {
        let mut text = format!(
            "[[source]]\nname = \"shop\"\nrepository = \"{}\"\n",
            repo.path().display()
        );
        if !operator.is_empty() {
            std::fs::write(&file, operator).expect("a file of gates");
            text += &format!("gates = \"{}\"\n", file.display());
        }
        text
    });
    (options.start_meshd().await, file)
}

fn close(repo: &Repo) {
    let (file, old, new) = CLOSED;
    repo.replace(file, old, new);
}

/// Commits, and returns what became of it.
async fn pushed(mesh: &Mesh, message: &str, change: impl FnOnce(&Repo)) -> (String, Settled) {
    change(mesh.repo());
    let revision = mesh.repo().commit(message);
    let settled = mesh.meshd().settled(&revision).await;
    (revision, settled)
}

/// Asserts that a commit was not published, by which gate, and that the last good one is served.
fn held(good: &str, settled: &Settled, rule: &str) {
    assert_eq!(settled.revision(), good, "{}", settled.status);
    let (reason, message) = condition(settled, "Stalled");
    assert_eq!(reason, "GateBroken", "{}", settled.status);
    let first = "api/permission.yaml:12:";
    assert!(message.starts_with(first), "{message}");
    assert!(
        message.contains("error[gate-removal] 1 of 2 edges"),
        "{message}"
    );
    let told = settled.diagnostics();
    for part in [
        "gate-removal",
        "api/permission.yaml:12",
        rule,
        "Mesh-Allow-Removal",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
}

#[tokio::test]
async fn a_commit_cannot_take_away_the_gates_that_it_breaks() {
    let (mesh, _) = mesh(GATES, "").await;
    let good = mesh.head().await;
    let (_, settled) = pushed(&mesh, "Close", close).await;
    held(&good, &settled, "meshc.toml:3");
    // Neither in the same commit nor in one below it that was never published.
    let (_, settled) = pushed(&mesh, "Lift", |repo| repo.remove("meshc.toml")).await;
    held(&good, &settled, "meshc.toml:3");
    // What is served is what counts, also after a restart.
    mesh.meshd().kill().await;
    mesh.meshd().start().await;
    let more = |repo: &Repo| repo.write("note.yaml", "# After a restart.\n");
    let (_, settled) = pushed(&mesh, "More", more).await;
    held(&good, &settled, "meshc.toml:3");
    // A mend is published, and whoever says why is let through.
    let mend = |repo: &Repo| {
        let (file, old, new) = CLOSED;
        repo.replace(file, new, old);
        repo.write("meshc.toml", GATES);
    };
    let (mended, settled) = pushed(&mesh, "Mend", mend).await;
    assert_eq!(settled.revision(), mended, "{}", settled.status);
    let reason = "Close\n\nMesh-Allow-Removal: web is gone";
    let (allowed, settled) = pushed(&mesh, reason, close).await;
    assert_eq!(settled.revision(), allowed, "{}", settled.status);
    let events = mesh.meshd().ask("GET", "/v1/events", "").await.json();
    let events = events.as_array().expect("events").iter();
    let told: Vec<_> = events
        .filter(|event| event["reason"] == "GateAllowed")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["metadata"]["revision"], allowed);
    let message = told[0]["message"].as_str().unwrap_or_default();
    assert!(message.contains("says why: web is gone"), "{message}");
}

#[tokio::test]
async fn a_gate_may_be_lifted_by_a_commit_of_its_own_but_not_that_of_the_operator() {
    let (mesh, operator) = mesh(GATES, "[gates]\nmax-removed-edges-percent = 20\n").await;
    let lift = |repo: &Repo| repo.remove("meshc.toml");
    let (lifted, settled) = pushed(&mesh, "Lift", lift).await;
    assert_eq!(settled.revision(), lifted, "{}", settled.status);
    let (closed, settled) = pushed(&mesh, "Close", close).await;
    held(&lifted, &settled, "gates.toml:2");
    // The operator may lift it, and the same commit is looked at again; gates that cannot be read are not passed.
    let log = mesh.meshd().process().log().clone();
    std::fs::write(&operator, "[gate]\n").expect("written");
    mesh.meshd().command(&["reconcile"]).await;
    let unread = [("reason", "GatesNotReadable")];
    log.says(0, "not published", &unread).await;
    assert_eq!(mesh.meshd().status().await.revision(), lifted);
    std::fs::write(&operator, "[gates]\n").expect("written");
    mesh.meshd().command(&["reconcile"]).await;
    log.says(0, "published", &[("revision", &closed)]).await;
    assert_eq!(mesh.meshd().status().await.revision(), closed);
}

#[tokio::test]
async fn a_commit_whose_tests_fail_is_given_to_nobody_where_the_repository_says_so() {
    let (mesh, _) = mesh("[gates]\ntests = true\n", "").await;
    let good = mesh.head().await;
    let (_, settled) = pushed(&mesh, "Close", close).await;
    assert_eq!(settled.revision(), good, "{}", settled.status);
    let (reason, message) = condition(&settled, "Stalled");
    assert_eq!(reason, "TestsFailed", "{}", settled.status);
    assert!(message.starts_with("api/test.yaml:"), "{message}");
    let told = settled.diagnostics();
    let name = "the front reaches the API";
    assert!(
        told.contains(name) && told.contains("api/permission.yaml:"),
        "{told}"
    );
    // Neither does it help to say in the same commit that tests need not hold; to change what is meant does.
    let lift = |repo: &Repo| repo.remove("meshc.toml");
    let (_, settled) = pushed(&mesh, "Lift", lift).await;
    assert_eq!(settled.revision(), good, "{}", settled.status);
    let mean = |repo: &Repo| repo.remove("api/test.yaml");
    let (meant, settled) = pushed(&mesh, "Mean it", mean).await;
    assert_eq!(settled.revision(), meant, "{}", settled.status);
}

#[tokio::test]
async fn the_first_gates_hold_for_the_commit_that_brings_them() {
    let (mesh, _) = mesh("# Nothing yet.\n", "").await;
    let good = mesh.head().await;
    let both = |repo: &Repo| {
        repo.write("meshc.toml", GATES);
        close(repo);
    };
    let (_, settled) = pushed(&mesh, "Close, and say that nobody may", both).await;
    held(&good, &settled, "meshc.toml:3");
}
