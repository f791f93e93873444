//! How long `meshc lsp` takes after a keystroke, measured at the process that editors start, on a generated repository:
//! `cargo xtask bench lsp` runs it and prints the table.
//!
//! Never compares with a bare look: a document that is broken on purpose must be told so, and one that is mended too.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a benchmark reads files and the clock, prints what it measured, and takes a field of JSON that is not there for null"
)]

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Keystrokes of each sort: enough for a median on a noisy machine.
const KEYS: usize = 21;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A server, and the editor's end of it.
struct Editor {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: i64,
}

impl Editor {
    fn start(root: &Path) -> Outcome<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_meshc"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take().ok_or("no input")?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut editor = Self {
            process,
            input,
            output: BufReader::new(output),
            next: 0,
        };
        let folders = json!([{"uri": uri(root), "name": "mesh"}]);
        let params = json!({"capabilities": {}, "workspaceFolders": folders});
        editor.ask("initialize", &params)?;
        editor.notify("initialized", &json!({}))?;
        Ok(editor)
    }

    fn send(&mut self, message: &Value) -> Outcome<()> {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        Ok(self.input.flush()?)
    }

    fn notify(&mut self, method: &str, params: &Value) -> Outcome<()> {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
    }

    fn ask(&mut self, method: &str, params: &Value) -> Outcome<Value> {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        loop {
            let message = self.receive()?;
            if message["id"] == id && message.get("method").is_none() {
                return Ok(message["result"].clone());
            }
        }
    }

    /// The findings of a version of a document.
    fn told(&mut self, uri: &str, version: usize) -> Outcome<usize> {
        loop {
            let message = self.receive()?;
            let params = &message["params"];
            if params["uri"] == uri && params["version"] == version {
                return Ok(params["diagnostics"].as_array().map_or(0, Vec::len));
            }
        }
    }

    fn receive(&mut self) -> Outcome<Value> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line)? == 0 {
                return Err("the server ended".into());
            }
            match line.trim().split_once(": ") {
                Some(("Content-Length", number)) => length = number.parse()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut bytes = vec![0; length];
        self.output.read_exact(&mut bytes)?;
        Ok(serde_json::from_slice(&bytes)?)
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The first file, in the order of names, that holds all of these.
fn find(root: &Path, texts: &[&str]) -> Outcome<(PathBuf, String)> {
    let mut open = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            match path.is_dir() {
                true => open.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path)?;
        if texts.iter().all(|part| text.contains(part)) {
            return Ok((path, text));
        }
    }
    Err(format!("no file holds {texts:?}").into())
}

fn row(what: &str, mut spans: Vec<Duration>) {
    spans.sort();
    let ms = |at: usize| {
        spans
            .get(at)
            .map_or(0.0, |span| span.as_secs_f64() * 1_000.0)
    };
    let (least, median, most) = (
        ms(0),
        ms(spans.len() / 2),
        ms(spans.len().saturating_sub(1)),
    );
    println!("{what}\t{least:.1}\t{median:.1}\t{most:.1}");
}

/// What is edited: how it is called, what its file holds, and what is typed there.
const EDITS: [(&str, &[&str], [&str; 2]); 4] = [
    (
        "a permission of one service",
        &["type: MeshTrafficPermission", "workload/svc-1\n"],
        ["workload/svc-1\n", "workload/svc-0\n"],
    ),
    (
        "a policy of the clients of one service",
        &["type: MeshTimeout", "-clients", "idleTimeout: 1m"],
        ["1m", "9m"],
    ),
    (
        "a dataplane",
        &["type: Dataplane"],
        ["version: v", "version: w"],
    ),
    (
        "a policy of one service",
        &["type: MeshTimeout", "connectionTimeout: 2s"],
        ["2s", "3s"],
    ),
];

fn main() -> Outcome<()> {
    // Cargo adds arguments of its own.
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"));
    let root = PathBuf::from(arguments.next().ok_or("say which repository")?);
    for (what, texts, [from, to]) in EDITS {
        let (path, text) = find(&root, texts)?;
        let after = text.replacen(from, to, 1);
        // A key that nobody knows, where the first key is.
        let broken = format!("{}x", text.trim_end()).replacen("type: ", "typo: ", 1);
        let uri = uri(&path);
        let mut editor = Editor::start(&root)?;
        let started = Instant::now();
        let document = json!({"uri": uri, "languageId": "yaml", "version": 1, "text": text});
        editor.notify("textDocument/didOpen", &json!({"textDocument": document}))?;
        let sound = editor.told(&uri, 1)?;
        row(
            &format!("{what}: opened, all compiled for the first time"),
            vec![started.elapsed()],
        );
        let mut version = 1;
        let mut change = |editor: &mut Editor, text: &str| -> Outcome<Duration> {
            version += 1;
            let document = json!({"uri": uri, "version": version});
            let params = json!({"textDocument": document, "contentChanges": [{"text": text}]});
            let started = Instant::now();
            editor.notify("textDocument/didChange", &params)?;
            let found = editor.told(&uri, version)?;
            assert_eq!(found > sound, text == broken, "{what}: {found} findings");
            Ok(started.elapsed())
        };
        let mut spans = Vec::new();
        for text in [&after, &text].iter().cycle().take(KEYS) {
            spans.push(change(&mut editor, text)?);
        }
        row(&format!("{what}: findings after a keystroke"), spans);
        change(&mut editor, &broken)?;
        change(&mut editor, &text)?;
        for (question, method) in [
            ("completion", "textDocument/completion"),
            ("hover", "textDocument/hover"),
        ] {
            let mut spans = Vec::new();
            for _ in 0..KEYS {
                // Of the mesh, and of the document.
                let line = if question == "completion" { 1 } else { 2 };
                let position = json!({"line": line, "character": 7});
                let params = json!({"textDocument": {"uri": uri}, "position": position});
                let started = Instant::now();
                editor.ask(method, &params)?;
                spans.push(started.elapsed());
            }
            row(&format!("{what}: {question}"), spans);
        }
    }
    Ok(())
}
