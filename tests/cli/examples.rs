//! Every repository in `examples/` is what a repository should be: without a finding, tested, written in one way, and with
//! the files of pipelines that `meshc init` makes.
//!
//! Never looks at what is compiled of them; that is for the golden files.

use std::path::{Path, PathBuf};

use super::run::Repo;

/// Made by `meshc init`, whose tests run them.
const PIPELINES: [&str; 4] = [
    ".github/workflows/mesh.yaml",
    ".gitlab-ci.yml",
    ".gitignore",
    ".pre-commit-config.yaml",
];

fn examples() -> Vec<PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = std::fs::read_dir(top).expect("a directory");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

#[test]
fn every_example_passes_what_a_pipeline_asks() {
    let repo = Repo::new();
    assert!(!examples().is_empty());
    for example in examples() {
        let path = example.display().to_string();
        let check = repo.meshc(&["check", &path, "--fail-on", "warning"]);
        check.exits(0).says("no problems in");
        let test = repo.meshc(&["test", &path, "--coverage", "--mutate"]);
        test.exits(0).complains(" 0 failed");
        let fmt = repo.meshc(&["fmt", "--check", &path]);
        assert_eq!(fmt.exits(0).stdout, "");
        if std::env::var_os("MESH_GENERATE").is_some() {
            // As somebody does who looks at it: a pipeline accepts nothing.
            let accept = ["snapshot", "accept", &path];
            repo.meshc_with(&accept, &[("CI", ""), ("TF_BUILD", "")])
                .exits(0);
        }
        let snapshots = repo.meshc(&["snapshot", "check", &path]);
        snapshots.exits(0).complains("all as they should be");
        assert!(!fmt.stderr.contains("left as it is"), "{fmt:?}");
    }
}

#[test]
fn every_example_has_the_files_of_pipelines() {
    let repo = Repo::new();
    repo.meshc(&["init", "new"]).exits(0);
    let write = std::env::var_os("MESH_GENERATE").is_some();
    for example in examples() {
        for name in PIPELINES {
            let made = std::fs::read(repo.path("new").join(name)).expect("a file");
            let path = example.join(name);
            if write {
                std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
                std::fs::write(&path, &made).expect("written");
            }
            let found = std::fs::read(&path).unwrap_or_default();
            let shown = path.display();
            assert!(
                found == made,
                "{shown} is not what `meshc init` makes: run `cargo xtask gen`"
            );
        }
    }
}
