//! What a request asks for beside its path: a source, and what is to be waited for.
//!
//! Names, commits and durations need no escapes, so none are understood.

use axum::http::StatusCode;

use crate::sources::{Source, Sources};

/// Why a request is not answered.
pub(super) type Refused = (StatusCode, String);

/// What a status request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) source: Option<String>,
    pub(super) settled: Option<String>,
    pub(super) timeout: Option<String>,
}

impl Wish {
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut wish = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("source", value)) => wish.source = Some(value.to_owned()),
                Some(("settled", value)) => wish.settled = Some(value.to_owned()),
                Some(("timeout", value)) => wish.timeout = Some(value.to_owned()),
                _ => {
                    let known = "the parameters are `source`, `settled` and `timeout`\n";
                    return Err(known.to_owned());
                }
            }
        }
        Ok(wish)
    }
}

/// The source that a request is about, which has no other parameter.
pub(super) fn source<'a>(sources: &'a Sources, query: Option<&str>) -> Result<&'a Source, Refused> {
    let name = match query.filter(|query| !query.is_empty()) {
        None => None,
        Some(query) => {
            let name = query.strip_prefix("source=");
            let name = name.filter(|name| !name.contains(['&', '=']));
            let why = "the parameter is `source`\n";
            Some(name.ok_or_else(|| (StatusCode::BAD_REQUEST, why.to_owned()))?)
        }
    };
    named(sources, name)
}

/// The same, by its name.
pub(super) fn named<'a>(sources: &'a Sources, name: Option<&str>) -> Result<&'a Source, Refused> {
    let status = match name {
        None => StatusCode::BAD_REQUEST,
        Some(_) => StatusCode::NOT_FOUND,
    };
    sources.named(name).map_err(|why| (status, why + "\n"))
}
