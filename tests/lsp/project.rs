//! A directory that is open in an editor which speaks to `meshc lsp`.
//!
//! Never shares a directory with another test.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use mesh_tests::{Editor, binary};
use serde_json::{Value, json};
use tempfile::TempDir;

/// See above.
pub(super) struct Project {
    directory: TempDir,
    pub(super) editor: Editor,
    /// Of open documents, by their names: the version that was sent last.
    versions: BTreeMap<String, i32>,
}

/// `meshc lsp`, before anything is said to it.
pub(super) fn server() -> Editor {
    let mut command = Command::new(binary("meshc"));
    Editor::start(command.arg("lsp").arg("--stdio"))
}

impl Project {
    /// With these files, of which none is open.
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, &json!({}))
    }

    /// With an editor of other capabilities.
    pub(super) fn with(files: &[(&str, &str)], capabilities: &Value) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            write(directory.path(), name, text);
        }
        let root = uri(directory.path(), "");
        let mut editor = server();
        let folders = json!([{"uri": root.trim_end_matches('/'), "name": "mesh"}]);
        editor.initialize(&json!({"processId": null, "rootUri": null, "capabilities": capabilities, "workspaceFolders": folders}));
        Self {
            directory,
            editor,
            versions: BTreeMap::new(),
        }
    }

    /// Writes a file behind the back of the editor.
    pub(super) fn write(&self, name: &str, text: &str) {
        write(self.directory.path(), name, text);
    }

    pub(super) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn uri(&self, name: &str) -> String {
        uri(self.directory.path(), name)
    }

    /// Shows a text in the editor, whatever the disk has.
    pub(super) fn show(&mut self, name: &str, text: &str) -> &mut Self {
        let uri = self.uri(name);
        let version = self.next(name);
        match version {
            1 => self.editor.open(&uri, version, text),
            _ => self.editor.change(&uri, version, text),
        }
        self
    }

    /// Changes a text in the editor.
    pub(super) fn edit(&mut self, name: &str, changes: &Value) -> &mut Self {
        let uri = self.uri(name);
        let version = self.next(name);
        self.editor.edit(&uri, version, changes);
        self
    }

    fn next(&mut self, name: &str) -> i32 {
        let version = self.versions.entry(name.to_owned()).or_default();
        *version += 1;
        *version
    }

    pub(super) fn close(&mut self, name: &str) {
        self.versions.remove(name);
        let uri = self.uri(name);
        self.editor.close(&uri);
    }

    /// Tells the server what has changed on the disk.
    pub(super) fn changed(&mut self, names: &[&str]) {
        let change = |name: &&str| json!({"uri": self.uri(name), "type": 2});
        let changes: Vec<Value> = names.iter().map(change).collect();
        self.editor.notify(
            "workspace/didChangeWatchedFiles",
            &json!({"changes": changes}),
        );
    }

    /// What is wrong with the newest text of an open document.
    pub(super) fn findings(&mut self, name: &str) -> Vec<String> {
        let uri = self.uri(name);
        let version = self.versions.get(name).copied().expect("an open document");
        let found = self.editor.diagnostics(&uri, version);
        // Everything that is news comes in one go, and an answer after it.
        let answer = self.editor.ask("mesh/unknown", &json!({}));
        assert!(answer.is_err(), "{answer:?}");
        found.iter().map(shown).collect()
    }

    /// What is wrong with a document as far as the server has told.
    pub(super) fn told(&self, name: &str) -> Vec<String> {
        self.editor
            .told(&self.uri(name))
            .iter()
            .map(shown)
            .collect()
    }
}

pub(super) fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    std::fs::write(path, text).expect("a file");
}

fn uri(directory: &Path, name: &str) -> String {
    format!("file://{}/{name}", directory.display())
}

/// `3:7-12 error[dangling-ref] message`, as editors count: from 0, in UTF-16.
pub(super) fn shown(finding: &Value) -> String {
    let severity = match finding["severity"].as_u64() {
        Some(1) => "error",
        Some(2) => "warning",
        _ => "?",
    };
    let message = finding["message"].as_str().unwrap_or_default();
    let line = message.lines().next().unwrap_or_default();
    let code = finding["code"].as_str().unwrap_or_default();
    format!("{} {severity}[{code}] {line}", range(&finding["range"]))
}

/// `3:7-12`, or `3:7-4:0`.
pub(super) fn range(range: &Value) -> String {
    let at = |end: &str, part: &str| range[end][part].clone();
    let (line, last) = (at("start", "line"), at("end", "line"));
    let (from, to) = (at("start", "character"), at("end", "character"));
    match line == last {
        true => format!("{line}:{from}-{to}"),
        false => format!("{line}:{from}-{last}:{to}"),
    }
}
