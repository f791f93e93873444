//! Edits at random places: after them the server says what `meshc check` says of the same text, and it never panics.
//!
//! Never checks between edits: what a burst of changes leaves behind is what counts.

use std::process::Command;

use mesh_tests::binary;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::project::Project;

const NAME: &str = "edited.yaml";

/// What there is to begin with.
const TEXT: &str = "\
type: MeshService
mesh: default
name: api
labels: {team: \u{e9}quipe}
spec:
  selector: {dataplaneLabels: {matchLabels: {app: api}}}
  ports: [{port: 80, targetPort: 8080, appProtocol: http}]
---
# \u{1f980} a comment
type: MeshTimeout
mesh: default
name: t
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      default: {http: {requestTimeout: 3s}}
---
type: Dataplane
mesh: default
name: api-1\r
labels: {app: api}\r
networking:\r
  address: 10.0.0.1\r
  inbound: [{port: 8080, servicePort: 9080, name: main, protocol: http}]\r
";

const OTHER: &str = "\
type: Mesh
name: default
---
type: MeshTimeout
mesh: default
name: other
spec:
  to:
    - targetRef: {kind: MeshService, labels: {kuma.io/display-name: api}}
      default: {idleTimeout: 1m}
";

/// What is put in: what people type, and what they should not.
const PIECES: [&str; 14] = [
    "",
    "\n",
    " ",
    ":",
    "- ",
    "{",
    "}",
    "\"",
    "---\n",
    "\u{1f980}",
    "\t",
    "# x",
    "spec:\n",
    "\r\n",
];

/// A change of the text: where it begins and how much it takes, in thousandths, and what it puts in.
type Edit = (u16, u16, usize);

/// Makes the change, and says it as an editor does that counts in characters.
fn apply(text: &mut String, (at, length, piece): Edit) -> Value {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(text.len() * usize::from(at) / 1000);
    let end = boundary((start + usize::from(length)).min(text.len()));
    let position = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        // There is no `\r` without its `\n`.
        let line = before.matches('\n').count();
        let begin = before.rfind('\n').map_or(0, |end| end + 1);
        let units = before.get(begin..).unwrap_or_default().chars().count();
        json!({"line": line, "character": units})
    };
    // An editor does not tear a line break apart.
    let whole = |at: usize| match text.as_bytes().get(at.wrapping_sub(1)..=at) {
        Some(b"\r\n") => at - 1,
        _ => at,
    };
    let (start, end) = (whole(start), whole(end).max(whole(start)));
    let piece = PIECES.get(piece).copied().unwrap_or_default();
    let range = json!({"start": position(start), "end": position(end)});
    text.replace_range(start..end, piece);
    json!({"range": range, "text": piece})
}

/// A finding: its file, where it begins and ends as people count, and its code.
type Told = (String, [u64; 4], String);

/// What `meshc check` says.
fn checked(project: &Project) -> Vec<Told> {
    let mut command = Command::new(binary("meshc"));
    command
        .args(["check", "--format", "json"])
        .arg(project.root());
    let output = command.output().expect("meshc starts");
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let one = |finding: &Value| {
        let file = finding["file"].as_str().expect("a file").to_owned();
        let place = ["line", "column", "endLine", "endColumn"];
        let place = place.map(|part| finding[part].as_u64().expect("a number"));
        (
            file,
            place,
            finding["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let mut all: Vec<Told> = found.iter().map(one).collect();
    all.sort();
    all
}

/// What the server has told.
fn told(project: &Project) -> Vec<Told> {
    let mut all = Vec::new();
    for name in [NAME, "other.yaml"] {
        for finding in project.editor.told(&project.uri(name)) {
            let range = &finding["range"];
            let number = |end: &str, part: &str| range[end][part].as_u64().expect("a number") + 1;
            let place = [
                number("start", "line"),
                number("start", "character"),
                number("end", "line"),
                number("end", "character"),
            ];
            let code = finding["code"].as_str().unwrap_or_default().to_owned();
            all.push((name.to_owned(), place, code));
        }
    }
    all.sort();
    all
}

#[test]
fn after_any_edits_the_findings_are_those_of_meshc_check() {
    let characters = json!({"general": {"positionEncodings": ["utf-32"]}});
    let mut project = Project::with(&[("other.yaml", OTHER), (NAME, TEXT)], &characters);
    project.show(NAME, TEXT).findings(NAME);
    assert_eq!(told(&project), checked(&project));
    let edits = prop::collection::vec((0..1000_u16, 0..40_u16, 0..PIECES.len()), 1..6);
    let config = Config {
        cases: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let project = std::cell::RefCell::new(project);
    runner
        .run(&edits, |edits| {
            let mut project = project.borrow_mut();
            // Each begins anew.
            project.show(NAME, TEXT);
            let mut text = TEXT.to_owned();
            for edit in edits {
                let change = apply(&mut text, edit);
                project.edit(NAME, &json!([change]));
            }
            project.findings(NAME);
            project.write(NAME, &text);
            prop_assert_eq!(told(&project), checked(&project), "{}", text);
            Ok(())
        })
        .unwrap();
}
