//! A client of a language server, as small as one test needs.
//!
//! Never waits without a deadline.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Node starts slowly on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const SCHEMA: &str = "mesh.schema.json";

/// A server that runs, and is told what editors tell it.
pub(super) struct Server {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// Of the next request, and of the next document.
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
        let mut process = Command::new(&program)
            .arg("--stdio")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let input = process.stdin.take().expect("its input");
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            process,
            input,
            messages,
            next: 0,
            directory,
        };
        let markdown = json!({"contentFormat": ["markdown"]});
        let capabilities = json!({"textDocument": {"hover": markdown, "completion": {}}});
        server.request(
            "initialize",
            &json!({"processId": null, "rootUri": null, "capabilities": capabilities}),
        );
        server.notify("initialized", &json!({}));
        let settings = json!({"yaml": {"validate": true, "hover": true, "completion": true, "schemaStore": {"enable": false}}});
        server.notify(
            "workspace/didChangeConfiguration",
            &json!({"settings": settings}),
        );
        Some(server)
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
        let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        self.notify("textDocument/didOpen", &json!({"textDocument": document}));
        uri
    }

    /// The answer to a question about a place.
    pub(super) fn ask(&mut self, method: &str, uri: &str, position: &Value) -> Value {
        self.request(
            method,
            &json!({"textDocument": {"uri": uri}, "position": position}),
        )
    }

    /// `line: message` of everything that is wrong, where the first line of `text` is 1.
    pub(super) fn diagnostics(&mut self, text: &str) -> Vec<String> {
        let uri = self.open(text);
        let of_document = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == *uri
        };
        let message = self.wait(of_document);
        let all = message["params"]["diagnostics"].as_array().cloned();
        let shown = |finding: &Value| {
            let message = finding["message"].as_str().unwrap_or_default();
            format!("{}: {message}", finding["range"]["start"]["line"])
        };
        all.unwrap_or_default().iter().map(shown).collect()
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.wait(|message| message["id"] == id && message.get("method").is_none());
        answer["result"].clone()
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// The first message that fits. What the server itself asks for meanwhile is granted, and empty.
    fn wait(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self
                .messages
                .recv_timeout(PATIENCE)
                .expect("an answer of the language server");
            if fits(&message) {
                return message;
            }
            if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
            }
        }
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
        self.input
            .write_all(framed.as_bytes())
            .and_then(|()| self.input.flush())
            .expect("a server that listens");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One message: headers, an empty line, and as many bytes as they say.
fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut bytes = vec![0; length];
    output.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
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
