//! From messages to answers: the life of a server.
//!
//! Never ends because of what a client sends, but for `exit`, and never leaves a request without an answer.

use std::io::{self, BufRead, Write};

use lsp_server::{ErrorCode, Message, Notification, Request, Response, ResponseError};
use serde::Serialize;
use serde_json::{Value, json};

use super::client::Client;
use super::documents::Documents;
use super::frame::{self, Incoming};
use super::queue::Queue;
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
                let response_result = match queue.is_cancelled(&id) {
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
        let _ = (params, queue);
        let message = format!("meshc does not know the method `{method}`");
        Err(error(ErrorCode::MethodNotFound, &message))
    }

    /// Opens what the editor has opened, once it has the answer to `initialize`.
    fn begin(&mut self) -> io::Result<()> {
        let folders = std::mem::take(&mut self.client.folders);
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
        match self
            .documents
            .note(&method, params, &self.client, self.options)
        {
            Ok(()) => {}
            Err(reason) => (self.options.log)(&format!("{method}: {reason}")),
        }
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
        self.next += 1;
        let request = Request {
            id: self.next.into(),
            method: "client/registerCapability".to_owned(),
            params: json!({"registrations": [registration]}),
        };
        Message::from(request).write(&mut self.output)
    }

    /// Compiles what is not compiled, and tells what is news.
    fn settle(&mut self) -> io::Result<()> {
        self.documents.settle(self.options);
        for params in self.documents.news(self.client.encoding) {
            self.notify("textDocument/publishDiagnostics", &params)?;
        }
        Ok(())
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

fn error(code: ErrorCode, message: &str) -> ResponseError {
    ResponseError {
        code: code as i32,
        message: message.to_owned(),
        data: None,
    }
}
