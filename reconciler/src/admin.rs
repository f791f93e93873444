//! The admin port and the control socket: what meshd says about itself, and what it is told to do, over HTTP.
//!
//! Never answers anything under `/v1` over the network without the token, and tells names and digests, no secret.

mod bounded;
mod history;
mod metrics;
mod rollout;
mod suspension;
mod token;
mod view;
mod wish;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use mesh_bundle::Duration as Text;
use serde_json::json;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::event::Events;
use crate::registry::Registry;
use crate::sources::{Source, Sources};
use crate::status::Condition;

pub(crate) use bounded::Bounded;
pub(crate) use metrics::Metrics;
pub(crate) use token::AdminToken;
use wish::Wish;

const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Between two looks whether a revision has settled.
const BREATH: Duration = Duration::from_millis(10);
/// What git itself shows of one.
const SHORTEST_REVISION: usize = 7;
/// Requests that wait for a revision at the same time.
const WAITERS: usize = 64;

/// What questions are answered from.
#[derive(Debug)]
pub(crate) struct Admin {
    sources: Arc<Sources>,
    registry: Arc<Registry>,
    metrics: Arc<Metrics>,
    events: Arc<Events>,
    waiters: Semaphore,
}

impl Admin {
    pub(crate) fn new(
        sources: Arc<Sources>,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        events: Arc<Events>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sources,
            registry,
            metrics,
            events,
            waiters: Semaphore::new(WAITERS),
        })
    }

    /// Answers on the admin port until `stop`.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        token: AdminToken,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let guarded = commands().route_layer(from_fn_with_state(token, token::required));
        let routes = open().merge(guarded).with_state(self);
        axum::serve(Bounded::new(listener), routes)
            .with_graceful_shutdown(stopped(stop))
            .await
    }

    /// Answers on the control socket until `stop`.
    pub(crate) async fn control(
        self: Arc<Self>,
        listener: UnixListener,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let routes = open().merge(commands()).with_state(self);
        axum::serve(Bounded::new(listener), routes)
            .with_graceful_shutdown(stopped(stop))
            .await
    }

    /// The page of one source, or, where there are several, of all.
    fn json(&self, source: Option<&Source>) -> Response {
        let body = match source {
            Some(source) => self.page(source),
            None => {
                let pages = self.sources.each().map(|source| self.page(source));
                view::all(&pages.collect::<Vec<_>>())
            }
        };
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    }

    fn page(&self, source: &Source) -> String {
        let name = (!self.sources.alone()).then_some(source.name());
        let proxies = self.registry.proxies(Some(source.name()), Instant::now());
        let rollout = source.rollout.view();
        let told = (rollout.as_ref(), source.rollout.suspension());
        view::status((name, &source.status.report()), &proxies, told)
    }

    /// Has this commit been judged and, where it is served, has every connected proxy answered?
    fn is_settled(&self, source: &Source, revision: &str) -> bool {
        let report = source.status.report();
        let is = |one: &Option<String>| one.as_deref().is_some_and(|id| id.starts_with(revision));
        let suspended = report.conditions.iter().any(|it| it.kind == "Suspended");
        if suspended && !is(&report.revision) {
            return true;
        }
        if !suspended && !is(&report.seen) {
            return false;
        }
        let on_its_way = |condition: &Condition| condition.reason == "RollingOut";
        if report.conditions.iter().any(on_its_way) {
            return false;
        }
        !is(&report.revision) || self.registry.has_answered(source.name())
    }

    async fn settled(&self, source: &Source, revision: &str) {
        let (mut status, mut registry) = (source.status.watch(), self.registry.watch());
        loop {
            status.mark_unchanged();
            registry.mark_unchanged();
            if self.is_settled(source, revision) {
                return;
            }
            tokio::select! {
                _ = status.changed() => {}
                _ = registry.changed() => {}
            }
            // A thousand acknowledgements are looked at a few times, not a thousand.
            tokio::time::sleep(BREATH).await;
        }
    }
}

/// For probes and scrapers: whoever reaches the port may ask.
fn open() -> Router<Arc<Admin>> {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_page))
}

/// For operators.
fn commands() -> Router<Arc<Admin>> {
    Router::new()
        .route("/v1/status", get(status_page))
        .route("/v1/events", get(events_page))
        .route("/v1/fleet", get(fleet_page))
        .route("/v1/reconcile", post(reconcile))
        .merge(history::routes())
        .merge(rollout::routes())
        .merge(suspension::routes())
}

/// The newest first.
async fn events_page(State(admin): State<Arc<Admin>>) -> Response {
    Json(admin.events.list()).into_response()
}

/// What live proxies need of authorities.
async fn fleet_page(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let source = match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let revision = source.status.report().revision;
    let now = crate::registry::Now::read().unix;
    let fleet = admin.registry.fleet(Some(source.name()), revision, now);
    Json(fleet).into_response()
}

/// Looks at all repositories, or at one.
async fn reconcile(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    if query.is_none() && !admin.sources.alone() {
        admin.sources.each().for_each(|source| source.bell.ring());
        let served = admin.sources.each().map(|source| {
            let revision = source.status.report().revision;
            json!({ "source": source.name(), "revision": revision })
        });
        let served = json!({ "sources": served.collect::<Vec<_>>() });
        return (StatusCode::ACCEPTED, Json(served)).into_response();
    }
    let source = match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    source.bell.ring();
    let served = source.status.report().revision;
    (StatusCode::ACCEPTED, Json(json!({ "revision": served }))).into_response()
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One source that serves is enough: another team's trouble is no reason to send proxies away.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    if admin.registry.published().is_some() {
        return "ok\n".into_response();
    }
    let conditions = admin.sources.first().status.report().conditions;
    let reason = conditions
        .first()
        .map_or_else(String::new, |c| format!("{}: {}\n", c.reason, c.message));
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

async fn metrics_page(State(admin): State<Arc<Admin>>) -> Response {
    let text = admin.metrics.text(&admin.sources, &admin.registry);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn status_page(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let wish = match Wish::parse(query.as_deref().unwrap_or_default()) {
        Ok(wish) => wish,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let all = wish.source.is_none() && wish.settled.is_none() && !admin.sources.alone();
    if all {
        return admin.json(None);
    }
    let source = match wish::named(&admin.sources, wish.source.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let Some(revision) = wish.settled else {
        return admin.json(Some(source));
    };
    if revision.len() < SHORTEST_REVISION {
        let short = format!("a revision has at least {SHORTEST_REVISION} characters\n");
        return (StatusCode::BAD_REQUEST, short).into_response();
    }
    let timeout = match wish.timeout.as_deref().unwrap_or("30s").parse::<Text>() {
        Ok(timeout) => timeout.as_std().min(LONGEST_WAIT),
        Err(error) => {
            return (StatusCode::BAD_REQUEST, format!("timeout: {error}\n")).into_response();
        }
    };
    let Ok(_place) = admin.waiters.try_acquire() else {
        let busy = "too many requests wait already\n";
        return (StatusCode::SERVICE_UNAVAILABLE, busy).into_response();
    };
    match tokio::time::timeout(timeout, admin.settled(source, &revision)).await {
        Ok(()) => admin.json(Some(source)),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, admin.json(Some(source))).into_response(),
    }
}
