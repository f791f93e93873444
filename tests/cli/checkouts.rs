//! Work trees and repositories as pipelines and people have them: of another user, partial, with submodules, with names
//! that are no text.
//!
//! Never accepts silence: what meshc cannot read is told, with what to do.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use mesh_tests::binary;

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

#[test]
fn what_a_submodule_holds_is_not_passed_over_in_silence() {
    let inner = Repo::with("inner.yaml", "type: Mehs\n").committed();
    let outer = Repo::with("a.yaml", GOOD).committed();
    let url = inner.root().to_str().expect("text");
    outer.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        url,
        "sub",
    ]);
    outer.git(&["commit", "--quiet", "--message", "A submodule"]);
    // In the work tree as in the commit, of which meshd reads no more than that.
    for arguments in [&["check"][..], &["check", "--at", "HEAD"]] {
        let ran = outer.meshc(arguments);
        ran.exits(0).says("warning[not-a-file]").says("--> sub:1:1");
        ran.says("this is a submodule");
    }
    outer.meshc(&["diff", "--against", "HEAD"]).exits(0);
    // A repository for itself.
    outer.meshc(&["check", "sub"]).exits(1).says("unknown-kind");
}

#[test]
fn a_directory_whose_name_is_no_text_is_told() {
    let repo = Repo::with("a.yaml", GOOD);
    let odd = repo.root().join(OsStr::from_bytes(b"d\xff"));
    if std::fs::create_dir(&odd).is_err() {
        eprintln!("SKIPPED: this file system has only names that are text");
        return;
    }
    std::fs::write(odd.join("b.yaml"), GOOD).expect("a file");
    let repo = repo.committed();
    for arguments in [&["check"][..], &["check", "--at", "HEAD"]] {
        repo.meshc(arguments)
            .exits(1)
            .says("error[unreadable-file]: this directory cannot be listed: its name is not UTF-8");
    }
    let listed = Command::new("git")
        .args(["ls-files"])
        .current_dir(repo.root())
        .output();
    let listed = String::from_utf8(listed.expect("git").stdout).expect("text");
    assert!(listed.contains("b.yaml"), "{listed}");
}

#[test]
fn a_hook_of_a_git_server_judges_what_is_pushed_before_it_is_there() {
    let server = Repo::new();
    server.git(&["init", "--quiet", "--bare", "--initial-branch=main"]);
    let meshc = binary("meshc");
    let hook = format!(
        "#!/bin/sh\nread before after name\n{0} check --at \"$after\" && {0} diff \"$after..$after\"\n",
        meshc.display()
    );
    server.write("hooks/pre-receive", hook);
    let runs = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(server.path("hooks/pre-receive"), runs).expect("a hook");
    let repo = Repo::with("a.yaml", GOOD).committed();
    let push = || {
        let mut command = Command::new("git");
        command.arg("push").arg(server.root());
        command.arg("HEAD:main").current_dir(repo.root());
        finish(command)
    };
    push().exits(0);
    repo.write("a.yaml", "type: Mehs\n");
    repo.git(&["commit", "--quiet", "--all", "--message", "A mistake"]);
    let refused = push();
    refused.exits(1).complains("error[unknown-kind]");
}
