//! Whether git is followed, as an operator says.
//!
//! Never without who and why.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;

use super::view::Suspended;
use super::{Admin, wish};
use crate::suspension::{Order, Suspension};

/// Where to go back to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Back {
    to: String,
    by: String,
    reason: String,
    /// Also where this version of meshd compiles the commit to something else.
    #[serde(default)]
    recompiled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    by: String,
}

pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/v1/suspend", post(suspend))
        .route("/v1/resume", post(resume))
        .route("/v1/rollback", post(rollback))
}

async fn suspend(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
    Json(order): Json<Order>,
) -> Response {
    let source = match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let order = match order.checked() {
        Ok(order) => order,
        Err(why) => return (StatusCode::BAD_REQUEST, why + "\n").into_response(),
    };
    let done = source.rollout.suspend(order).await;
    source.status.suspend(source.rollout.suspended());
    answer(done)
}

async fn resume(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
    Json(By { by }): Json<By>,
) -> Response {
    let source = match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let done = source.rollout.follow(&by).await;
    source.status.suspend(source.rollout.suspended());
    answer(done)
}

async fn rollback(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
    Json(back): Json<Back>,
) -> Response {
    let source = match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let Back {
        to,
        by,
        reason,
        recompiled,
    } = back;
    let order = match (Order { by, reason }).checked() {
        Ok(order) => order,
        Err(why) => return (StatusCode::BAD_REQUEST, why + "\n").into_response(),
    };
    let entry = match source.rollout.history().find(&to) {
        Ok(entry) => entry,
        Err(why) => return (StatusCode::NOT_FOUND, why + "\n").into_response(),
    };
    let wanted = (entry, recompiled);
    let done = source.rollout.rollback(wanted, order).await;
    // A pass may be waiting for git.
    if let Some((revision, digest)) = source.rollout.served() {
        source.status.serves(&revision, digest);
    }
    source.status.suspend(source.rollout.suspended());
    answer(done)
}

/// What is in force now, or was until now.
fn answer(outcome: Result<Suspension, String>) -> Response {
    match outcome {
        Ok(suspension) => Json(Suspended::from(&suspension)).into_response(),
        Err(why) => (StatusCode::CONFLICT, why + "\n").into_response(),
    }
}
