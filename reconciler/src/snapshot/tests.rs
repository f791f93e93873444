use super::*;

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    (directory, state)
}

fn snapshot(revision: &str, files: &[(&str, &[u8])]) -> Snapshot {
    let files = files
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
    Snapshot {
        revision: revision.to_owned(),
        digest: Digest::of(revision.as_bytes()),
        files: files.collect(),
    }
}

/// A file changes, one comes, one goes, nothing changes, everything goes, everything comes back.
fn commits() -> Vec<Snapshot> {
    let mesh: (&str, &[u8]) = ("a/b.yaml", b"type: Mesh\xff\n");
    vec![
        snapshot("c0", &[mesh]),
        snapshot("c1", &[("a/b.yaml", b"type: Mesh\n")]),
        snapshot("c2", &[mesh, ("c.yaml", b"")]),
        snapshot("c3", &[("c.yaml", b"")]),
        snapshot("c4", &[("c.yaml", b"")]),
        snapshot("c5", &[]),
        snapshot("c6", &[mesh, ("c.yaml", b"new\n")]),
    ]
}

#[test]
fn what_was_kept_comes_back_and_damage_is_noticed() {
    let (_directory, state) = state();
    assert_eq!(Snapshot::read(&state, GOOD), Ok(None));
    let kept = snapshot("c3d1", &[("a/b.yaml", b"type: Mesh\xff\n")]);
    kept.write(&state, GOOD).unwrap();
    assert_eq!(Snapshot::read(&state, GOOD), Ok(Some(kept)));
    let text = String::from_utf8(state.read(GOOD).unwrap().unwrap().to_vec()).unwrap();
    let json = text.split_once(' ').unwrap().1;
    let signed = |json: &str| format!("{} {json}\n", Digest::of(json.as_bytes()));
    let other = json.trim().replace("\"format\":2", "\"format\":3");
    let change = json.trim().replace("\"whole\":true", "\"whole\":false");
    for (damaged, expected) in [
        (
            text.replace("a/b.yaml", "a/c.yaml"),
            "checksum does not match",
        ),
        (signed(&other), "has format 3"),
        (signed(&change), "what it changes is not there"),
        (signed("{}"), "missing field"),
        (text.chars().take(40).collect(), "cut off"),
        ("\n".to_owned(), "no checksum"),
        (String::new(), "is empty"),
    ] {
        state.write(GOOD, damaged.as_bytes()).unwrap();
        let why = Snapshot::read(&state, GOOD).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_journal_holds_what_was_written_last_wherever_it_is_cut() {
    let (_directory, state) = state();
    let mut journal = Journal::empty(GOOD);
    let mut ends = Vec::new();
    for commit in commits() {
        journal.write(&state, commit.clone()).unwrap();
        assert_eq!(Snapshot::read(&state, GOOD), Ok(Some(commit.clone())));
        ends.push((state.read(GOOD).unwrap().unwrap().len(), commit));
    }
    let bytes = state.read(GOOD).unwrap().unwrap();
    for cut in 1..=bytes.len() {
        state.write(GOOD, &bytes[..cut]).unwrap();
        let whole = ends.iter().rfind(|(end, _)| *end <= cut);
        let expected = whole.map(|(_, commit)| commit.clone());
        assert_eq!(Snapshot::read(&state, GOOD).ok().flatten(), expected);
        // Whoever goes on after that loses nothing of what is new.
        if cut % 7 == 0 {
            let mut journal = Journal::open(&state, GOOD).unwrap_or_else(|_| Journal::empty(GOOD));
            let next = snapshot("next", &[("d.yaml", b"d")]);
            journal.write(&state, next.clone()).unwrap();
            assert_eq!(Snapshot::read(&state, GOOD), Ok(Some(next)));
        }
    }
    for flipped in 0..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[flipped] ^= 1;
        state.write(GOOD, &damaged).unwrap();
        let whole = ends.iter().rfind(|(end, _)| *end <= flipped);
        let expected = whole.map(|(_, commit)| commit.clone());
        assert_eq!(Snapshot::read(&state, GOOD).ok().flatten(), expected);
    }
}

#[test]
fn a_change_takes_as_much_as_it_is_and_the_file_never_more_than_twice_a_commit() {
    let (_directory, state) = state();
    let many: Vec<(String, Vec<u8>)> = (0..200)
        .map(|index| (format!("{index}.yaml"), vec![b'x'; 3_000]))
        .collect();
    let mut files: Files = many.into_iter().collect();
    let mut journal = Journal::empty(GOOD);
    let length = || std::fs::metadata(state.path(GOOD)).unwrap().len();
    let mut most = 0;
    for round in 0..600_u32 {
        let next = Snapshot {
            revision: round.to_string(),
            digest: Digest::of(b""),
            files: files.clone(),
        };
        let before = if round == 0 { 0 } else { length() };
        journal.write(&state, next).unwrap();
        if round == 1 {
            assert!(length() - before < 6_000, "one file of many");
        }
        most = most.max(length());
        let changed = (
            format!("{}.yaml", round % 200),
            Some(round.to_string().repeat(1_000).into_bytes()),
        );
        files = files.with(vec![changed]);
    }
    assert!(most < 2_000_000, "{most}");
    assert_eq!(
        Snapshot::read(&state, GOOD).unwrap().unwrap().revision,
        "599"
    );
    // A file that is not there any more is written whole.
    state.remove(GOOD).unwrap();
    journal.write(&state, snapshot("last", &[])).unwrap();
    assert_eq!(
        Snapshot::read(&state, GOOD),
        Ok(Some(snapshot("last", &[])))
    );
}
