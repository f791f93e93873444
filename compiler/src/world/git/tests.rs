#![expect(
    clippy::disallowed_methods,
    reason = "a work tree that is compared has to be written first"
)]

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use git2::ObjectType;

use super::*;
use crate::world::{ConfigFile, Entry, World};

/// A repository with one commit of these files.
fn repository(files: &[(&str, &str)]) -> (tempfile::TempDir, Repository) {
    let directory = tempfile::tempdir().unwrap();
    let repository = Repository::init(directory.path()).unwrap();
    let tree = {
        let mut tree = repository.treebuilder(None).unwrap();
        for (name, text) in files {
            let blob = repository.blob(text.as_bytes()).unwrap();
            tree.insert(name, blob, 0o100_644).unwrap();
        }
        tree.write().unwrap()
    };
    commit(&repository, tree);
    (directory, repository)
}

fn commit(repository: &Repository, tree: Oid) {
    let bytes = format!(
        "tree {tree}\nauthor Ada <ada@example.test> 0 +0000\ncommitter Ada <ada@example.test> 0 +0000\n\nAll of it\n\nWhy: so\n"
    );
    let odb = repository.odb().unwrap();
    let id = odb.write(ObjectType::Commit, bytes.as_bytes()).unwrap();
    repository
        .reference("refs/heads/main", id, true, "")
        .unwrap();
}

#[test]
fn a_directory_that_is_too_large_is_refused_before_it_is_read() {
    let (directory, repository) = repository(&[("a.yaml", "a")]);
    let odb = repository.odb().unwrap();
    // Enough of an entry for whoever looks at its beginning.
    let mut bytes = b"100644 a.yaml\0".to_vec();
    bytes.resize((16 << 20) + 1, 1);
    let large = odb.write(ObjectType::Tree, &bytes).unwrap();
    commit(&repository, large);
    let history = History::open(directory.path()).unwrap();
    let why = history.at("main").unwrap_err();
    assert!(
        why.contains("the root directory") && why.ends_with("it is larger than 16777216 bytes"),
        "{why}"
    );
}

#[test]
fn the_work_tree_has_the_versions_of_commits() {
    let (directory, _repository) = repository(&[("a.yaml", "a"), ("b.yaml", "b")]);
    std::fs::write(directory.path().join("a.yaml"), "a").unwrap();
    std::fs::write(directory.path().join("b.yaml"), "other").unwrap();
    let history = History::open(directory.path()).unwrap();
    let commit = history.at("main").unwrap();
    let tree = ByObject(crate::world::DirWorld::open(directory.path()).unwrap());
    let version = |world: &dyn World, path: &str| {
        let entries = world.entries();
        let found = entries.iter().find(|entry| entry.path == path);
        found.unwrap().version()
    };
    assert!(version(&tree, "a.yaml").is_some());
    assert_eq!(version(&tree, "a.yaml"), version(&commit, "a.yaml"));
    assert_ne!(version(&tree, "b.yaml"), version(&commit, "b.yaml"));
    assert_eq!(commit.read("b.yaml"), Ok(b"b".to_vec()));
}

/// A hundred files of a mebibyte each, as far as anybody is told.
#[derive(Default)]
struct Large {
    read: AtomicUsize,
}

impl World for Large {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let names = (0..100).map(|number| format!("{number:02}.yaml"));
        let entries = names.map(|name| Entry::file(&name, 1 << 20));
        entries.collect::<Vec<_>>().into()
    }

    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        self.read.fetch_add(1, Ordering::Relaxed);
        Ok(Vec::new())
    }

    fn config(&self) -> Result<Option<ConfigFile>, String> {
        Ok(None)
    }
}

#[test]
fn no_more_of_a_work_tree_is_named_than_is_read() {
    let tree = ByObject(Large::default());
    let entries = tree.entries();
    let named = entries.iter().filter(|entry| entry.version().is_some());
    assert_eq!((entries.len(), named.count()), (100, 64));
    assert_eq!(tree.0.read.load(Ordering::Relaxed), 64);
}

#[test]
fn commits_say_who_and_why() {
    let (directory, _repository) = repository(&[("a.yaml", "a")]);
    let history = History::open(directory.path()).unwrap();
    assert_eq!(history.between("main", "main"), Ok(Vec::new()));
    let past = history.past("main", 10).unwrap();
    assert_eq!((past.len(), past.is_cut), (1, false));
    let (commit, _) = history.visit(&past, 0).unwrap().unwrap();
    assert_eq!(commit.author, "Ada <ada@example.test>");
    assert_eq!(commit.subject, "All of it");
    assert_eq!(commit.trailers, [("Why".to_owned(), "so".to_owned())]);
    assert!(history.past("main", 0).unwrap().is_cut);
}

#[test]
fn what_is_known_of_a_file_is_not_asked_again() {
    let (directory, repository) = repository(&[("a.yaml", "one\n"), ("b.yaml", "two\n")]);
    let known = Sizes::default();
    let open = |known: &Sizes| {
        let repository = Repository::open(directory.path()).unwrap();
        let head = repository.refname_to_id("refs/heads/main").unwrap();
        GitWorld::open_after(known, repository, head, "")
    };
    let first = open(&known).unwrap();
    assert_eq!(known.len(), 2);
    let head = repository.find_reference("refs/heads/main").unwrap();
    let id = head.peel_to_tree().unwrap();
    let id = id.get_name("a.yaml").unwrap().id().to_string();
    let (begin, rest) = id.split_at(2);
    std::fs::remove_file(repository.path().join("objects").join(begin).join(rest)).unwrap();
    // Whoever knows its size does not miss it before it is read.
    let again = open(&known).unwrap();
    assert_eq!(again.entries(), first.entries());
    assert!(again.read("a.yaml").is_err());
    assert_eq!(again.read("b.yaml").unwrap(), b"two\n");
    assert!(matches!(
        open(&Sizes::default()),
        Err(Unreadable::Damaged(_))
    ));
}
