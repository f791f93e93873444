//! `meshc.toml` of a commit: the one that `meshc` finds in a work tree of it.

use mesh_bundle::Digest;
use mesh_compiler::config::{Origin as From, Said, key, settle};
use mesh_compiler::world::DirWorld;
use mesh_compiler::{Compiler, compile};

use super::*;
use crate::candidate::{Candidate, Files};

const DOCUMENTS: &str = "\
type: Mesh
name: shop
---
type: MeshIdentity
mesh: shop
name: identity
spec:
  selector: {dataplane: {matchLabels: {}}}
  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}
---
type: Dataplane
mesh: shop
name: api-1
labels: {app: api, kuma.io/workload: api}
networking: {address: 127.0.0.1, inbound: [{name: http, port: 80, protocol: http}]}
";

/// What meshd makes of the commit, and what meshc makes of the work tree.
fn both(origin: &Origin, directory: Option<&str>, said: &[Said]) -> (Digest, Digest) {
    let mut config = origin.config(&origin.path().display().to_string());
    config.source.path = directory.map(str::to_owned);
    let source = Source::open(config).unwrap();
    let world = source.world(&source.fetch().unwrap()).unwrap();
    let mut compiler = Compiler::default();
    let before = Files::default();
    let candidate = Candidate::compile(&mut compiler, &world, "x".to_owned(), said, &before);
    let candidate = candidate.unwrap();
    let root = origin.path().join(directory.unwrap_or_default());
    let world = DirWorld::open(&root).unwrap();
    let settings = settle(&world, said.iter().cloned()).unwrap().settings();
    (candidate.digest, compile(&world, &settings).bundle.digest)
}

#[test]
fn a_commit_is_compiled_with_its_settings_as_meshc_does() {
    let origin = Origin::new();
    origin.commit("mesh/prod/a.yaml", DOCUMENTS);
    let mut seen = Vec::new();
    let mut hold = |directory: Option<&str>, said: &[Said]| {
        let (ours, theirs) = both(&origin, directory, said);
        assert_eq!(ours, theirs, "{directory:?}");
        seen.push(ours);
    };
    hold(None, &[]);
    origin.commit("meshc.toml", "zone = \"east\"\n");
    hold(None, &[]);
    hold(Some("mesh/prod"), &[]);
    origin.commit("mesh/meshc.toml", "zone = \"west\"\n");
    hold(None, &[]);
    hold(Some("mesh/prod"), &[]);
    let flag = (key("zone").unwrap(), "north".to_owned(), From::Flag("zone"));
    hold(Some("mesh/prod"), &[flag]);
    let [plain, east, east_inside, east_still, west, north] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(east_still, east);
    let different: std::collections::BTreeSet<_> = [plain, east, east_inside, west, north].into();
    assert_eq!(different.len(), 5, "{seen:?}");
}

#[test]
fn settings_that_cannot_be_keep_a_commit_from_being_published() {
    let origin = Origin::new();
    origin.commit("a.yaml", DOCUMENTS);
    let compile = || {
        let source = origin.source(&origin.path().display().to_string());
        let world = source.world(&source.fetch().unwrap()).unwrap();
        let mut compiler = Compiler::default();
        let before = Files::default();
        let candidate = Candidate::compile(&mut compiler, &world, "x".to_owned(), &[], &before);
        let files = candidate.map(|good| good.files);
        files.map_err(|flawed| flawed.text)
    };
    origin.commit("meshc.toml", "# ours\nzon = \"east\"\n");
    let why = compile().unwrap_err();
    assert!(
        why.starts_with("meshc.toml:2:1: there is no setting `zon`"),
        "{why}"
    );
    origin.commit("meshc.toml", &format!("# {}\n", "x".repeat(300_000)));
    assert!(compile().unwrap_err().contains("larger than"));
    std::fs::remove_file(origin.path().join("meshc.toml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", origin.path().join("meshc.toml")).unwrap();
    origin.commit("b.txt", "x");
    let why = compile().unwrap_err();
    assert_eq!(
        why,
        "meshc.toml: cannot be read: it is not a regular file\n"
    );
    std::fs::remove_file(origin.path().join("meshc.toml")).unwrap();
    origin.commit("meshc.toml", "zone = \"east\"\n");
    // What is kept for a restart without git holds the settings too.
    let kept = compile().unwrap();
    assert!(kept.read("meshc.toml").is_ok());
}
