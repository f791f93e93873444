//! Webhooks: a forge knocks, and meshd looks at the repository at once instead of at its next poll.
//!
//! Never believes what a webhook says: its body is checked and thrown away, and the commit comes from the repository alone.
//! Never on the admin port: whoever may knock may ask nothing.

mod proof;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::admin::Bounded;
use crate::event::{self, Events, News};
use crate::registry::Now;
use crate::secret;
use crate::settings::{Hook, Source};

/// Forges send some kilobytes; the largest pushes are cut by them.
const MOST_BYTES: usize = 1 << 20;
/// A body that is not there by then does not come from a forge.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests at once, and for each second after that.
const BURST: f64 = 60.0;
const RATE: f64 = 10.0;
/// Between two looks that somebody outside may cause.
const BREATH: Duration = Duration::from_secs(1);

/// What wakes the loop of a source from outside.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    rung: Notify,
    answered: Mutex<Option<Instant>>,
}

impl Doorbell {
    /// Asks for a look. Many are one.
    pub(crate) fn ring(&self) {
        self.rung.notify_one();
    }

    /// Waits until somebody asks, and until the last look is some time ago.
    pub(crate) async fn rings(&self) {
        self.rung.notified().await;
        let last = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            tokio::time::sleep_until(last + BREATH).await;
        }
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Who may knock, and what that wakes.
#[derive(Debug)]
pub(crate) struct Hooks {
    known: BTreeMap<String, (Hook, Arc<Doorbell>)>,
    events: Arc<Events>,
    bucket: Mutex<Bucket>,
}

/// Requests that may still come at once.
#[derive(Debug)]
struct Bucket {
    left: f64,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.left = (self.left + since * RATE).min(BURST);
        let enough = self.left >= 1.0;
        if enough {
            self.left -= 1.0;
        }
        enough
    }
}

impl Hooks {
    /// Of these sources, each with what wakes it.
    pub(crate) fn new<'a>(
        sources: impl IntoIterator<Item = (&'a Source, Arc<Doorbell>)>,
        events: Arc<Events>,
    ) -> Arc<Self> {
        let hook = |(source, bell): (&Source, Arc<Doorbell>)| {
            let hook = source.webhook.clone()?;
            Some((source.name.to_string(), (hook, bell)))
        };
        Arc::new(Self {
            known: sources.into_iter().filter_map(hook).collect(),
            events,
            bucket: Mutex::new(Bucket {
                left: BURST,
                filled: Instant::now(),
            }),
        })
    }

    /// Answers until `stop`.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let routes = Router::new()
            .route("/hooks/{source}", post(knock))
            .with_state(self);
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        axum::serve(Bounded::new(listener), routes)
            .with_graceful_shutdown(stopped)
            .await
    }

    async fn take(&self, name: &str, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
        let allowed = {
            let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.take(Instant::now())
        };
        if !allowed {
            return Err(Refusal::TooMany);
        }
        let (hook, bell) = self.known.get(name).ok_or(Refusal::Unknown)?;
        if !is_json(headers) {
            return Err(Refusal::Kind);
        }
        let body = tokio::time::timeout(PATIENCE, to_bytes(body, MOST_BYTES)).await;
        let body = body.map_err(|_| Refusal::Slow)?;
        let body = body.map_err(|_| Refusal::TooLarge)?;
        let path = hook.secret_file.clone();
        let secret = tokio::task::spawn_blocking(move || secret::read(&path)).await;
        let secret = secret.map_err(|error| error.to_string()).flatten();
        let secret = secret.map_err(Refusal::Secret)?;
        let header = |name: &str| headers.get(name)?.to_str().ok();
        proof::check(hook.kind, &secret, &header, &body, Now::read().unix)
            .map_err(Refusal::Proof)?;
        bell.ring();
        Ok(())
    }
}

/// Why a request wakes nobody.
#[derive(Debug)]
enum Refusal {
    TooMany,
    Unknown,
    Kind,
    Slow,
    TooLarge,
    /// meshd's own trouble, for its log.
    Secret(String),
    Proof(&'static str),
}

async fn knock(
    State(hooks): State<Arc<Hooks>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let refusal = match hooks.take(&name, &parts.headers, body).await {
        Ok(()) => return (StatusCode::ACCEPTED, "the repository is looked at\n").into_response(),
        Err(refusal) => refusal,
    };
    // What anybody can cause without knowing anything is no event.
    let why = match &refusal {
        Refusal::Secret(why) => Some(why.as_str()),
        Refusal::Proof(why) => Some(*why),
        _ => None,
    };
    if let Some(why) = why {
        let news = News::error("Source", &name, "WebhookRefused", why);
        event::record(&hooks.events, &news);
    }
    refusal.into_response()
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too many webhooks"),
            Self::Unknown => (StatusCode::NOT_FOUND, "there is no webhook of this name"),
            Self::Kind => {
                let why = "the content type must be application/json";
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, why)
            }
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the body takes too long"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "at most 1 MiB is read"),
            Self::Secret(_) => {
                let why = "meshd cannot read its secret; its events say why";
                (StatusCode::INTERNAL_SERVER_ERROR, why)
            }
            Self::Proof(why) => (StatusCode::UNAUTHORIZED, why),
        };
        let after = [(header::RETRY_AFTER, "1")];
        let text = format!("{why}\n");
        match status {
            StatusCode::TOO_MANY_REQUESTS => (status, after, text).into_response(),
            _ => (status, text).into_response(),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests;
