//! `meshc snapshot`: texts beside a repository, compared, accepted and rejected.
//!
//! Never depends on where the tests run: every run says itself whether it is a pipeline.

use super::run::{Ran, Repo};

const WEB: &str = "snapshots/default/proxies/web.snap";

fn shop() -> Repo {
    Repo::shop_without(&["outsider.yaml", "canary.yaml"])
}

fn snapshot(repo: &Repo, arguments: &[&str], pipeline: &str) -> Ran {
    let all: Vec<&str> = std::iter::once("snapshot")
        .chain(arguments.iter().copied())
        .collect();
    repo.meshc_with(&all, &[("CI", pipeline), ("TF_BUILD", "")])
}

fn slower(repo: &Repo) {
    let text = include_str!("../../examples/shop/api/timeouts.yaml").replace("3s", "5s");
    repo.write("timeouts.yaml", text);
}

#[test]
fn what_is_accepted_is_held() {
    let repo = shop();
    snapshot(&repo, &["check"], "true")
        .exits(1)
        .complains("missing")
        .says("+++ default/proxies/web.snap");
    // A pipeline writes nothing.
    assert!(!repo.path("snapshots").exists());
    snapshot(&repo, &["accept"], "")
        .exits(0)
        .complains("wrote ");
    snapshot(&repo, &["check"], "true").exits(0);
    let text = std::fs::read_to_string(repo.path(WEB)).expect("a snapshot");
    assert!(
        text.starts_with("# meshc snapshot, format 1\n\nclass web\nproxies\n  web-1\n"),
        "{text}"
    );
    // Lines, files and comments mean nothing.
    let permission = include_str!("../../examples/shop/api/permission.yaml");
    std::fs::remove_file(repo.path("permission.yaml")).expect("it is there");
    repo.write("moved/who.yaml", format!("# Moved.\n\n{permission}"));
    snapshot(&repo, &["check"], "true").exits(0);
}

#[test]
fn what_is_stale_is_shown_and_pending() {
    let repo = shop();
    snapshot(&repo, &["accept"], "").exits(0);
    slower(&repo);
    let pending = format!("{WEB}.new");
    snapshot(&repo, &["check"], "true").exits(1);
    assert!(!repo.path(&pending).exists());
    snapshot(&repo, &["check"], "")
        .exits(1)
        .says("-  request     3s")
        .says("+  request     5s")
        .complains("1 snapshot stale");
    assert!(repo.path(&pending).exists());
    snapshot(&repo, &["reject"], "")
        .exits(0)
        .complains("removed 1 pending snapshot");
    assert!(!repo.path(&pending).exists());
    snapshot(&repo, &["check"], "").exits(1);
    snapshot(&repo, &["accept"], "")
        .exits(0)
        .complains("wrote ");
    assert!(!repo.path(&pending).exists());
    snapshot(&repo, &["check"], "").exits(0);
}

#[test]
fn what_is_of_nothing_goes() {
    let repo = shop();
    snapshot(&repo, &["accept"], "").exits(0);
    let web = std::fs::read(repo.path(WEB)).expect("a snapshot");
    repo.write("snapshots/default/proxies/gone.snap", web);
    repo.write("snapshots/default/proxies/other.snap", "of another tool");
    snapshot(&repo, &["check"], "true")
        .exits(1)
        .says("--- default/proxies/gone.snap")
        .complains("1 snapshot of nothing that is there");
    snapshot(&repo, &["accept"], "")
        .exits(0)
        .complains("removed ");
    assert!(!repo.path("snapshots/default/proxies/gone.snap").exists());
    assert!(repo.path("snapshots/default/proxies/other.snap").exists());
}

#[test]
fn nothing_is_written_in_a_pipeline() {
    let repo = shop();
    for action in ["accept", "review", "reject"] {
        snapshot(&repo, &[action], "true")
            .exits(2)
            .complains("writes nothing in a pipeline (CI is set)");
    }
    assert!(!repo.path("snapshots").exists());
}

#[test]
fn a_review_needs_a_terminal() {
    let repo = shop();
    snapshot(&repo, &["review"], "")
        .exits(2)
        .complains("needs a terminal");
}

#[test]
fn the_directory_is_a_setting() {
    let repo = shop();
    repo.write("meshc.toml", "snapshots = \"golden\"\n");
    snapshot(&repo, &["accept"], "").exits(0);
    assert!(repo.path("golden/default/services/api.snap").exists());
    snapshot(&repo, &["check", "--snapshots", "elsewhere"], "true").exits(1);
    repo.write("broken.yaml", "type: Mehs\nname: x\n");
    snapshot(&repo, &["check"], "")
        .exits(1)
        .complains("unknown-kind");
}
