//! Work trees and repositories as pipelines and people have them: of another user, partial, of a newer git.
//!
//! Never accepts silence: what meshc cannot read is told, with what to do.

use super::run::{Repo, finish, limited};

const GOOD: &str = "type: Mesh\nname: default\n";

#[test]
fn a_repository_of_another_user_is_read_once_it_is_trusted() {
    let repo = Repo::with("a.yaml", GOOD).committed();
    let given = std::os::unix::fs::chown(repo.root(), Some(12345), None)
        .and_then(|()| std::os::unix::fs::chown(repo.path(".git"), Some(12345), None));
    if given.is_err() {
        eprintln!("SKIPPED: only root can give a directory to another user");
        return;
    }
    let home = Repo::new();
    let run = |arguments: &[&str]| {
        let mut command = limited();
        command.args(arguments).current_dir(repo.root());
        command.env("HOME", home.root()).env_remove("SUDO_UID");
        finish(command)
    };
    run(&["check"]).exits(0);
    let top = repo.root().canonicalize().expect("it is there");
    let help = format!(
        "`git config --global --add safe.directory {}` trusts it",
        top.display()
    );
    for arguments in [
        &["diff"][..],
        &["check", "--at", "HEAD"],
        &["check", "--since", "HEAD"],
        &["blame-edge", "web", "api"],
    ] {
        let ran = run(arguments);
        ran.exits(2).complains("belongs to another user");
        ran.complains(&help);
    }
    let trust = format!("[safe]\n\tdirectory = {}\n", top.display());
    home.write(".gitconfig", trust);
    run(&["diff"]).exits(0);
}

#[test]
fn a_repository_that_is_read_only_by_a_newer_git_is_no_missing_one() {
    let repo = Repo::with("a.yaml", GOOD);
    repo.git(&["init", "--quiet", "--object-format=sha256"]);
    repo.meshc(&["check"]).exits(0);
    for arguments in [&["diff"][..], &["check", "--at", "HEAD"]] {
        repo.meshc(arguments)
            .exits(2)
            .complains("the git repository of . cannot be read: unknown object format 'sha256'");
    }
}

#[test]
fn a_partial_clone_says_how_to_get_the_rest() {
    let origin = Repo::with("a.yaml", GOOD).committed();
    origin.write("a.yaml", format!("# Changed.\n{GOOD}"));
    origin.git(&["commit", "--quiet", "--all", "--message", "Change"]);
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = Repo::new();
    let url = format!("file://{}", origin.root().display());
    clone.git(&["clone", "--quiet", "--filter=blob:none", &url, "."]);
    clone.meshc(&["diff", "--against", "HEAD"]).exits(0);
    clone
        .meshc(&["diff", "HEAD~1..HEAD"])
        .exits(2)
        .complains("this clone is partial (`--filter`), `git fetch --refetch --no-filter` gets");
    clone.git(&["fetch", "--quiet", "--refetch", "--no-filter"]);
    clone
        .meshc(&["diff", "HEAD~1..HEAD"])
        .exits(0)
        .says("no change in meaning");
}
