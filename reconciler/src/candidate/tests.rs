use std::borrow::Cow;
use std::cell::RefCell;

use mesh_compiler::Compiler;
use mesh_compiler::world::{Entry, EntryKind};

use super::*;

const MESH: &str = "type: Mesh\nname: shop\n";

fn dataplane(name: &str, port: u16) -> String {
    format!(
        "type: Dataplane\nmesh: shop\nname: {name}\nlabels:\n  kuma.io/workload: web\nnetworking:\n  address: 127.0.0.1\n  inbound:\n    - name: main\n      port: {port}\n      servicePort: 80\n      serviceAddress: 127.0.0.2\n"
    )
}

fn world(files: &[(&str, &str)]) -> MemoryWorld {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
    MemoryWorld {
        files: files.collect(),
    }
}

fn documents(list: &[(&str, u16)]) -> Documents {
    let entry = |(name, port): &(&str, u16)| {
        let key = ("shop".to_owned(), (*name).to_owned());
        (key, dataplane(name, *port).into_bytes())
    };
    list.iter().map(entry).collect()
}

fn candidate(files: &[(&str, &str)]) -> Result<Candidate, String> {
    Candidate::compile(
        &mut Compiler::default(),
        &world(files),
        "c3d1".to_owned(),
        &[],
        &Files::default(),
    )
    .map_err(|flawed| flawed.text)
}

fn proxies(candidate: &Candidate) -> Vec<&str> {
    let proxies = candidate.bundle.proxies.keys();
    proxies.map(|kri| kri.name()).collect()
}

#[test]
fn what_is_read_and_what_it_holds() {
    let git = dataplane("git-1", 1);
    let files = [
        ("a.yaml", MESH),
        ("b/c.yaml", git.as_str()),
        ("README.md", "x"),
    ];
    let candidate = candidate(&files).unwrap();
    let nothing = Files::default();
    let read: Vec<_> = candidate
        .files
        .since(&nothing)
        .map(|(path, _)| path)
        .collect();
    assert_eq!(read, ["a.yaml", "b/c.yaml"]);
    let mut kinds: Vec<_> = candidate.inventory.iter().map(|n| n.kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["Dataplane", "Mesh"]);
    // Compiled again from what was read: the same bundle.
    let files = &candidate.files;
    let again = Candidate::compile(&mut Compiler::default(), files, "x".to_owned(), &[], files);
    assert_eq!(again.unwrap().digest, candidate.digest);
}

/// A world that counts what is read of it, and names its files.
#[derive(Default)]
struct Counting {
    files: BTreeMap<String, Vec<u8>>,
    read: RefCell<Vec<String>>,
}

impl World for Counting {
    fn entries(&self) -> Cow<'_, [Entry]> {
        let entry = |(path, bytes): (&String, &Vec<u8>)| Entry {
            path: path.clone(),
            kind: EntryKind::File {
                size: bytes.len() as u64,
                // As git does: not of the bytes alone.
                version: Some(Digest::of(&[b"blob", bytes.as_slice()].concat())),
            },
        };
        self.files.iter().map(entry).collect()
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.read.borrow_mut().push(path.to_owned());
        Ok(self.files[path].clone())
    }
}

/// Commit after commit, with a Dataplane that joined by itself: only what a commit changed is read.
#[test]
fn what_did_not_change_is_not_read_again() {
    let mut compiler = Compiler::default();
    let mut world = Counting::default();
    let mut served = Files::default();
    let texts = [dataplane("git-1", 1), dataplane("git-1", 7)];
    for (text, expected) in [
        (&texts[0], vec!["a.yaml", "b.yaml"]),
        (&texts[1], vec!["b.yaml"]),
        (&texts[0], vec!["b.yaml"]),
        (&texts[0], vec![]),
    ] {
        for (path, text) in [("a.yaml", MESH), ("b.yaml", text)] {
            world.files.insert(path.to_owned(), text.into());
        }
        let candidate = Candidate::compile(&mut compiler, &world, "x".to_owned(), &[], &served);
        let mut candidate = candidate.unwrap();
        candidate.admit(&mut compiler, &documents(&[("vm-2", 2)]));
        assert_eq!(proxies(&candidate), ["git-1", "vm-2"]);
        assert_eq!(world.read.take(), expected);
        let nothing = Files::default();
        let kept = candidate.files.since(&nothing);
        let kept = kept.map(|(path, bytes)| (path.to_owned(), bytes.unwrap().to_vec()));
        let kept: BTreeMap<_, _> = kept.collect();
        assert_eq!(kept, world.files);
        served = candidate.files;
    }
    // A commit that was not served, and then one that is: what nobody kept is read, though the compiler knows it.
    world
        .files
        .insert("b.yaml".to_owned(), texts[1].clone().into());
    let compile = |compiler: &mut Compiler| {
        Candidate::compile(compiler, &world, "x".to_owned(), &[], &served).unwrap();
        world.read.take()
    };
    assert_eq!(
        [compile(&mut compiler), compile(&mut compiler)],
        [["b.yaml"], ["b.yaml"]]
    );
}

#[test]
fn errors_are_told_with_their_places() {
    let text = candidate(&[("a.yaml", "type: Mesh\nnmae: shop\n")]).unwrap_err();
    assert!(text.contains("a.yaml") && text.contains("nmae"), "{text}");
}

#[test]
fn registered_dataplanes_join_and_misfits_stay_outside() {
    let git = dataplane("git-1", 1);
    let mut candidate = candidate(&[("a.yaml", MESH), ("b.yaml", &git)]).unwrap();
    let digest = candidate.digest;
    // vm-3 has the address of git-1, vm-5 that of vm-4, which comes before it.
    let registered = documents(&[
        ("vm-2", 2),
        ("vm-3", 1),
        ("vm-4", 4),
        ("vm-5", 4),
        ("vm-6", 6),
    ]);
    candidate.admit(&mut Compiler::default(), &registered);
    assert_eq!(proxies(&candidate), ["git-1", "vm-2", "vm-4", "vm-6"]);
    let outside: Vec<_> = candidate.left_out.keys().map(|(_, name)| name).collect();
    assert_eq!(outside, ["vm-3", "vm-5"]);
    assert_eq!(candidate.digest, digest, "what git makes stays what it is");
    // A newcomer does not push anybody out, whatever it is called.
    candidate.admit(&mut Compiler::default(), &documents(&[("vm-1", 2)]));
    assert_eq!(proxies(&candidate), ["git-1", "vm-2", "vm-4", "vm-6"]);
}

#[test]
fn a_document_says_what_it_is() {
    let identify = |text: &str| identify(text.as_bytes(), &Settings::default());
    let (name, _) = identify(&dataplane("vm-1", 1)).unwrap();
    assert_eq!((name.mesh(), name.name()), ("shop", "vm-1"));
    let kubernetes = "apiVersion: kuma.io/v1alpha1\nkind: Dataplane\nmetadata:\n  name: vm\n  namespace: a\n  labels:\n    kuma.io/mesh: shop\nspec:\n  networking:\n    address: 127.0.0.1\n";
    assert_eq!(identify(kubernetes).unwrap().0.namespace(), "a");
    for text in [
        "",
        MESH,
        "a: [",
        "type: Dataplane\n---\ntype: Dataplane\nname: x\n",
    ] {
        assert!(!identify(text).unwrap_err().is_empty());
    }
}
