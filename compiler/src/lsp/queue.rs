//! Messages that wait.
//!
//! Never longer than its bound: a client that sends faster than it is answered waits itself.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use lsp_server::{Message, Notification, RequestId};
use serde_json::Value;

use super::frame::{self, Incoming};

/// Messages that wait for each other, in the channel and again in the queue.
const MOST: usize = 256;

/// What has come in and was not taken yet.
#[derive(Debug)]
pub(super) struct Queue {
    channel: Receiver<Incoming>,
    waiting: VecDeque<Incoming>,
}

impl Queue {
    /// Begins to read.
    pub(super) fn of(mut input: impl BufRead + Send + 'static) -> io::Result<Self> {
        let (sender, channel) = sync_channel(MOST);
        // It ends with its input, or with the process: reading cannot be interrupted.
        thread::Builder::new()
            .name("messages".to_owned())
            .spawn(move || {
                while let Ok(Some(incoming)) = frame::read(&mut input) {
                    let last = matches!(&incoming, Incoming::Message(Message::Notification(it)) if it.method == "exit");
                    if sender.send(incoming).is_err() || last {
                        return;
                    }
                }
            })?;
        Ok(Self {
            channel,
            waiting: VecDeque::new(),
        })
    }

    /// Is there nothing to do?
    pub(super) fn is_empty(&mut self) -> bool {
        while self.waiting.len() < MOST {
            let Ok(incoming) = self.channel.try_recv() else {
                break;
            };
            self.waiting.push_back(incoming);
        }
        self.waiting.is_empty()
    }

    /// The next message, which may be long in coming; `None` where there will be none.
    pub(super) fn next(&mut self) -> Option<Incoming> {
        match self.is_empty() {
            true => self.channel.recv().ok(),
            false => self.waiting.pop_front(),
        }
    }

    /// Has the client taken its question back?
    pub(super) fn is_cancelled(&self, id: &RequestId) -> bool {
        self.notifications("$/cancelRequest").any(|cancelled| {
            let cancelled = cancelled.params.get("id").cloned().unwrap_or_default();
            serde_json::from_value::<RequestId>(cancelled).is_ok_and(|cancelled| cancelled == *id)
        })
    }

    /// Is a newer text of this document on its way?
    pub(super) fn is_superseded(&self, uri: &str) -> bool {
        self.notifications("textDocument/didChange").any(|changed| {
            let changed = changed.params.pointer("/textDocument/uri");
            changed.and_then(Value::as_str) == Some(uri)
        })
    }

    fn notifications(&self, method: &str) -> impl Iterator<Item = &Notification> {
        let waiting = self.waiting.iter();
        waiting.filter_map(move |incoming| match incoming {
            Incoming::Message(Message::Notification(it)) if it.method == method => Some(it),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_taken_back_or_out_of_date_is_known_before_it_is_its_turn() {
        let (sender, channel) = sync_channel(8);
        for message in [
            json!({"id": 1, "method": "a"}),
            json!({"id": "1", "method": "a"}),
            json!({"method": "$/cancelRequest", "params": {"id": "1"}}),
            json!({"method": "$/cancelRequest"}),
            json!({"method": "textDocument/didChange", "params": {"textDocument": {"uri": "a"}}}),
        ] {
            let message = serde_json::from_value(message).unwrap();
            sender.send(Incoming::Message(message)).unwrap();
        }
        drop(sender);
        let mut queue = Queue {
            channel,
            waiting: VecDeque::new(),
        };
        assert!(!queue.is_empty());
        assert!(!queue.is_cancelled(&1.into()));
        assert!(queue.is_cancelled(&"1".to_owned().into()));
        assert!(queue.is_superseded("a"));
        assert!(!queue.is_superseded("b"));
        let taken = std::iter::from_fn(|| queue.next());
        assert_eq!(taken.count(), 5);
    }
}
