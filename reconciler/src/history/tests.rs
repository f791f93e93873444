use super::*;

fn about(author: &str) -> About {
    About {
        author: author.to_owned(),
        ..About::default()
    }
}

fn rollback() -> About {
    About {
        rollback: true,
        ..About::default()
    }
}

fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

/// Everything that is kept, as `revision state before`.
fn lines(history: &History) -> Vec<String> {
    let names: std::collections::BTreeMap<Digest, &str> = ["c1", "c2", "c3", "c4"]
        .into_iter()
        .map(|name| (digest(name), name))
        .collect();
    let line = |entry: Entry| {
        let before = entry.before.and_then(|it| names.get(&it).copied());
        let state = format!("{:?}", entry.state).to_lowercase();
        let back = if entry.rollback { " rollback" } else { "" };
        format!("{} {state} {}{back}", entry.revision, before.unwrap_or("-"))
    };
    history.list().into_iter().map(line).collect()
}

enum Step {
    Begins(&'static str),
    Live(&'static str),
    Arrived(&'static str),
    Returned(&'static str),
    Back(&'static str),
    Restored(&'static str),
}
use Step::{Arrived, Back, Begins, Live, Restored, Returned};

#[test]
fn what_became_of_each_publication() {
    let stories: [(&[Step], &[&str], Option<&str>); 9] = [
        (&[], &[], None),
        (&[Live("c1")], &["c1 live -"], Some("c1")),
        (
            &[Live("c1"), Live("c2")],
            &["c2 live c1", "c1 superseded -"],
            Some("c2"),
        ),
        // A restart publishes the same again.
        (
            &[Live("c1"), Restored("c1"), Live("c1")],
            &["c1 live -"],
            Some("c1"),
        ),
        (
            &[Live("c1"), Begins("c2"), Arrived("c2")],
            &["c2 live c1", "c1 superseded -"],
            Some("c2"),
        ),
        (
            &[Live("c1"), Begins("c2"), Returned("c2")],
            &["c2 returned c1", "c1 live -"],
            Some("c1"),
        ),
        // A newer commit overtakes one that is on its way; it begins from what was served before both.
        (
            &[Live("c1"), Begins("c2"), Begins("c3"), Arrived("c3")],
            &["c3 live c1", "c2 superseded c1", "c1 superseded -"],
            Some("c3"),
        ),
        // After a rollback the next commit has to build on the last one that was followed, not on what is served.
        (
            &[Live("c1"), Live("c2"), Back("c1"), Restored("c1")],
            &["c1 live c2 rollback", "c2 superseded c1", "c1 superseded -"],
            Some("c2"),
        ),
        (
            &[
                Live("c1"),
                Live("c2"),
                Back("c1"),
                Begins("c3"),
                Returned("c3"),
            ],
            &[
                "c3 returned c1",
                "c1 live c2 rollback",
                "c2 superseded c1",
                "c1 superseded -",
            ],
            Some("c2"),
        ),
    ];
    for (steps, expected, followed) in stories {
        let directory = tempfile::tempdir().unwrap();
        let state = Arc::new(StateDir::open(directory.path()).unwrap());
        let history = History::open(&state);
        for step in steps {
            match step {
                Begins(name) => history.begins((name, digest(name)), about("Ada")),
                Live(name) => history.live((name, digest(name)), about("Ada")),
                Arrived(name) => history.arrived(name, digest(name)),
                Returned(name) => history.returned(name, "Rejected"),
                Back(name) => history.live((name, digest(name)), rollback()),
                Restored(name) => history.restored(name, digest(name)),
            }
        }
        assert_eq!(lines(&history), expected);
        assert_eq!(history.followed().as_deref(), followed);
        // It is all on the disk.
        assert_eq!(History::open(&state).list(), history.list());
    }
}

#[test]
fn who_wrote_a_commit_is_learnt_when_git_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let state = Arc::new(StateDir::open(directory.path()).unwrap());
    let history = History::open(&state);
    history.restored("c1", digest("c1"));
    assert_eq!(history.list()[0].author, "");
    history.live(("c1", digest("c1")), about("Ada"));
    let list = history.list();
    assert_eq!((list.len(), list[0].author.as_str()), (1, "Ada"));
}

#[test]
fn a_bundle_is_found_by_what_its_names_begin_with() {
    let directory = tempfile::tempdir().unwrap();
    let state = Arc::new(StateDir::open(directory.path()).unwrap());
    let history = History::open(&state);
    for revision in ["c3d1f00", "c3d1a00", "b0b0b0b", "c3d1f00"] {
        history.live((revision, digest(revision)), About::default());
    }
    let whole = digest("b0b0b0b").to_string();
    let bare = whole.trim_start_matches("sha256:");
    for (prefix, expected) in [
        ("c3d1f", Ok("c3d1f00")),
        ("C3D1A0", Ok("c3d1a00")),
        (whole.as_str(), Ok("b0b0b0b")),
        (whole.get(..12).unwrap(), Ok("b0b0b0b")),
        (bare.get(..8).unwrap(), Ok("b0b0b0b")),
        ("c3d1", Err("`c3d1` may be `c3d1f00` or `c3d1a00`")),
        ("c3d", Err("too short")),
        ("", Err("too short")),
        ("ffff", Err("`meshd history` shows all of them")),
    ] {
        let found = history.find(prefix).map(|entry| entry.revision);
        match expected {
            Ok(revision) => assert_eq!(found, Ok(revision.to_owned()), "{prefix}"),
            Err(part) => assert!(found.clone().unwrap_err().contains(part), "{found:?}"),
        }
    }
    let (before, live) = history.newest().unwrap();
    assert_eq!(
        (before.revision.as_str(), live.revision.as_str()),
        ("b0b0b0b", "c3d1f00")
    );
    let first = history.list().pop().unwrap();
    assert!(
        history
            .predecessor(&first)
            .unwrap_err()
            .contains("the first bundle")
    );
}

#[test]
fn it_is_bounded_and_damage_costs_the_past_only() {
    let directory = tempfile::tempdir().unwrap();
    let state = Arc::new(StateDir::open(directory.path()).unwrap());
    let many = |count: usize| {
        let entry = |n: usize| Entry::new((&format!("c{n}"), digest("x")), About::default(), 0);
        let entries = (0..count).map(entry).collect();
        serde_json::to_vec(&Text {
            format: FORMAT,
            entries,
        })
        .unwrap()
    };
    state.write(FILE, &many(KEPT + 7)).unwrap();
    let history = History::open(&state);
    assert_eq!(history.list().len(), KEPT);
    history.live(("new", digest("new")), About::default());
    let list = History::open(&state).list();
    assert_eq!((list.len(), list[0].revision.as_str()), (KEPT, "new"));
    for damage in ["", "{", "{\"format\":2,\"entries\":[]}"] {
        state.write(FILE, damage.as_bytes()).unwrap();
        let history = History::open(&state);
        assert_eq!(history.list(), []);
        history.live(("c1", digest("c1")), about("Ada"));
        assert_eq!(History::open(&state).list().len(), 1, "it begins again");
    }
}
