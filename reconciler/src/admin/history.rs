//! What was published, and what two publications differ in.
//!
//! Never a bundle itself: whoever wants it builds it from the commit.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Admin, wish};
use crate::history::{Compared, Entry, Shape};
use crate::sources::Source;

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    entry: Entry,
    /// Connected proxies that hold what it gives them; nothing is known of those that are not on their way to hold it.
    proxies: usize,
}

#[derive(Serialize)]
struct Answer {
    sides: Value,
    #[serde(flatten)]
    compared: Compared,
}

/// What is to be compared.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    source: Option<String>,
    sides: Vec<String>,
    shape: Shape,
}

pub(super) fn routes() -> Router<Arc<Admin>> {
    Router::new()
        .route("/v1/history", get(list))
        .route("/v1/diff", get(compare))
}

async fn list(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let source = match wish::source(&admin.sources, query.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let (mut running, others) = admin.registry.running(source.name());
    let entries = source.rollout.history().list().into_iter();
    let entries: Vec<Line> = entries
        .map(|entry| Line {
            // Of the same commit, the last time that it was published.
            proxies: running.remove(&entry.revision).unwrap_or(0),
            entry,
        })
        .collect();
    Json(json!({ "entries": entries, "others": others })).into_response()
}

async fn compare(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let wish = match Wish::parse(&query.unwrap_or_default()) {
        Ok(wish) => wish,
        Err(why) => return (StatusCode::BAD_REQUEST, why).into_response(),
    };
    let source = match wish::named(&admin.sources, wish.source.as_deref()) {
        Ok(source) => source,
        Err(refused) => return refused.into_response(),
    };
    let (before, after) = match sides(source, &wish.sides) {
        Ok(sides) => sides,
        Err(why) => return (StatusCode::NOT_FOUND, why + "\n").into_response(),
    };
    let side = |entry: &Entry| json!({ "revision": entry.revision, "digest": entry.digest });
    let sides = json!({ "before": side(&before), "after": side(&after) });
    match source
        .rollout
        .archive()
        .compare(before, after, wish.shape)
        .await
    {
        Ok(compared) => Json(Answer { sides, compared }).into_response(),
        Err(why) => (StatusCode::CONFLICT, why + "\n").into_response(),
    }
}

/// What is served against the one before; one against the one before it; or two.
fn sides(source: &Source, wanted: &[String]) -> Result<(Entry, Entry), String> {
    let history = source.rollout.history();
    match wanted {
        [] => history.newest(),
        [one] => {
            let after = history.find(one)?;
            Ok((history.predecessor(&after)?, after))
        }
        [before, after, ..] => Ok((history.find(before)?, history.find(after)?)),
    }
}

impl Wish {
    /// Commits and digests need no escapes, so none are understood.
    fn parse(query: &str) -> Result<Self, String> {
        let mut wish = Self {
            source: None,
            sides: Vec::new(),
            shape: Shape::Human,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("of", side)) if wish.sides.len() < 2 => wish.sides.push(side.to_owned()),
                Some(("source", name)) => wish.source = Some(name.to_owned()),
                Some(("format", name)) => {
                    let shape = Shape::named(name);
                    wish.shape = shape.ok_or("`format` is `human`, `json` or `markdown`\n")?;
                }
                _ => {
                    let known = "the parameters are `of`, at most twice, `source` and `format`\n";
                    return Err(known.to_owned());
                }
            }
        }
        Ok(wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_at_most_two_sides_and_a_known_form() {
        let wish = |sides: &[&str], shape| Wish {
            source: None,
            sides: sides.iter().map(|side| (*side).to_owned()).collect(),
            shape,
        };
        for (query, expected) in [
            ("", Some(wish(&[], Shape::Human))),
            ("of=c3d1", Some(wish(&["c3d1"], Shape::Human))),
            (
                "of=a&of=sha256:b&format=json",
                Some(wish(&["a", "sha256:b"], Shape::Json)),
            ),
            ("format=markdown", Some(wish(&[], Shape::Markdown))),
            ("format=yaml", None),
            ("of=a&of=b&of=c", None),
            ("from=a", None),
            ("of", None),
        ] {
            assert_eq!(Wish::parse(query).ok(), expected, "{query}");
        }
    }
}
