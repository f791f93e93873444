mod history;
mod hostile;
mod meshc_toml;
mod signed;

use std::process::Command;
use std::time::Duration;

use mesh_compiler::World;
use mesh_compiler::world::{Entry, EntryKind};

use super::*;
use crate::settings::Reference;

struct Origin {
    directory: tempfile::TempDir,
}

impl Origin {
    fn new() -> Self {
        let origin = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        origin.git(&["init", "-q", "-b", "main"]);
        origin
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }

    fn commit(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "a subject"]);
    }

    fn source(&self, repository: &str) -> Source {
        Source::open(self.config(repository)).unwrap()
    }

    fn config(&self, repository: &str) -> SourceConfig {
        let reference = Reference::Named("main".to_owned());
        SourceConfig {
            source: settings::Source::named(repository, reference),
            cache: self.path().join(".git/cache-of-the-test"),
        }
    }
}

/// What names the bytes of a file is its object.
fn kind(entry: &Entry) -> EntryKind {
    let EntryKind::File { size, version } = entry.kind else {
        return entry.kind.clone();
    };
    assert!(version.is_some(), "{}", entry.path);
    EntryKind::File {
        size,
        version: None,
    }
}

fn files(world: &GitWorld) -> Vec<(String, EntryKind)> {
    let mut entries: Vec<_> = world
        .entries()
        .iter()
        .map(|entry| (entry.path.clone(), kind(entry)))
        .collect();
    entries.sort();
    entries
}

#[test]
fn the_tree_of_the_commit_is_read_and_never_the_work_tree() {
    let origin = Origin::new();
    origin.commit("mesh/a.yaml", "one");
    std::os::unix::fs::symlink("/etc/passwd", origin.path().join("mesh/link.yaml")).unwrap();
    origin.commit("b.yaml", "two");
    std::fs::write(origin.path().join("mesh/a.yaml"), "not committed").unwrap();
    let path = origin.path().display().to_string();
    for repository in [path.clone(), format!("file://{path}")] {
        let source = origin.source(&repository);
        let commit = source.fetch().unwrap();
        assert_eq!(commit.subject, "a subject");
        assert_eq!(commit.author, "t");
        let world = source.world(&commit).unwrap();
        let file = |path: &str| (path.to_owned(), Entry::file(path, 3).kind);
        let link = ("mesh/link.yaml".to_owned(), EntryKind::Symlink);
        assert_eq!(files(&world), [file("b.yaml"), file("mesh/a.yaml"), link]);
        assert_eq!(world.read("mesh/a.yaml").unwrap(), b"one");
        assert_eq!(world.read("mesh/link.yaml").unwrap_err(), "no such file");
    }
}

#[test]
fn what_a_message_says() {
    let origin = Origin::new();
    origin.commit("a.yaml", "1");
    let path = origin.path().display().to_string();
    let source = origin.source(&path);
    for (message, says) in [
        ("short", false),
        ("short\n\nMesh-Allow-Prune: true", true),
        ("short\n\nwhy\n\nmesh-allow-prune: true\nOther: x", true),
        ("short\n\nMesh-Allow-Prune: false", false),
        ("short\n\nMesh-Allow-Prune: true\n\nnot at the end", false),
    ] {
        origin.git(&["commit", "-q", "--allow-empty", "-m", message]);
        let commit = source.fetch().unwrap();
        assert_eq!(commit.says("Mesh-Allow-Prune"), says, "{message}");
    }
    let long = "x".repeat(10_000);
    origin.git(&["commit", "-q", "--allow-empty", "-m", &long]);
    assert_eq!(source.fetch().unwrap().subject.len(), LINE_LIMIT);
}

#[test]
fn a_directory_inside_can_be_the_root() {
    let origin = Origin::new();
    origin.commit("mesh/prod/a.yaml", "one");
    let mut config = origin.config(&origin.path().display().to_string());
    config.source.path = Some("mesh/prod/".to_owned());
    let source = Source::open(config.clone()).unwrap();
    let commit = source.fetch().unwrap();
    assert_eq!(files(&source.world(&commit).unwrap()).len(), 1);
    config.source.path = Some("mesh/test".to_owned());
    let source = Source::open(config).unwrap();
    let failure = source.world(&commit).unwrap_err();
    assert!(matches!(failure, Failure::Stalled(_)), "{failure:?}");
    assert!(
        failure.to_string().contains("no directory `mesh/test`"),
        "{failure}"
    );
}

#[test]
fn branches_tags_and_what_is_missing() {
    let origin = Origin::new();
    origin.commit("a.yaml", "1");
    origin.git(&["tag", "v1"]);
    origin.git(&["tag", "-a", "v1-annotated", "-m", "x"]);
    origin.commit("a.yaml", "2");
    let path = origin.path().display().to_string();
    for repository in [path.clone(), format!("file://{path}")] {
        let fetch = |reference: &str| {
            let mut config = origin.config(&repository);
            config.source.reference = Reference::Named(reference.to_owned());
            Source::open(config).unwrap().fetch()
        };
        assert_eq!(fetch("v1").unwrap().id, fetch("v1-annotated").unwrap().id);
        assert_ne!(fetch("v1").unwrap().id, fetch("main").unwrap().id);
        assert_eq!(fetch("refs/heads/main"), fetch("main"));
        let failure = fetch("mian").unwrap_err();
        assert!(matches!(failure, Failure::Stalled(_)), "{failure:?}");
        assert!(
            failure.to_string().contains("no branch or tag `mian`"),
            "{failure}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_said_at_once() {
    let origin = Origin::new();
    for (repository, expected) in [
        ("/nonexistent/repository", "not a git repository"),
        ("ssh://git@host/x", "needs `ssh = { key"),
        ("git@host:x/y", "needs `ssh = { key"),
        ("ssh://-oProxyCommand=x/y", "no name of a host"),
        ("ext::sh -c x", "no path of a repository"),
        ("http://host/x", "`http` is not supported"),
        ("https://user:word@host/x", "no user or password"),
    ] {
        let failure = Source::open(origin.config(repository)).unwrap_err();
        assert!(
            failure.to_string().contains(expected),
            "{repository}: {failure}"
        );
    }
}

#[tokio::test]
async fn a_commit_wakes_the_watch() {
    let origin = Origin::new();
    origin.commit("a.yaml", "1");
    let path = origin.path().display().to_string();
    for repository in [path.clone(), format!("file://{path}")] {
        let source = origin.source(&repository);
        let mut watch = crate::watch::Watch::references(&source);
        let before = source.fetch().unwrap();
        origin.commit("a.yaml", "more");
        origin.commit("a.yaml", &before.id);
        tokio::time::timeout(Duration::from_secs(20), async {
            while source.fetch().unwrap() == before {
                watch.changed().await;
            }
        })
        .await
        .expect("the commit is noticed");
    }
}
