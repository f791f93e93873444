//! What an operator tells a rollout: wait, go on, come back.
//!
//! Never anything about which commit: that is git's.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::{Admin, wish};
use crate::rollout::View;

pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/v1/rollout/pause", post(pause))
        .route("/v1/rollout/resume", post(resume))
        .route("/v1/rollout/abort", post(abort))
}

async fn pause(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => answer(source.rollout.pause().await),
        Err(refused) => refused.into_response(),
    }
}

async fn resume(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => answer(source.rollout.resume_rollout().await),
        Err(refused) => refused.into_response(),
    }
}

async fn abort(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => answer(source.rollout.abort().await),
        Err(refused) => refused.into_response(),
    }
}

/// The rollout as it is now.
fn answer(outcome: Result<View, String>) -> Response {
    match outcome {
        Ok(view) => Json(view).into_response(),
        Err(why) => (StatusCode::CONFLICT, why + "\n").into_response(),
    }
}
