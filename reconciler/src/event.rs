//! What an operator must know: a bounded list of events, in memory and on disk, logged, counted, and shown to whoever asks.
//!
//! Never the same thing twice within some minutes: it is counted up instead.

mod moment;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, watch};

use crate::registry::Now;
use crate::state::StateDir;

pub(crate) use moment::{rfc3339, unix};

const FILE: &str = "events.json";
const FORMAT: u32 = 1;
/// Events that are kept.
const KEPT: usize = 512;
/// Events that wait for somebody slow who is told of them.
const UNTOLD: usize = 256;
/// Characters of a message.
const MESSAGE_LIMIT: usize = 1_000;
/// The same again within this time is no news.
const SAME_WITHIN: u64 = 5 * 60;
/// Between two writes: a thousand proxies that fail at once are one write.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// How much it matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Error,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Error => "error",
        }
    }
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    /// `Source`, `Rollout`, `Proxy`, `Authority`, ...
    pub(crate) kind: String,
    pub(crate) name: String,
}

/// One event, in the shape that Flux gives to its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) involved_object: Object,
    pub(crate) severity: Severity,
    /// CamelCase, for machines.
    pub(crate) reason: String,
    /// For people.
    pub(crate) message: String,
    pub(crate) metadata: Metadata,
    pub(crate) reporting_controller: String,
    /// When it happened last, RFC 3339.
    pub(crate) timestamp: String,
    /// How often, within the time in which it is no news.
    pub(crate) count: u32,
}

/// What belongs to an event beside its words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    /// The commit that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<String>,
}

/// An event that is about to be recorded. Reasons are written in the source: they become labels of a metric.
#[derive(Debug, Clone)]
pub(crate) struct News {
    kind: &'static str,
    name: String,
    severity: Severity,
    reason: &'static str,
    message: String,
    revision: Option<String>,
    logged: bool,
}

impl News {
    /// Good to know.
    pub(crate) fn info(
        kind: &'static str,
        name: &str,
        reason: &'static str,
        message: &str,
    ) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            severity: Severity::Info,
            reason,
            message: short(message),
            revision: None,
            logged: false,
        }
    }

    /// Somebody should look.
    pub(crate) fn error(
        kind: &'static str,
        name: &str,
        reason: &'static str,
        message: &str,
    ) -> Self {
        Self {
            severity: Severity::Error,
            ..Self::info(kind, name, reason, message)
        }
    }

    /// About this commit.
    pub(crate) fn of(self, revision: Option<&str>) -> Self {
        Self {
            revision: revision.map(str::to_owned),
            ..self
        }
    }

    /// There is a line in the log already, which says more.
    pub(crate) fn already_logged(self) -> Self {
        Self {
            logged: true,
            ..self
        }
    }

    fn log(&self) {
        let Self {
            kind, name, reason, ..
        } = self;
        let (message, revision) = (&self.message, self.revision.as_deref());
        match self.severity {
            _ if self.logged => {}
            Severity::Info => tracing::info!(kind, name, reason, revision, "{message}"),
            Severity::Error => tracing::warn!(kind, name, reason, revision, "{message}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Counted {
    kind: &'static str,
    severity: &'static str,
    reason: &'static str,
}

/// The events of one meshd.
#[derive(Debug)]
pub(crate) struct Events {
    ring: Mutex<VecDeque<Event>>,
    counted: Family<Counted, Counter>,
    changed: watch::Sender<u64>,
    /// To whoever is told of each.
    told: broadcast::Sender<Event>,
}

#[derive(Serialize, Deserialize)]
struct Text {
    format: u32,
    events: VecDeque<Event>,
}

impl Events {
    /// With those that were kept. What cannot be read is lost with a line in the log: events decide nothing.
    pub(crate) fn open(state: &StateDir) -> Self {
        let read = || -> Result<VecDeque<Event>, String> {
            let Some(bytes) = state.read(FILE).map_err(|error| error.to_string())? else {
                return Ok(VecDeque::new());
            };
            let text: Text = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            match text.format {
                FORMAT => Ok(text.events),
                other => Err(format!("it has format {other}")),
            }
        };
        let mut ring = read().unwrap_or_else(|error| {
            tracing::warn!(error, file = FILE, "earlier events are lost");
            VecDeque::new()
        });
        ring.truncate(KEPT);
        Self {
            ring: Mutex::new(ring),
            counted: Family::default(),
            changed: watch::Sender::new(0),
            told: broadcast::Sender::new(UNTOLD),
        }
    }

    /// Every event from now on that is news. Who is too slow loses the oldest, and is told how many.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.told.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records, logs and counts. Returns whether it was news.
    pub(crate) fn record(&self, news: &News, now: u64) -> bool {
        let counted = Counted {
            kind: news.kind,
            severity: news.severity.as_str(),
            reason: news.reason,
        };
        self.counted.get_or_create(&counted).inc();
        let first = {
            let mut ring = self.lock();
            let known = ring.iter().position(|old| is_same(old, news, now));
            let mut event = match known.and_then(|at| ring.remove(at)) {
                Some(old) => Event {
                    count: old.count.saturating_add(1),
                    ..old
                },
                None => Event::new(news),
            };
            event.timestamp = rfc3339(now);
            if ring.len() >= KEPT {
                ring.pop_back();
            }
            let first = event.count == 1;
            if first {
                // Nobody may be listening.
                let _ = self.told.send(event.clone());
            }
            ring.push_front(event);
            first
        };
        self.changed.send_modify(|count| *count += 1);
        if first {
            news.log();
        }
        first
    }

    /// The newest first.
    pub(crate) fn list(&self) -> Vec<Event> {
        self.lock().iter().cloned().collect()
    }

    /// For the page of metrics.
    pub(crate) fn register(&self, metered: &mut prometheus_client::registry::Registry) {
        metered.register("meshd_events", "Events by reason", self.counted.clone());
    }

    fn write(&self, state: &StateDir) {
        let text = Text {
            format: FORMAT,
            events: self.lock().clone(),
        };
        // Texts and numbers: this cannot fail.
        let bytes = serde_json::to_vec(&text).unwrap_or_default();
        if let Err(error) = state.write(FILE, &bytes) {
            tracing::warn!(%error, "events are not kept");
        }
    }

    /// Keeps them on disk until `stop`. A kill loses those of the last second.
    pub(crate) async fn keep(
        self: Arc<Self>,
        state: Arc<StateDir>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut changed = self.changed.subscribe();
        let mut ending = false;
        while !ending {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => ending = true,
                _ = changed.changed() => {}
            }
            changed.mark_unchanged();
            let (events, state) = (Arc::clone(&self), Arc::clone(&state));
            let written = tokio::task::spawn_blocking(move || events.write(&state)).await;
            if let Err(error) = written {
                tracing::warn!(%error, "events are not kept");
            }
            if !ending {
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => {}
                    () = tokio::time::sleep(WRITE_EVERY) => {}
                }
            }
        }
    }
}

impl Event {
    fn new(news: &News) -> Self {
        Self {
            involved_object: Object {
                kind: news.kind.to_owned(),
                name: news.name.clone(),
            },
            severity: news.severity,
            reason: news.reason.to_owned(),
            message: news.message.clone(),
            metadata: Metadata {
                revision: news.revision.clone(),
            },
            reporting_controller: "meshd".to_owned(),
            timestamp: String::new(),
            count: 1,
        }
    }
}

/// Records with the clock of this machine.
pub(crate) fn record(events: &Events, news: &News) -> bool {
    events.record(news, Now::read().unix)
}

fn is_same(old: &Event, news: &News, now: u64) -> bool {
    let recent = unix(&old.timestamp).is_some_and(|at| now.saturating_sub(at) < SAME_WITHIN);
    recent
        && old.severity == news.severity
        && old.reason == news.reason
        && old.involved_object.kind == news.kind
        && old.involved_object.name == news.name
        && old.message == news.message
        && old.metadata.revision == news.revision
}

/// One line, not too long: parts of it may come from elsewhere.
fn short(message: &str) -> String {
    let characters = message.chars().take(MESSAGE_LIMIT);
    characters
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
