//! What the admin endpoint answers: how the proxy is, what it counts, what it is configured with.
//!
//! Never changes anything, never shows a key, and never answers a page of another site: whoever asks must name the
//! loopback address, so that a browser cannot be made to ask.

mod config;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::Digest;
use tokio::sync::watch;

use crate::clock::unix_now;
use crate::control::view::View;
use crate::metrics::Metrics;
use standing::Standing;

/// `timeout=` waits no longer.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where the answers come from.
#[derive(Debug)]
pub(crate) struct Admin {
    view: watch::Receiver<View>,
    metrics: Arc<Metrics>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Admin {
    pub(crate) fn new(view: watch::Receiver<View>, metrics: Arc<Metrics>) -> Self {
        metrics.register_collector(Box::new(Standing(view.clone())));
        Self { view, metrics }
    }

    pub(crate) async fn answer(&self, question: Question<'_>) -> Answer {
        match question.host {
            Some(host) if is_loopback(host) => {}
            Some(_) => {
                return Answer::text(403, "ask for a loopback address: this is no public site");
            }
            None => return Answer::text(400, "the Host header is missing"),
        }
        let known = matches!(
            question.path,
            "/healthz" | "/readyz" | "/metrics" | "/config"
        );
        if !known {
            return Answer::text(404, "there are /healthz, /readyz, /metrics and /config");
        }
        if !matches!(question.method, "GET" | "HEAD") {
            return Answer::text(405, "this endpoint is read-only");
        }
        match question.path {
            "/healthz" => Answer::text(200, "ok"),
            "/readyz" => self.ready(question.query.unwrap_or_default()).await,
            "/metrics" => self.metrics(),
            _ => self.config(question.query.unwrap_or_default()).await,
        }
    }

    async fn ready(&self, query: &str) -> Answer {
        let wait = match Wait::read(query) {
            Ok(Wait {
                limit,
                unlike: None,
            }) => limit,
            Ok(_) => return Answer::text(400, "only /config takes `unlike`"),
            Err(reason) => return Answer::text(400, reason),
        };
        let mut view = self.view.clone();
        let ready = view.wait_for(|view| view.unready(unix_now()).is_none());
        // Whether it came in time is seen below.
        drop(tokio::time::timeout(wait, ready).await);
        let view = self.view.borrow().clone();
        match (view.unready(unix_now()), view.trouble) {
            (None, _) => Answer::text(200, "ready"),
            (Some(reason), None) => Answer::text(503, reason),
            (Some(reason), Some(trouble)) => Answer::text(503, &format!("{reason}: {trouble}")),
        }
    }

    fn metrics(&self) -> Answer {
        match self.metrics.encode() {
            Ok(body) => Answer {
                status: 200,
                content_type: OPENMETRICS,
                body,
            },
            Err(_) => Answer::text(500, "the metrics cannot be written"),
        }
    }

    /// What is applied; with `unlike`, as soon as it is something else than what the asker has seen.
    async fn config(&self, query: &str) -> Answer {
        let Wait { limit, unlike } = match Wait::read(query) {
            Ok(wait) => wait,
            Err(reason) => return Answer::text(400, reason),
        };
        let mut view = self.view.clone();
        let another = async {
            loop {
                let answer = Self::shown(&view.borrow_and_update().clone());
                let seen = Digest::of(answer.body.as_bytes());
                if Some(seen) != unlike || view.changed().await.is_err() {
                    return answer;
                }
            }
        };
        match tokio::time::timeout(limit, another).await {
            Ok(answer) => answer,
            Err(_) => Answer::text(504, "nothing has changed"),
        }
    }

    fn shown(view: &View) -> Answer {
        let Some(applied) = &view.applied else {
            return Answer::text(503, "no configuration is applied yet");
        };
        match config::json(view, applied) {
            Ok(body) => Answer {
                status: 200,
                content_type: JSON,
                body,
            },
            Err(_) => Answer::text(500, "the configuration cannot be written"),
        }
    }
}

impl Answer {
    fn text(status: u16, line: &str) -> Self {
        Self {
            status,
            content_type: TEXT,
            body: format!("{line}\n"),
        }
    }
}

/// What the asker waits for.
struct Wait {
    /// `timeout=30s`.
    limit: Duration,
    /// `unlike=sha256:…`: the digest of an answer that it has already.
    unlike: Option<Digest>,
}

impl Wait {
    fn read(query: &str) -> Result<Self, &'static str> {
        let (mut limit, mut unlike) = (Duration::ZERO, None);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            if let Some(value) = part.strip_prefix("timeout=") {
                let parsed: Result<mesh_bundle::Duration, _> = value.parse();
                limit = parsed
                    .map_err(|_| "`timeout` is a duration, such as `30s`")?
                    .as_std();
            } else if let Some(value) = part.strip_prefix("unlike=") {
                let parsed = value.parse();
                unlike = Some(parsed.map_err(|_| "`unlike` is the SHA-256 of an answer")?);
            } else {
                return Err(
                    "the only parameters are `timeout`, such as `timeout=30s`, and `unlike`",
                );
            }
        }
        Ok(Self {
            limit: limit.min(LONGEST_WAIT),
            unlike,
        })
    }
}

/// A Host header that names this machine to itself.
fn is_loopback(host: &str) -> bool {
    let address = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) => address,
            Some((address, port)) if is_port(port.strip_prefix(':')) => address,
            _ => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) if is_port(Some(port)) => name,
            Some(_) => return false,
            None => host,
        },
    };
    let parsed: Result<std::net::IpAddr, _> = address.parse();
    address.eq_ignore_ascii_case("localhost") || parsed.is_ok_and(|ip| ip.is_loopback())
}

fn is_port(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests;
