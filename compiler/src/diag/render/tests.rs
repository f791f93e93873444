use std::collections::BTreeMap;

use super::*;
use crate::model::Settings;
use crate::world::MemoryWorld;
use crate::{Compiled, compile};

fn compiled(text: &str) -> Compiled {
    let world = MemoryWorld {
        files: BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec())]),
    };
    compile(&world, &Settings::default())
}

fn human(text: &str) -> String {
    let compiled = compiled(text);
    render(
        Format::Human { color: false },
        &compiled.diagnostics,
        &compiled.sources,
    )
}

#[test]
fn people_see_the_line_and_what_helps() {
    let text = human("type: MeshTimout\nname: a\n");
    let expected = "error[unknown-kind]: there is no kind `MeshTimout`
 --> a.yaml:1:7
  |
1 | type: MeshTimout
  |       ^^^^^^^^^^
  |
  = help: did you mean `MeshTimeout`?

";
    assert_eq!(text, expected);
}

#[test]
fn people_see_both_places_of_a_duplicate() {
    let text = human("type: Mesh\nname: a\nname: b\n");
    assert!(
        text.contains("2 | name: a\n  | ---- first set here\n3 | name: b\n  | ^^^^"),
        "{text}"
    );
}

#[test]
fn a_document_does_not_act_on_the_terminal() {
    let text = human("type: Mesh\nname: \"a\\e[31m\u{202e}b\"\n");
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
    assert_eq!(safe("a\u{1b}[0m\u{202e}"), "a\\u{1b}[0m\\u{202e}");
    assert_eq!(safe(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
}

#[test]
fn private_keys_and_endless_lines_are_not_shown() {
    let long = "x".repeat(5000);
    for value in [long.as_str(), "-----BEGIN PRIVATE KEY-----"] {
        let text = human(&format!("type: Mesh\nname: [\"{value}\"]\n"));
        assert!(text.contains("--> a.yaml:2:7"), "{text}");
        assert!(!text.contains(value), "{text}");
    }
    let inside = human(
        "type: Mesh\n# -----BEGIN PRIVATE KEY-----\nname: [SECRET]\n# -----END PRIVATE KEY-----\n",
    );
    assert!(inside.contains("--> a.yaml:3:7"), "{inside}");
    assert!(!inside.contains("SECRET"), "{inside}");
    let after = human(
        "# -----BEGIN PRIVATE KEY-----\n# -----END PRIVATE KEY-----\ntype: Mesh\nname: [open]\n",
    );
    assert!(after.contains("name: [open]"), "{after}");
}

#[test]
fn output_is_bounded_and_says_so() {
    let compiled = compiled(&"type: Nothing\nname: x\n---\n".repeat(900));
    assert_eq!(compiled.diagnostics.list.len(), 900);
    for format in [Format::Human { color: true }, Format::Concise] {
        let text = render(format, &compiled.diagnostics, &compiled.sources);
        assert!(text.len() <= 64 * 1024, "{}", text.len());
        if format == Format::Concise {
            assert_eq!(text.lines().count(), 51);
            assert!(text.ends_with("… and 850 more, not shown\n"), "{text}");
        }
    }
    let said = summary(&compiled.diagnostics, &compiled.sources);
    assert_eq!(said, "900 errors in 900 documents");
}

#[test]
fn tools_get_places_and_paths() {
    let compiled = compiled("type: Mesh\nname: a\nlabels: {team: true}\n");
    let text = render(Format::Json, &compiled.diagnostics, &compiled.sources);
    let list: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let first = &list[0];
    assert_eq!(first["code"], "wrong-type");
    assert_eq!(first["line"], 3);
    assert_eq!(first["column"], 16);
    assert_eq!(first["endColumn"], 20);
    assert_eq!(first["path"], "labels[\"team\"]");
    assert_eq!(first["pointer"], "/labels/team");
    assert_eq!(first["document"], "kri_m____a_");
}
