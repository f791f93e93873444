//! The editor's end of the Language Server Protocol, over the standard input and output of a server.
//!
//! Never waits without a deadline, and never lets a message of the server pass: what nobody waits for is kept.
#![expect(
    clippy::indexing_slicing,
    reason = "a field of a JSON value that is not there is null"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// A server that is written in a slow language starts slowly on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that runs, with an editor that speaks to it.
#[derive(Debug)]
pub struct Editor {
    process: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    complaints: Arc<Mutex<String>>,
    /// Of the next request.
    next: i32,
    /// What was published last, by URI.
    published: BTreeMap<String, Value>,
    /// What the server has asked for and told, but for diagnostics, in its order.
    pub heard: Vec<Value>,
}

impl Editor {
    /// Starts a server, and says nothing to it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let input = process.stdin.take();
        let mut output = BufReader::new(process.stdout.take().expect("its output"));
        let mut stderr = process.stderr.take().expect("its complaints");
        let complaints = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&complaints);
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = stderr.read(&mut bytes) {
                let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default());
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
            }
        });
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        Self {
            process,
            input,
            messages,
            complaints,
            next: 0,
            published: BTreeMap::new(),
            heard: Vec::new(),
        }
    }

    /// Says who it is; the answer is what the server can do.
    pub fn initialize(&mut self, params: &Value) -> Value {
        let answer = self.request("initialize", params);
        self.notify("initialized", &json!({}));
        answer
    }

    /// A question that has to be answered.
    ///
    /// # Panics
    /// When it is refused.
    pub fn request(&mut self, method: &str, params: &Value) -> Value {
        match self.ask(method, params) {
            Ok(result) => result,
            Err(error) => panic!("{method} {params}: {error}\n{}", self.complaints()),
        }
    }

    /// A question, and its answer or refusal.
    ///
    /// # Errors
    /// The refusal.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.pose(method, params);
        self.answer(id)
    }

    /// A question whose answer is waited for later; its number.
    pub fn pose(&mut self, method: &str, params: &Value) -> i32 {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The answer to a question, or its refusal.
    ///
    /// # Errors
    /// The refusal.
    pub fn answer(&mut self, id: i32) -> Result<Value, Value> {
        let mine = |message: &Value| message["id"] == id && message.get("method").is_none();
        let answer = self.wait("an answer", mine);
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["result"].clone()),
        }
    }

    /// Tells the server something.
    pub fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Opens a document.
    pub fn open(&mut self, uri: &str, version: i32, text: &str) {
        let document = json!({"uri": uri, "languageId": "yaml", "version": version, "text": text});
        self.notify("textDocument/didOpen", &json!({"textDocument": document}));
    }

    /// Replaces the text of a document.
    pub fn change(&mut self, uri: &str, version: i32, text: &str) {
        self.edit(uri, version, &json!([{"text": text}]));
    }

    /// Changes a document.
    pub fn edit(&mut self, uri: &str, version: i32, changes: &Value) {
        let document = json!({"uri": uri, "version": version});
        let params = json!({"textDocument": document, "contentChanges": changes});
        self.notify("textDocument/didChange", &params);
    }

    /// Closes a document.
    pub fn close(&mut self, uri: &str) {
        self.notify(
            "textDocument/didClose",
            &json!({"textDocument": {"uri": uri}}),
        );
    }

    /// What is published of a document next.
    pub fn next_diagnostics(&mut self, uri: &str) -> Vec<Value> {
        self.published.remove(uri);
        self.wait_for_diagnostics(uri, None)
    }

    /// What is published of a version of a document.
    pub fn diagnostics(&mut self, uri: &str, version: i32) -> Vec<Value> {
        self.wait_for_diagnostics(uri, Some(version))
    }

    /// What is wrong with a document as far as the server has told.
    #[must_use]
    pub fn told(&self, uri: &str) -> Vec<Value> {
        let params = self.published.get(uri);
        let list = params.and_then(|params| params["diagnostics"].as_array().cloned());
        list.unwrap_or_default()
    }

    /// Every document of which something is wrong, as far as the server has told.
    #[must_use]
    pub fn troubled(&self) -> Vec<&str> {
        let any = |params: &Value| {
            params["diagnostics"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
        };
        let published = self.published.iter();
        published
            .filter(|(_, params)| any(params))
            .map(|(uri, _)| uri.as_str())
            .collect()
    }

    fn wait_for_diagnostics(&mut self, uri: &str, version: Option<i32>) -> Vec<Value> {
        let fits = |params: &Value| version.is_none_or(|version| params["version"] == version);
        if !self.published.get(uri).is_some_and(fits) {
            let what = format!("diagnostics of {uri}, version {version:?}");
            self.wait(&what, |message| {
                message["method"] == "textDocument/publishDiagnostics"
                    && message["params"]["uri"] == uri
                    && fits(&message["params"])
            });
        }
        self.told(uri)
    }

    /// The first message that fits. What the server itself asks for meanwhile is granted, and empty.
    ///
    /// # Panics
    /// When none comes before the deadline, or before the server ends.
    pub fn wait(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let Ok(message) = self.messages.recv_timeout(DEADLINE) else {
                panic!("no {what}; the server says:\n{}", self.complaints());
            };
            if message["method"] == "textDocument/publishDiagnostics" {
                let uri = message["params"]["uri"].as_str().unwrap_or_default();
                self.published
                    .insert(uri.to_owned(), message["params"].clone());
            } else if message.get("method").is_some() {
                self.heard.push(message.clone());
            }
            if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
                let id = id.clone();
                self.send(&json!({"jsonrpc": "2.0", "id": id, "result": null}));
            }
            if fits(&message) {
                return message;
            }
        }
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let framed = format!("Content-Length: {}\r\n\r\n{text}", text.len());
        self.send_bytes(framed.as_bytes());
    }

    /// Sends whatever it is.
    ///
    /// # Panics
    /// When the server does not listen any more.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("an open input");
        let sent = input.write_all(bytes).and_then(|()| input.flush());
        if let Err(error) = sent {
            panic!("{error}; the server says:\n{}", self.complaints());
        }
    }

    /// Closes the input of the server; its exit code.
    ///
    /// # Panics
    /// When it does not end.
    pub fn end(mut self) -> Option<i32> {
        drop(self.input.take());
        // Its output ends with it.
        while self.messages.recv_timeout(DEADLINE).is_ok() {}
        self.process.wait().expect("an end").code()
    }

    /// What the server wrote to standard error.
    #[must_use]
    pub fn complaints(&self) -> String {
        let kept = self.complaints.lock();
        kept.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Editor {
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
