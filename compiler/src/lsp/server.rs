//! From messages to answers: the life of a server.
//!
//! Never ends because of what a client sends, but for `exit`, and never leaves a request without an answer.

use std::io::{self, BufRead, Write};

use lsp_server::{ErrorCode, Message, Notification, Request, Response, ResponseError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::action::actions;
use super::client::Client;
use super::completion::completion;
use super::definition::{definition, references};
use super::documents::Documents;
use super::frame::{self, Incoming};
use super::hover::hover;
use super::lens::{lenses, resolve};
use super::question::Question;
use super::queue::Queue;
use super::schema;
use super::{Ended, Options};

/// A server.
struct Server<'a, W> {
    output: W,
    options: &'a Options,
    client: Client,
    phase: Phase,
    documents: Documents,
    /// Of our requests.
    next: i32,
    /// What stands above an open document may have changed by what happened elsewhere.
    elsewhere: bool,
    /// The client was asked to look again, and has not answered.
    refreshing: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Before `initialize`.
    Waiting,
    Running,
    /// After `shutdown`.
    Ending,
}

/// Answers a client until it is done.
///
/// # Errors
/// The thread that reads cannot be started.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write,
    options: &Options,
) -> io::Result<Ended> {
    let mut queue = Queue::of(input)?;
    let mut server = Server {
        output,
        options,
        client: Client::default(),
        phase: Phase::Waiting,
        documents: Documents::default(),
        next: 0,
        elsewhere: false,
        refreshing: None,
    };
    loop {
        let done = match queue.is_empty() && server.documents.are_stale() {
            // Nobody waits for anything else: what the newest texts mean is the next thing that somebody wants to know.
            true => server.settle().map(|()| None),
            false => match queue.next() {
                Some(incoming) => server.take(incoming, &queue),
                None => return Ok(Ended::Abrupt),
            },
        };
        match done {
            Ok(None) => {}
            Ok(Some(ended)) => return Ok(ended),
            // Nobody listens any more.
            Err(_) => return Ok(Ended::Abrupt),
        }
    }
}

impl<W: Write> Server<'_, W> {
    fn take(&mut self, incoming: Incoming, queue: &Queue) -> io::Result<Option<Ended>> {
        match incoming {
            Incoming::Malformed(answer) => {
                let reason = answer.pointer("/error/message").unwrap_or(&Value::Null);
                (self.options.log)(&format!("refused a message: {reason}"));
                frame::write(&mut self.output, &answer)?;
            }
            Incoming::Message(Message::Request(request)) => {
                let id = request.id.clone();
                let cancelled = queue.is_cancelled(&id);
                if needs_meaning(&request.method)
                    && self.documents.are_stale()
                    && !cancelled
                    && !queue.is_superseded(&document(&request.params))
                {
                    self.settle()?;
                }
                let response_result = match cancelled {
                    true => Err(error(ErrorCode::RequestCanceled, "cancelled by the client")),
                    false => self.answer(request, queue),
                };
                let response = Response {
                    id,
                    response_result,
                };
                Message::from(response).write(&mut self.output)?;
                self.begin()?;
            }
            Incoming::Message(Message::Notification(notification)) => {
                if notification.method == "exit" {
                    return Ok(Some(match self.phase {
                        Phase::Ending => Ended::Orderly,
                        Phase::Waiting | Phase::Running => Ended::Abrupt,
                    }));
                }
                if self.phase == Phase::Running {
                    self.note(notification)?;
                }
            }
            Incoming::Message(Message::Response(response)) => {
                if self.refreshing.is_some_and(|id| response.id == id.into()) {
                    self.refreshing = None;
                    self.refresh()?;
                }
                if let Err(error) = response.response_result {
                    (self.options.log)(&format!("the client refuses a request: {}", error.message));
                }
            }
        }
        Ok(None)
    }

    /// A question that is asked in every life.
    fn answer(&mut self, request: Request, queue: &Queue) -> Result<Value, ResponseError> {
        let Request { method, params, .. } = request;
        match (self.phase, method.as_str()) {
            (Phase::Waiting, "initialize") => {
                self.client = Client::of(&params);
                self.phase = Phase::Running;
                Ok(self.client.welcome())
            }
            (Phase::Waiting, _) => Err(error(
                ErrorCode::ServerNotInitialized,
                "the first request is `initialize`",
            )),
            (Phase::Ending, _) => Err(error(
                ErrorCode::InvalidRequest,
                "nothing is answered after `shutdown`",
            )),
            (Phase::Running, "initialize") => Err(error(
                ErrorCode::InvalidRequest,
                "`initialize` was answered before",
            )),
            (Phase::Running, "shutdown") => {
                self.phase = Phase::Ending;
                Ok(Value::Null)
            }
            (Phase::Running, method) => self.ask(method, params, queue),
        }
    }

    /// A question about documents.
    fn ask(&mut self, method: &str, params: Value, queue: &Queue) -> Result<Value, ResponseError> {
        let uri = document(&params);
        let completes = method == "textDocument/completion";
        if !completes && queue.is_superseded(&uri) {
            return Err(error(
                ErrorCode::ContentModified,
                "the text is another by now",
            ));
        }
        let asked = Asked {
            documents: &self.documents,
            client: &self.client,
            uri: &uri,
            params,
        };
        match method {
            "textDocument/hover" => asked.of(|asked, params| hover(asked, &params)),
            "textDocument/definition" => asked.of(|asked, params| definition(asked, &params)),
            "textDocument/references" => asked.of(|asked, params| references(asked, &params)),
            "textDocument/completion" => asked.of(|asked, params| completion(asked, &params)),
            "textDocument/codeAction" => asked.of(|asked, params| actions(asked, &params)),
            "textDocument/codeLens" => asked.of(|asked, params| lenses(asked, &params)),
            "codeLens/resolve" => asked.of(|asked, params| resolve(asked, &params)),
            _ => {
                let message = format!("meshc does not know the method `{method}`");
                Err(error(ErrorCode::MethodNotFound, &message))
            }
        }
    }

    /// Opens what the editor has opened, once it has the answer to `initialize`.
    fn begin(&mut self) -> io::Result<()> {
        let folders = std::mem::take(&mut self.client.folders);
        if !folders.is_empty() {
            // Whoever asks before that waits for it.
            let builder = std::thread::Builder::new().name("schemas".to_owned());
            drop(builder.spawn(schema::prepare));
        }
        for folder in folders {
            if let Err(reason) = self.documents.add(&folder, self.options) {
                self.show(&reason)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, notification: Notification) -> io::Result<()> {
        let Notification { method, params } = notification;
        if method == "initialized" {
            return self.watch();
        }
        let client = &self.client;
        let noted = self.documents.note(&method, params, client, self.options);
        if let Err(reason) = noted {
            (self.options.log)(&format!("{method}: {reason}"));
        }
        // Of what somebody writes the client asks by itself.
        self.elsewhere |= method.starts_with("workspace/") || self.documents.count() > 1;
        Ok(())
    }

    /// Asks to be told of changes on the disk.
    fn watch(&mut self) -> io::Result<()> {
        if !self.client.watches {
            return Ok(());
        }
        let watchers = ["**/*.{yaml,yml,json}", "**/meshc.toml"];
        let watchers = watchers.map(|pattern| json!({"globPattern": pattern}));
        let registration = json!({
            "id": "files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": {"watchers": watchers},
        });
        let registrations = json!({"registrations": [registration]});
        self.request("client/registerCapability", registrations)?;
        Ok(())
    }

    /// Asks to look again at what stands above documents, where that may be something else by now.
    fn refresh(&mut self) -> io::Result<()> {
        if self.client.refreshes && self.elsewhere && self.refreshing.is_none() {
            self.elsewhere = false;
            self.refreshing = Some(self.request("workspace/codeLens/refresh", Value::Null)?);
        }
        Ok(())
    }

    /// Asks the client for something.
    fn request(&mut self, method: &str, params: Value) -> io::Result<i32> {
        self.next += 1;
        let request = Request {
            id: self.next.into(),
            method: method.to_owned(),
            params,
        };
        Message::from(request).write(&mut self.output)?;
        Ok(self.next)
    }

    /// Compiles what is not compiled, and tells what is news.
    fn settle(&mut self) -> io::Result<()> {
        self.documents.settle(self.options);
        for params in self.documents.news(self.client.encoding) {
            self.notify("textDocument/publishDiagnostics", &params)?;
        }
        self.refresh()
    }

    /// Says something that a person has to know.
    fn show(&mut self, message: &str) -> io::Result<()> {
        (self.options.log)(message);
        let params = json!({"type": 1, "message": format!("meshc: {message}")});
        self.notify("window/showMessage", &params)
    }

    fn notify(&mut self, method: &str, params: &impl Serialize) -> io::Result<()> {
        let notification = Notification {
            method: method.to_owned(),
            params: serde_json::to_value(params)?,
        };
        Message::from(notification).write(&mut self.output)
    }
}

/// Is it answered from what the newest texts mean? What can be written next depends on what was there before.
fn needs_meaning(method: &str) -> bool {
    let of_documents = method.starts_with("textDocument/") || method.starts_with("codeLens/");
    of_documents && method != "textDocument/completion"
}

/// Which document a question is about.
fn document(params: &Value) -> String {
    let uri = ["/textDocument/uri", "/data/uri"].map(|path| params.pointer(path));
    let uri = uri.into_iter().flatten().find_map(Value::as_str);
    uri.unwrap_or_default().to_owned()
}

/// A question about an open document, before anybody has looked at what exactly is asked.
struct Asked<'a> {
    documents: &'a Documents,
    client: &'a Client,
    uri: &'a str,
    params: Value,
}

impl Asked<'_> {
    /// The answer; `null` where there is none, or where the document is not open.
    fn of<P: DeserializeOwned, R: Serialize>(
        self,
        answer: impl FnOnce(&Question<'_>, P) -> Option<R>,
    ) -> Result<Value, ResponseError> {
        let params = serde_json::from_value(self.params)
            .map_err(|reason| error(ErrorCode::InvalidParams, &reason.to_string()))?;
        let Some((folder, name)) = self.documents.find(self.uri) else {
            return Ok(Value::Null);
        };
        let Some(buffer) = folder.buffers.get(name) else {
            return Ok(Value::Null);
        };
        let question = Question {
            folder,
            name,
            buffer,
            client: self.client,
        };
        let answer = answer(&question, params);
        serde_json::to_value(answer)
            .map_err(|reason| error(ErrorCode::InternalError, &reason.to_string()))
    }
}

fn error(code: ErrorCode, message: &str) -> ResponseError {
    ResponseError {
        code: code as i32,
        message: message.to_owned(),
        data: None,
    }
}
