//! yaml-language-server as one test needs it.
//!
//! Never waits without a deadline.

use std::path::{Path, PathBuf};
use std::process::Command;

use mesh_tests::Editor;
use serde_json::{Value, json};
use tempfile::TempDir;

const SCHEMA: &str = "mesh.schema.json";

/// A server that runs, and is told what editors tell it.
pub(super) struct Server {
    editor: Editor,
    /// Of the next document.
    next: u64,
    /// Holds the schema.
    directory: TempDir,
}

impl Server {
    /// `None`, said aloud: there is no server on this machine.
    pub(super) fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("SKIPPED: no yaml-language-server; name one in MESH_YAML_LANGUAGE_SERVER");
            return None;
        };
        let directory = tempfile::tempdir().expect("a directory");
        let schema = mesh_compiler::union().to_string();
        std::fs::write(directory.path().join(SCHEMA), schema).expect("written");
        let mut editor = Editor::start(Command::new(&program).arg("--stdio"));
        let markdown = json!({"contentFormat": ["markdown"]});
        let capabilities = json!({"textDocument": {"hover": markdown, "completion": {}}});
        let params = json!({"processId": null, "rootUri": null, "capabilities": capabilities});
        editor.initialize(&params);
        let settings = json!({"yaml": {"validate": true, "hover": true, "completion": true, "schemaStore": {"enable": false}}});
        let params = json!({"settings": settings});
        editor.notify("workspace/didChangeConfiguration", &params);
        Some(Self {
            editor,
            next: 0,
            directory,
        })
    }

    /// Opens a new document which points to the schema, and says its name.
    pub(super) fn open(&mut self, text: &str) -> String {
        self.next += 1;
        let uri = format!("file:///mesh/{}.yaml", self.next);
        let schema = self.directory.path().join(SCHEMA);
        let text = format!(
            "# yaml-language-server: $schema=file://{}\n{text}",
            schema.display()
        );
        self.editor.open(&uri, 1, &text);
        uri
    }

    /// The answer to a question about a place.
    pub(super) fn ask(&mut self, method: &str, uri: &str, position: &Value) -> Value {
        let params = json!({"textDocument": {"uri": uri}, "position": position});
        self.editor.request(method, &params)
    }

    /// `line: message` of everything that is wrong, where the first line of `text` is 1.
    pub(super) fn diagnostics(&mut self, text: &str) -> Vec<String> {
        let uri = self.open(text);
        let shown = |finding: &Value| {
            let message = finding["message"].as_str().unwrap_or_default();
            format!("{}: {message}", finding["range"]["start"]["line"])
        };
        self.editor
            .next_diagnostics(&uri)
            .iter()
            .map(shown)
            .collect()
    }
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MESH_YAML_LANGUAGE_SERVER") {
        return Some(PathBuf::from(named));
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let above = top.ancestors().skip(1);
    let mut programs = above.map(|d| d.join("node_modules/.bin/yaml-language-server"));
    programs.find(|program| program.exists())
}
