//! Which commit is read, and which one it may take the place of.

use super::*;

#[test]
fn only_what_builds_on_the_last_good_commit_succeeds_it() {
    let origin = Origin::new();
    let head = |origin: &Origin| {
        let source = origin.source(&origin.path().display().to_string());
        source.fetch().unwrap().id
    };
    origin.commit("a.yaml", "1");
    let first = head(&origin);
    origin.commit("a.yaml", "2");
    let second = head(&origin);
    origin.git(&["checkout", "-q", "-b", "side", &first]);
    origin.commit("b.yaml", "3");
    origin.git(&["checkout", "-q", "-B", "main", "side"]);
    let side = head(&origin);
    let unknown = "0123456789012345678901234567890123456789";
    let branch = Reference::Branch("main".to_owned());
    let version = Reference::Version {
        range: "*".to_owned(),
        prefix: String::new(),
    };
    let commit = Reference::Commit(first.clone());
    for (reference, new, last, expected) in [
        (&branch, &second, first.as_str(), None),
        (&branch, &first, &second, Some("does not build on")),
        (&branch, &side, &second, Some("does not build on")),
        (&branch, &side, unknown, Some("does not build on")),
        (&version, &side, &second, None),
        (&version, &first, &second, Some("is older than")),
        (&commit, &first, &second, None),
    ] {
        let mut config = origin.config(&origin.path().display().to_string());
        config.source.reference = reference.clone();
        let source = Source::open(config).unwrap();
        let why = source.succeeds(new, last).unwrap();
        match (why, expected) {
            (None, None) => {}
            (Some(why), Some(part)) => assert!(why.contains(part), "{why}"),
            other => panic!("{reference:?}: {other:?}"),
        }
    }
}

#[test]
fn every_kind_of_reference_is_fetched() {
    let origin = Origin::new();
    let mut ids = Vec::new();
    for (text, tag) in [("1", "v1.0.0"), ("2", "v1.4.0"), ("3", "v2.0.0")] {
        origin.commit("a.yaml", text);
        origin.git(&["tag", "-a", tag, "-m", tag]);
        let source = origin.source(&origin.path().display().to_string());
        ids.push(source.fetch().unwrap().id);
    }
    origin.git(&["update-ref", "refs/pull/7/head", &ids[1]]);
    let [first, second, third] = ids.as_slice() else {
        panic!("{ids:?}");
    };
    let range = Reference::Version {
        range: "^1".to_owned(),
        prefix: "v".to_owned(),
    };
    for (reference, expected) in [
        (Reference::Branch("main".to_owned()), third),
        (Reference::Tag("v1.0.0".to_owned()), first),
        (range, second),
        (Reference::Full("refs/pull/7/head".to_owned()), second),
        (Reference::Commit(first.clone()), first),
    ] {
        let mut config = origin.config(&origin.path().display().to_string());
        config.source.reference = reference.clone();
        let commit = Source::open(config).unwrap().fetch().unwrap();
        assert_eq!(commit.id, *expected, "{reference:?}");
    }
    let mut config = origin.config(&origin.path().display().to_string());
    config.source.reference = Reference::Commit("0".repeat(40));
    let failure = Source::open(config).unwrap().fetch().unwrap_err();
    assert!(failure.to_string().contains("has no commit"), "{failure}");
}
