//! How a server begins, ends, and bears what no editor should send.

use serde_json::{Value, json};

use super::project::{Project, server};

const WELCOME: &str = "initialize";

fn params() -> Value {
    json!({"processId": null, "rootUri": null, "capabilities": {}})
}

#[test]
fn shutdown_and_exit_is_code_0_and_anything_else_is_1() {
    let mut orderly = server();
    orderly.initialize(&params());
    assert_eq!(orderly.request("shutdown", &Value::Null), Value::Null);
    let late = orderly
        .ask("textDocument/hover", &json!({}))
        .expect_err("refused");
    assert_eq!(late["code"], -32600);
    orderly.notify("exit", &Value::Null);
    assert_eq!(orderly.end(), Some(0));

    let mut abrupt = server();
    abrupt.initialize(&params());
    abrupt.notify("exit", &Value::Null);
    assert_eq!(abrupt.end(), Some(1));

    let mut silent = server();
    silent.initialize(&params());
    assert_eq!(silent.end(), Some(1));
    assert_eq!(server().end(), Some(1));
}

#[test]
fn nothing_is_answered_before_initialize_and_that_only_once() {
    let mut editor = server();
    let early = editor
        .ask("textDocument/hover", &json!({}))
        .expect_err("refused");
    assert_eq!(early["code"], -32002);
    let welcome = editor.initialize(&params());
    assert_eq!(welcome["serverInfo"]["name"], "meshc");
    assert_eq!(welcome["capabilities"]["positionEncoding"], "utf-16");
    let again = editor.ask(WELCOME, &params()).expect_err("refused");
    assert_eq!(again["code"], -32600);
}

#[test]
fn what_is_not_known_or_not_readable_is_answered_with_an_error() {
    let mut editor = server();
    editor.initialize(&params());
    let unknown = editor.ask("mesh/unknown", &json!({})).expect_err("refused");
    assert_eq!(unknown["code"], -32601);
    editor.notify("mesh/unknown", &json!({}));
    editor.notify("textDocument/didOpen", &json!({"textDocument": 5}));
    editor.edit("file:///nowhere/a.yaml", 2, &json!([{"text": "a: b"}]));
    editor.close("file:///nowhere/a.yaml");
    for bad in [
        "Content-Length: 1\r\n\r\n{",
        "garbage\r\n",
        "Content-Length: 2\r\n\r\n[]",
    ] {
        editor.send_bytes(bad.as_bytes());
        let answer = editor.wait("an answer to nobody", |message| {
            message.get("error").is_some() && message["id"].is_null()
        });
        assert!(answer["error"]["code"] == -32700 || answer["error"]["code"] == -32600);
    }
    editor.request("shutdown", &Value::Null);
    editor.notify("exit", &Value::Null);
    assert_eq!(editor.end(), Some(0));
}

#[test]
fn a_question_that_is_taken_back_is_answered_all_the_same() {
    let mut project = Project::new(&[]);
    let id = project.editor.pose("mesh/unknown", &json!({}));
    let params = json!({"id": id});
    project.editor.notify("$/cancelRequest", &params);
    let answer = project.editor.answer(id).expect_err("an error");
    // Unless it had its turn before the client took it back.
    assert!(
        [-32800, -32601].map(Value::from).contains(&answer["code"]),
        "{answer}"
    );
    // Of what has been answered, or was never asked, nothing can be taken back.
    project.editor.notify("$/cancelRequest", &params);
    project
        .editor
        .notify("$/cancelRequest", &json!({"id": "x"}));
    project.editor.request("shutdown", &Value::Null);
}

#[test]
fn a_folder_that_cannot_be_read_is_said_to_the_person() {
    let mut editor = server();
    let folders = json!([{"uri": "file:///nowhere/at/all", "name": "a"}]);
    editor.initialize(&json!({"capabilities": {}, "workspaceFolders": folders}));
    let shown = editor.wait("a message", |message| {
        message["method"] == "window/showMessage"
    });
    let message = shown["params"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("cannot read /nowhere/at/all"), "{message}");
}

#[test]
fn files_are_watched_where_the_editor_can() {
    let watches = json!({"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": true}}});
    let mut project = Project::with(&[], &watches);
    let asked = project.editor.wait("a registration", |message| {
        message["method"] == "client/registerCapability"
    });
    let registration = &asked["params"]["registrations"][0];
    assert_eq!(registration["method"], "workspace/didChangeWatchedFiles");
    let watchers = &registration["registerOptions"]["watchers"];
    assert_eq!(watchers[0]["globPattern"], "**/*.{yaml,yml,json}");
}

#[test]
fn what_stands_above_documents_is_asked_for_again_when_others_change() {
    const ROUTE: &str = "type: MeshTimeout\nmesh: default\nname: t\nspec: {to: [{targetRef: {kind: Mesh}, default: {idleTimeout: 3s}}]}\n";
    let refreshes = json!({"workspace": {"codeLens": {"refreshSupport": true}}});
    let mut project = Project::with(&[("a.yaml", "type: Mesh\nname: default\n")], &refreshes);
    project.show("t.yaml", ROUTE).findings("t.yaml");
    project.write("b.yaml", "type: Mesh\nname: other\n");
    project.changed(&["b.yaml"]);
    let asked = |message: &Value| message["method"] == "workspace/codeLens/refresh";
    let first = project.editor.wait("a request", asked);
    assert!(first["params"].is_null(), "{first}");
    project.write("c.yaml", "type: Mesh\nname: third\n");
    project.changed(&["c.yaml"]);
    project.editor.wait("another request", asked);
}
