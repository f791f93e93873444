//! What is wrong, while somebody writes: in the document itself, in others, and in the settings.

use serde_json::json;

use super::project::{Project, server, shown};

const MESH: (&str, &str) = ("mesh.yaml", "type: Mesh\nname: default\n");

const SERVICE: (&str, &str) = (
    "api.yaml",
    "type: MeshService\nmesh: default\nname: api\nlabels: {app: api}\nspec:\n  selector: {dataplaneLabels: {matchLabels: {app: api}}}\n  ports: [{port: 80, targetPort: 8080, appProtocol: http}]\n---\ntype: Dataplane\nmesh: default\nname: api-1\nlabels: {app: api}\nnetworking:\n  address: 10.0.0.1\n  inbound: [{port: 8080, servicePort: 9080, name: main, protocol: http}]\n",
);

/// Refers to the service of another file.
const TIMEOUT: (&str, &str) = (
    "timeout.yaml",
    "type: MeshTimeout\nmesh: default\nname: api\nspec:\n  to:\n    - targetRef: {kind: MeshService, labels: {app: api}}\n      default: {http: {requestTimeout: 3s}}\n",
);

#[test]
fn a_change_is_told_wherever_it_breaks_something_and_taken_back() {
    let mut project = Project::new(&[MESH, SERVICE, TIMEOUT]);
    let (name, text) = SERVICE;
    assert_eq!(project.show(name, text).findings(name), [""; 0]);
    project.show(
        name,
        &text.replace("labels: {app: api}\nspec", "labels: {app: api2}\nspec"),
    );
    assert_eq!(project.findings(name), [""; 0]);
    assert_eq!(
        project.told("timeout.yaml"),
        ["5:17-56 error[dangling-ref] no MeshService carries `app: api`"]
    );
    let finding = &project.editor.told(&project.uri("timeout.yaml"))[0];
    let message = finding["message"].as_str().expect("a message");
    assert!(
        message.ends_with("\nhelp: did you mean `api2`?"),
        "{message}"
    );
    assert_eq!(finding["source"], "meshc");
    // Nothing is wrong any more, of a file that is not open too.
    project.show(name, text).findings(name);
    assert_eq!(project.told("timeout.yaml"), [""; 0]);
    assert_eq!(project.editor.troubled(), [""; 0]);
}

#[test]
fn other_places_that_have_to_do_with_it_are_named() {
    let again = ("again.yaml", "type: Mesh\nname: default\n");
    let mut project = Project::new(&[MESH, again]);
    let found = project.show(MESH.0, MESH.1).findings(MESH.0);
    let told = project.told(again.0);
    let all: Vec<_> = found.into_iter().chain(told).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("error[duplicate-resource]"), "{all:?}");
    let uris = [MESH.0, again.0].map(|name| project.uri(name));
    let finding = uris
        .iter()
        .flat_map(|uri| project.editor.told(uri))
        .next()
        .expect("a finding");
    let related = &finding["relatedInformation"][0];
    let place = related["location"]["uri"].as_str().expect("a place");
    assert!(uris.iter().any(|uri| uri == place), "{related}");
}

#[test]
fn places_are_counted_as_the_editor_counts() {
    let text = "type: Mesh\r\nname: default\r\nlabels: {\"\u{1f980}\": \u{e9}, a: 1}\r\n";
    // As many units before the `1`: bytes, units of UTF-16, characters.
    for (encodings, before) in [
        (json!(["utf-8", "utf-16"]), 24),
        (json!(["utf-16"]), 21),
        (json!(["utf-32"]), 20),
    ] {
        let capabilities = json!({"general": {"positionEncodings": encodings}});
        let mut project = Project::with(&[], &capabilities);
        let found = project.show("mesh.yaml", text).findings("mesh.yaml");
        let expected = format!("2:{before}-{} error[wrong-type]", before + 1);
        assert!(
            found.iter().any(|it| it.starts_with(&expected)),
            "{encodings}: {found:?}"
        );
    }
}

#[test]
fn what_is_typed_is_judged_before_it_is_saved() {
    let mut project = Project::new(&[MESH]);
    let text = "type: MeshTimeout\nmesh: default\nname: a\nspec:\n  rules:\n    - default: {idleTimeout: 1s}\n";
    assert_eq!(project.show("new.yaml", text).findings("new.yaml"), [""; 0]);
    let change = json!([{"range": {"start": {"line": 5, "character": 16}, "end": {"line": 5, "character": 20}}, "text": "idel"}]);
    let found = project.edit("new.yaml", &change).findings("new.yaml");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("5:16-27 error[unknown-field]"),
        "{found:?}"
    );
    project.close("new.yaml");
    let uri = project.uri("new.yaml");
    // It was never saved, so there is no such document.
    assert_eq!(project.editor.next_diagnostics(&uri).len(), 0);
}

#[test]
fn each_document_of_a_file_is_judged_and_a_broken_one_harms_no_other() {
    let mut project = Project::new(&[MESH]);
    let text =
        "type: Mesh\nname: a\n---\ntype: Mesh\nname: [b\n---\ntype: Mesh\nname: c\nspec: 5\n";
    let found = project.show("two.yaml", text).findings("two.yaml");
    let codes: Vec<_> = found
        .iter()
        .map(|it| it.split(']').next().unwrap_or_default())
        .collect();
    assert!(
        codes.iter().any(|code| code.contains("yaml-syntax")),
        "{found:?}"
    );
    assert!(codes.iter().any(|code| code.starts_with("8:")), "{found:?}");
}

#[test]
fn settings_count_as_they_are_in_the_editor_and_what_is_wrong_with_them_is_told() {
    let unused = "type: MeshTimeout\nmesh: default\nname: a\nspec:\n  targetRef: {kind: Dataplane, labels: {app: nobody}}\n  rules:\n    - default: {idleTimeout: 1s}\n";
    let mut project = Project::new(&[MESH, ("meshc.toml", "")]);
    let warned = project.show("a.yaml", unused).findings("a.yaml");
    assert!(warned[0].contains("warning[selects-nothing]"), "{warned:?}");
    project.show("meshc.toml", "[lint]\nselects-nothing = \"error\"\n");
    assert_eq!(project.findings("meshc.toml"), [""; 0]);
    assert!(project.told("a.yaml")[0].contains("error[selects-nothing]"));
    project.show("meshc.toml", "[lint]\nselects-nothing = \"off\"\n");
    project.findings("meshc.toml");
    assert_eq!(project.told("a.yaml"), [""; 0]);
    project.show("meshc.toml", "[lint]\nselects-nothing = \"of\"\n");
    let flaws = project.findings("meshc.toml");
    assert!(flaws[0].starts_with("1:"), "{flaws:?}");
    // The last good ones count meanwhile.
    assert_eq!(project.told("a.yaml"), [""; 0]);
}

#[test]
fn what_changes_on_the_disk_counts_where_nothing_is_open() {
    let mut project = Project::new(&[MESH, TIMEOUT]);
    let found = project.show(MESH.0, MESH.1).findings(MESH.0);
    assert_eq!(found, [""; 0]);
    assert_eq!(project.told(TIMEOUT.0).len(), 1);
    project.write(SERVICE.0, SERVICE.1);
    project.changed(&[SERVICE.0]);
    let uri = project.uri(TIMEOUT.0);
    assert_eq!(project.editor.next_diagnostics(&uri).len(), 0);
}

#[test]
fn a_document_without_a_folder_is_judged_on_its_own() {
    let mut editor = server();
    editor.initialize(&json!({"capabilities": {}}));
    let uri = "file:///nowhere/timeout.yaml";
    editor.open(uri, 1, TIMEOUT.1);
    let found: Vec<_> = editor.diagnostics(uri, 1).iter().map(shown).collect();
    assert!(found.iter().all(|it| it.contains("warning")), "{found:?}");
    editor.change(
        uri,
        2,
        &TIMEOUT.1.replace("requestTimeout", "requestTimout"),
    );
    let found: Vec<_> = editor.diagnostics(uri, 2).iter().map(shown).collect();
    assert!(
        found.iter().any(|it| it.contains("error[unknown-field]")),
        "{found:?}"
    );
    editor.close(uri);
    assert_eq!(editor.next_diagnostics(uri).len(), 0);
}

#[test]
fn several_folders_are_several_repositories() {
    let (one, other) = (
        tempfile::tempdir().expect("one"),
        tempfile::tempdir().expect("two"),
    );
    for directory in [&one, &other] {
        std::fs::write(directory.path().join("mesh.yaml"), MESH.1).expect("written");
    }
    let uri = |directory: &tempfile::TempDir| format!("file://{}", directory.path().display());
    let mut editor = server();
    let folders = json!([{"uri": uri(&one), "name": "one"}, {"uri": uri(&other), "name": "two"}]);
    editor.initialize(&json!({"capabilities": {}, "workspaceFolders": folders}));
    let open = format!("{}/mesh.yaml", uri(&other));
    editor.open(&open, 1, MESH.1);
    assert_eq!(editor.diagnostics(&open, 1).len(), 0);
    assert_eq!(editor.troubled(), [""; 0]);
    // As a document of its own it is of another mesh.
    let removed = json!({"event": {"added": [], "removed": [{"uri": uri(&other), "name": "two"}]}});
    editor.notify("workspace/didChangeWorkspaceFolders", &removed);
    editor.change(&open, 2, &MESH.1.replace("name", "nam"));
    assert_ne!(editor.diagnostics(&open, 2).len(), 0);
}

#[test]
fn what_cannot_be_read_now_means_to_others_what_it_meant() {
    let mut project = Project::new(&[MESH, SERVICE, TIMEOUT]);
    project.show(TIMEOUT.0, TIMEOUT.1).findings(TIMEOUT.0);
    let broken = SERVICE.1.replace("ports: [", "ports: [[");
    let found = project.show(SERVICE.0, &broken).findings(SERVICE.0);
    assert!(found[0].contains("error[yaml-syntax]"), "{found:?}");
    // That may be why a service is missing.
    assert_eq!(project.told(TIMEOUT.0), [""; 0]);
    let place = json!({"line": 5, "character": 51});
    let document = json!({"uri": project.uri(TIMEOUT.0)});
    let asked = json!({"textDocument": document, "position": place});
    let uri = project.uri(SERVICE.0);
    let found = project.editor.request("textDocument/definition", &asked);
    assert_eq!(found[0]["uri"], uri.as_str(), "{found}");
    let found = project.editor.request("textDocument/completion", &asked);
    assert_eq!(found["items"][0]["label"], "api", "{found}");
}

#[test]
fn settings_of_another_directory_do_not_count() {
    let below = ("below/meshc.toml", "zone = 5\n");
    let mut project = Project::new(&[MESH, below]);
    assert_eq!(project.show(MESH.0, MESH.1).findings(MESH.0), [""; 0]);
    project.show(below.0, below.1);
    project.show(MESH.0, MESH.1).findings(MESH.0);
    assert_eq!(project.editor.troubled(), [""; 0]);
}
