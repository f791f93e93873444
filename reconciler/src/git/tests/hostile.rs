//! Commits that git itself would not make: each is refused with a reason, within bounds, and the next one is read.

use std::io::Write;
use std::process::Stdio;

use super::*;

impl Origin {
    /// git with something on its standard input; the answer in one line.
    fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut child = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn object(&self, kind: &str, content: &[u8]) -> String {
        let arguments = ["hash-object", "-w", "--literally", "--stdin", "-t", kind];
        self.feed(&arguments, content)
    }

    fn blob(&self) -> String {
        self.object("blob", b"type: Mesh\nname: shop\n")
    }

    /// A tree that nobody checks.
    fn tree(&self, entries: &[(&str, &str, &str)]) -> String {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend(format!("{mode} {name}\0").as_bytes());
            content.extend(Oid::from_str(id).unwrap().as_bytes());
        }
        self.object("tree", &content)
    }

    /// `main` becomes a commit of this tree.
    fn publish(&self, tree: &str, message: &str) -> String {
        let text = format!("tree {tree}\nauthor t <t@t> 1 +0000\ncommitter t <t@t> 1 +0000\n\n");
        let commit = self.object("commit", &[text.as_bytes(), message.as_bytes()].concat());
        self.point(&commit);
        commit
    }

    fn point(&self, id: &str) {
        std::fs::write(self.path().join(".git/refs/heads/main"), format!("{id}\n")).unwrap();
    }

    fn lose(&self, id: &str) {
        let (directory, file) = id.split_at(2);
        let path = self.path().join(".git/objects").join(directory).join(file);
        std::fs::remove_file(path).unwrap();
    }
}

fn read(source: &Source) -> Result<GitWorld, Failure> {
    source.world(&source.fetch()?)
}

const MISSING: &str = "1234567890123456789012345678901234567890";

#[test]
fn names_that_git_does_not_make_are_refused() {
    let origin = Origin::new();
    let source = origin.source(&origin.path().display().to_string());
    let blob = origin.blob();
    let long = "n".repeat(5_000);
    for (entries, expected) in [
        (vec![("100644", ".git", blob.as_str())], "reserved for git"),
        (vec![("100644", ".GIT", &blob)], "reserved for git"),
        (vec![("100644", "..", &blob)], "not a name"),
        (vec![("100644", ".", &blob)], "not a name"),
        (vec![("100644", "../../x.yaml", &blob)], "holds a slash"),
        (vec![("100644", "/x.yaml", &blob)], "holds a slash"),
        (
            vec![("100644", "a.yaml", &blob), ("100644", "a.yaml", &blob)],
            "`a.yaml` is there twice",
        ),
        (
            vec![("100644", "\x1b[31ma/b", &blob)],
            "`\\u{1b}[31ma/b` holds a slash",
        ),
        (vec![("100644", "a.yaml", MISSING)], "`a.yaml`, object 1234"),
        (vec![("40000", "a", MISSING)], "directory `a/`, object 1234"),
        (vec![("40000", "a", &blob)], "directory `a/`, object"),
    ] {
        let tree = origin.tree(&entries);
        let inside = origin.tree(&[("40000", "dir", &tree)]);
        for tree in [tree, inside] {
            origin.publish(&tree, "bad");
            let failure = read(&source).unwrap_err();
            let text = failure.to_string();
            let expected = expected.trim_start_matches("directory `");
            let expected = expected.trim_start_matches('`');
            assert!(text.contains(expected), "{expected}: {text}");
            assert!(!text.contains(char::is_control), "{text:?}");
            assert!(!matches!(failure, Failure::Transient(_)), "{failure:?}");
        }
    }
    let odd = origin.tree(&[
        ("160000", "module", MISSING),
        ("120000", "link.yaml", &blob),
        ("100644", "good.yaml", &blob),
        ("100644", &long, &blob),
        ("100644", "tree.yaml", &origin.tree(&[])),
    ]);
    origin.publish(&odd, "odd, and harmless");
    let world = read(&source).unwrap();
    assert_eq!(world.entries().len(), 5);
    assert!(world.read("good.yaml").is_ok());
    world.read("module").unwrap_err();
    world.read("link.yaml").unwrap_err();
    world.read(&long).unwrap_err();
    world.read("tree.yaml").unwrap_err();
}

#[test]
fn bombs_of_trees_are_refused_within_bounds() {
    let origin = Origin::new();
    let source = origin.source(&origin.path().display().to_string());
    let names: Vec<_> = (0..10).map(|name| name.to_string()).collect();
    let empty = origin.tree(&[]);
    let leaf = origin.tree(&[("100644", "a.yaml", &origin.blob())]);
    // Ten to the power of ten paths, with a file at each end and with none.
    for bottom in [leaf, empty.clone()] {
        let mut tree = bottom;
        for _ in 0..10 {
            let entries = names.iter().map(|name| ("40000", name.as_str(), &*tree));
            let entries: Vec<_> = entries.collect();
            tree = origin.tree(&entries);
        }
        origin.publish(&tree, "bomb");
        let failure = read(&source).unwrap_err();
        assert!(matches!(failure, Failure::Stalled(_)), "{failure:?}");
        assert!(
            failure.to_string().contains("more than 200000"),
            "{failure}"
        );
    }
    // Long names, many times.
    let long = "n".repeat(3000);
    let wide: Vec<_> = (0..30_000).map(|name| name.to_string()).collect();
    let wide: Vec<_> = wide.iter().map(|n| ("40000", &**n, &*empty)).collect();
    let wide = origin.tree(&wide);
    origin.publish(&origin.tree(&[("40000", &long, &wide)]), "long");
    let failure = read(&source).unwrap_err().to_string();
    assert!(failure.contains("bytes of paths"), "{failure}");
    let big = origin.object("tree", &vec![b'x'; 17 << 20]);
    origin.publish(&origin.tree(&[("40000", "big", &big)]), "wide");
    let failure = read(&source).unwrap_err().to_string();
    assert!(failure.contains("larger than"), "{failure}");
}

#[test]
fn a_tree_may_be_as_deep_as_it_likes() {
    let origin = Origin::new();
    let source = origin.source(&format!("file://{}", origin.path().display()));
    // Written as loose objects: a process for each would take minutes.
    let repository = Repository::open(origin.path()).unwrap();
    let odb = repository.odb().unwrap();
    let mut id = Oid::from_str(&origin.tree(&[])).unwrap();
    for _ in 0..20_000 {
        let content = [b"40000 d\0".as_slice(), id.as_bytes()].concat();
        id = odb.write(git2::ObjectType::Tree, &content).unwrap();
    }
    origin.publish(&id.to_string(), "deep");
    let world = read(&source).unwrap();
    assert_eq!(world.entries().len(), 1, "the rest is not listed");
}

#[test]
fn what_is_no_commit_is_refused_and_the_next_one_is_read() {
    let origin = Origin::new();
    origin.commit("a.yaml", "1");
    let source = origin.source(&origin.path().display().to_string());
    let good = source.fetch().unwrap();
    let bad = |id: &str, expected: &str| {
        origin.point(id);
        let failure = read(&source).unwrap_err();
        assert!(!matches!(failure, Failure::Transient(_)), "{failure:?}");
        let text = failure.to_string();
        assert!(text.contains(expected) && text.contains(id), "{text}");
        origin.point(&good.id);
        read(&source).unwrap();
    };
    bad(&origin.blob(), "`main`");
    bad(&origin.tree(&[]), "`main`");
    bad(&origin.object("commit", b"\0\xff\x1b[31mgarbage"), "`main`");
    bad(&origin.object("tag", b"garbage"), "`main`");
    bad(MISSING, "`main`");
    origin.publish(MISSING, "no tree");
    let failure = read(&source).unwrap_err().to_string();
    assert!(failure.contains("root directory, object 1234"), "{failure}");
    let blob = origin.blob();
    let lost = origin.publish(&origin.tree(&[("100644", "b.yaml", &blob)]), "x");
    origin.lose(&lost);
    bad(&lost, "`main`");
    let tree = origin.tree(&[]);
    bad(&origin.publish(&tree, &"m".repeat(20 << 20)), "larger than");
    let author = "\x1b[31m<script>alert(1)</script>";
    let text =
        format!("tree {tree}\nauthor {author} <t@t> 1 +0000\ncommitter t <t@t> 1 +0000\n\nx");
    origin.point(&origin.object("commit", text.as_bytes()));
    let commit = source.fetch().unwrap();
    assert!(commit.author.contains("<script>"), "{}", commit.author);
    assert!(!commit.author.contains('\x1b'), "{:?}", commit.author);
    for reference in [
        "",
        "garbage",
        "ref: refs/heads/main",
        "ref: ../../../etc/passwd",
    ] {
        std::fs::write(origin.path().join(".git/refs/heads/main"), reference).unwrap();
        source.fetch().unwrap_err();
    }
}
