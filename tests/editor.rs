//! What an editor shows of a document: yaml-language-server with `schemas/mesh.schema.json`, asked over its standard input as
//! editors ask it.
//!
//! Never installs the server: where there is none, the tests say so and judge nothing. `MESH_YAML_LANGUAGE_SERVER` names the
//! program; else it is looked for in `node_modules` of every directory above the repository.

mod server;

use serde_json::{Value, json};

use server::Server;

const TIMEOUT: &str = "\
type: MeshTimeout
mesh: default
name: api
spec:
  to:
    - targetRef:
        kind: MeshService
        labels: {kuma.io/display-name: api}
      default:
        http:
          requestTimeout: 3s
";

/// The labels of what is offered where `|` stands.
fn completions(server: &mut Server, text: &str) -> Vec<String> {
    let (text, position) = cursor(text);
    let uri = server.open(&text);
    let answer = server.ask("textDocument/completion", &uri, &position);
    let items = answer.get("items").unwrap_or(&answer).as_array().cloned();
    let label = |item: &Value| item["label"].as_str().unwrap_or_default().to_owned();
    items.unwrap_or_default().iter().map(label).collect()
}

/// What is shown over the place where `|` stands.
fn hover(server: &mut Server, text: &str) -> String {
    let (text, position) = cursor(text);
    let uri = server.open(&text);
    let answer = server.ask("textDocument/hover", &uri, &position);
    answer["contents"]["value"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The text without its `|`, and where it was. The first line is the one that names the schema.
fn cursor(text: &str) -> (String, Value) {
    let (before, after) = text.split_once('|').expect("a cursor");
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    let position = json!({"line": line, "character": last.chars().count()});
    (format!("{before}{after}"), position)
}

/// Everything in one test: starting the server is what takes long.
#[test]
fn an_editor_completes_explains_and_complains() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let server = &mut server;

    let kinds = completions(server, "type: |\n");
    for kind in mesh_compiler::reference() {
        assert!(
            kinds.iter().any(|offered| offered == kind.name),
            "{kinds:?}"
        );
    }
    let fields = completions(server, "type: MeshTimeout\n|\n");
    for field in ["mesh", "name", "labels", "spec"] {
        assert!(fields.iter().any(|offered| offered == field), "{fields:?}");
    }
    assert!(
        !fields.iter().any(|offered| offered == "networking"),
        "{fields:?}"
    );
    let inside = completions(server, "type: MeshTimeout\nname: a\nspec:\n  |\n");
    assert_eq!(sorted(inside), ["rules", "targetRef", "to"]);
    let confs =
        "type: MeshTimeout\nname: a\nspec:\n  rules:\n    - default:\n        http:\n          |\n";
    assert!(
        completions(server, confs)
            .iter()
            .any(|offered| offered == "requestTimeout")
    );
    let kinds = "type: MeshTimeout\nname: a\nspec:\n  targetRef:\n    kind: |\n";
    assert_eq!(sorted(completions(server, kinds)), ["Dataplane", "Mesh"]);
    let kubernetes = "apiVersion: kuma.io/v1alpha1\nkind: MeshTLS\nmetadata: {name: a}\nspec:\n  rules:\n    - default:\n        mode: |\n";
    assert_eq!(
        sorted(completions(server, kubernetes)),
        ["Permissive", "Strict"]
    );

    let shown = hover(
        server,
        &TIMEOUT.replace("requestTimeout", "request|Timeout"),
    );
    assert!(
        shown.contains("The whole request until the end of the response"),
        "{shown}"
    );
    let shown = hover(server, &TIMEOUT.replace("type: Mesh", "type: Me|sh"));
    assert!(shown.contains("The kind"), "{shown}");

    assert_eq!(server.diagnostics(TIMEOUT), [""; 0]);
    let misspelt = TIMEOUT.replace("requestTimeout", "requestTimout");
    assert_eq!(
        server.diagnostics(&misspelt),
        ["11: Property requestTimout is not allowed."]
    );
    let elsewhere = TIMEOUT.replace("kind: MeshService", "kind: MeshServce");
    let found = server.diagnostics(&elsewhere);
    assert!(
        found
            .iter()
            .any(|line| line.starts_with("7: Value is not accepted.")),
        "{found:?}"
    );
    let kind = server.diagnostics("type: MeshTimeouts\nname: a\n");
    assert!(
        kind.iter()
            .any(|line| line.starts_with("1: Value is not accepted.")),
        "{kind:?}"
    );
    let without = server.diagnostics(
        "type: MeshTimeout\nname: a\nspec:\n  to:\n    - default: {idleTimeout: 1s}\n",
    );
    assert!(
        without
            .iter()
            .any(|line| line.contains("Missing property \"targetRef\"")),
        "{without:?}"
    );

    let others = "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 1}\n";
    assert_eq!(server.diagnostics(others), [""; 0]);
    for kind in mesh_compiler::reference() {
        assert_eq!(server.diagnostics(kind.example), [""; 0], "{}", kind.name);
    }
}

fn sorted(mut labels: Vec<String>) -> Vec<String> {
    labels.sort();
    labels
}
