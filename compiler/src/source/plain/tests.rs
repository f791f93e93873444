use proptest::prelude::*;

use super::super::limit::FileLimits;
use super::super::parse;

/// What can stand beside each other in a plain text, and what makes it one that is not.
const PIECES: [&str; 40] = [
    "a:",
    "b: c",
    "- ",
    "-",
    "\n",
    "\n",
    "\n",
    "\n  ",
    "\n  ",
    "\n    ",
    "  ",
    " ",
    "# x",
    " # y",
    "x",
    "'q'",
    "\"d\"",
    "{}",
    "[]",
    ":",
    ": ",
    "1",
    "~",
    "null",
    "\n- ",
    "\n- ",
    "k/e.y-1: v w",
    "--- ",
    "...",
    "\na: b\n",
    "%",
    "''",
    "#",
    ".",
    "/",
    "-1",
    "- - ",
    "- a: b",
    "\t",
    "&a ",
];

const TEXT: &str = "# about\ntype: MeshTimeout # a kind\nmesh: default\nname: 'x'\nlabels: {}\nspec:\n  targetRef:\n    kind: Mesh\n  to:\n  - targetRef:\n      kind: MeshService\n      name: a-b\n    default:\n      http:\n        requestTimeout: 2s\n\n      list: [] # none\n      more:\n        - 1\n        - - x\n        # below\n        - \"y z\"\n  rules:\n";

/// Both readers say the same of a text, or the one of the plain part says nothing.
fn hold(text: &str) {
    let mut limits = FileLimits::default();
    let plain = parse::plain("a.yaml", text, &mut limits);
    let mut all = FileLimits::default();
    match plain {
        Some(document) => {
            assert_eq!(
                vec![document],
                parse::all("a.yaml", text, &mut all),
                "{text:?}"
            );
            assert_eq!(limits, all, "{text:?}");
        }
        None => assert_eq!(limits, all, "{text:?}"),
    }
}

#[test]
fn what_people_write_is_plain() {
    hold(TEXT);
    assert!(parse::plain("a.yaml", TEXT, &mut FileLimits::default()).is_some());
    for special in [
        "a: b\n---\nc: d\n",
        "a: &x b\n",
        "a: |\n  b\n",
        "a: [1]\n",
        "a: b\n  c\n",
        "a: \u{e9}\n",
        "",
    ] {
        hold(special);
        assert!(
            parse::plain("a.yaml", special, &mut FileLimits::default()).is_none(),
            "{special:?}"
        );
    }
}

#[test]
fn limits_hold_for_plain_texts_too() {
    hold(&"- ".repeat(40));
    hold(&"a: 1\n".repeat(60_000));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_are_read_alike(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
        hold(&pieces.concat());
    }

    #[test]
    fn any_edit_is_read_alike(
        at in 0..TEXT.len(),
        length in 0_usize..6,
        piece in prop::sample::select(&PIECES[..]),
    ) {
        let end = (at + length).min(TEXT.len());
        let (before, after) = (TEXT.get(..at).unwrap(), TEXT.get(end..).unwrap());
        hold(&format!("{before}{piece}{after}"));
    }
}
