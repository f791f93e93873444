//! What is tried again, each value with what set it (language 5.4).
//!
//! Never reads a section that the traffic does not fit: `tcp` is for bytes, `http` for requests, `grpc` for calls.

use std::collections::BTreeSet;

use mesh_bundle::resource::{
    BackOff, ConnectionRetry, HeaderMatch, HostSelection, Protocol, RateLimitedBackOff,
    RequestRetry, ResetFormat, ResetHeader, Retry, RetryCondition, RetryOn,
};
use mesh_bundle::{Duration, Sourced};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::json::Json;
use crate::kinds::mesh_http_route::HttpHeaderMatch;
use crate::kinds::mesh_retry::{self, Predicate};

use super::leaf::{Leaves, listed, plain};
use super::route::read_header;

/// How long a response may make one wait, where nothing else is said (language 5.4).
const LONGEST_ASKED: Duration = Duration::from_secs(300);
/// After how many tries priorities are judged anew, where nothing else is said (language 5.4).
const UPDATE_FREQUENCY: u32 = 2;
/// How the words for methods begin.
const METHOD: &str = "HttpMethod";

/// The effective retries of a merged conf, for traffic of this protocol.
pub(super) fn retry(mut leaves: Leaves<'_>, protocol: Protocol) -> Option<Retry> {
    let section = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Http | Protocol::Http2 => "http",
        Protocol::Grpc => "grpc",
    };
    leaves.merged.leaf(&[section])?.as_object()?;
    Some(match protocol {
        Protocol::Tcp => {
            let attempts = leaves.value(&[section, "maxConnectAttempt"], "maxConnectAttempts");
            Retry::Connections(ConnectionRetry {
                max_connect_attempts: attempts.unwrap_or(Sourced::built_in(1)),
            })
        }
        Protocol::Http | Protocol::Http2 => {
            let built_in = RequestRetry::new(RetryOn::requests());
            Retry::Requests(Box::new(requests(leaves, section, built_in, on_requests)))
        }
        Protocol::Grpc => {
            let built_in = RequestRetry::new(RetryOn::calls());
            Retry::Requests(Box::new(requests(leaves, section, built_in, on_calls)))
        }
    })
}

fn requests(
    mut leaves: Leaves<'_>,
    section: &str,
    built_in: RequestRetry,
    on: fn(&Value) -> Option<RetryOn>,
) -> RequestRetry {
    let numbers = leaves.value(&[section, "numRetries"], "numRetries");
    let per_try = leaves.duration(&[section, "perTryTimeout"], "perTryTimeout");
    let retry_on = leaves.read(&[section, "retryOn"], "retryOn", on, listed);
    RequestRetry {
        num_retries: numbers.unwrap_or(built_in.num_retries),
        per_try_timeout: per_try.unwrap_or(built_in.per_try_timeout),
        back_off: back_off(&mut leaves, section),
        rate_limited_back_off: rate_limited(&mut leaves, section),
        retry_on: retry_on.unwrap_or(built_in.retry_on),
        response_headers: leaves.read(
            &[section, "retriableResponseHeaders"],
            "responseHeaders",
            headers,
            plain,
        ),
        request_headers: leaves.read(
            &[section, "retriableRequestHeaders"],
            "requestHeaders",
            headers,
            plain,
        ),
        host_selection: leaves.read(
            &[section, "hostSelection"],
            "hostSelection",
            host_selection,
            plain,
        ),
        host_selection_max_attempts: leaves.read(
            &[section, "hostSelectionMaxAttempts"],
            "hostSelectionMaxAttempts",
            // Less than none is none.
            |value| Some(u32::try_from(value.as_i64()?.max(0)).unwrap_or(u32::MAX)),
            plain,
        ),
    }
}

fn back_off(leaves: &mut Leaves<'_>, section: &str) -> BackOff {
    let base = leaves.duration(&[section, "backOff", "baseInterval"], "backOff/base");
    let max = leaves.duration(&[section, "backOff", "maxInterval"], "backOff/max");
    let back_off = BackOff::from_base(base.unwrap_or(Sourced::built_in(BackOff::BASE)));
    BackOff {
        max: max.unwrap_or(back_off.max),
        base: back_off.base,
    }
}

fn rate_limited(leaves: &mut Leaves<'_>, section: &str) -> Option<RateLimitedBackOff> {
    let path = |name| [section, "rateLimitedBackOff", name];
    let headers = leaves.read(
        &path("resetHeaders"),
        "rateLimitedBackOff/resetHeaders",
        reset_headers,
        plain,
    );
    let max = leaves.duration(&path("maxInterval"), "rateLimitedBackOff/max");
    Some(RateLimitedBackOff {
        reset_headers: headers?,
        max: max.unwrap_or(Sourced::built_in(LONGEST_ASKED)),
    })
}

/// Without a condition the built-in ones stay active: statuses come in addition, methods restrict (language 5.4).
fn on_requests(list: &Value) -> Option<RetryOn> {
    let mut on = RetryOn::default();
    for word in list.as_array()? {
        let text = word.as_str().unwrap_or_default();
        if let Some(method) = text.strip_prefix(METHOD) {
            on.methods.insert(method.to_ascii_uppercase());
        } else if let Ok(status) = text.parse() {
            on.statuses.insert(status);
        } else {
            let condition: Option<RetryCondition> = serde_json::from_value(word.clone()).ok();
            on.conditions.extend(condition);
        }
    }
    if on.conditions.is_empty() {
        on.conditions = RetryOn::requests().conditions;
    }
    Some(on)
}

fn on_calls(list: &Value) -> Option<RetryOn> {
    let codes: BTreeSet<_> = typed(list)?.into_iter().collect();
    Some(match codes.is_empty() {
        true => RetryOn::calls(),
        false => RetryOn {
            codes,
            ..RetryOn::default()
        },
    })
}

fn headers(list: &Value) -> Option<Vec<HeaderMatch>> {
    let list: Vec<HttpHeaderMatch> = typed(list)?;
    list.iter().map(read_header).collect()
}

fn reset_headers(list: &Value) -> Option<Vec<ResetHeader>> {
    let list: Vec<mesh_retry::ResetHeader> = typed(list)?;
    let one = |header: &mesh_retry::ResetHeader| {
        Some(ResetHeader {
            name: header.name.as_ref()?.to_ascii_lowercase(),
            format: match header.format? {
                mesh_retry::ResetFormat::Seconds => ResetFormat::Seconds,
                mesh_retry::ResetFormat::UnixTimestamp => ResetFormat::UnixTimestamp,
            },
        })
    };
    list.iter().map(one).collect()
}

fn host_selection(list: &Value) -> Option<Vec<HostSelection>> {
    let list: Vec<mesh_retry::HostSelection> = typed(list)?;
    let one = |one: mesh_retry::HostSelection| {
        Some(match one.predicate? {
            Predicate::PreviousHosts => HostSelection::OmitPreviousHosts,
            Predicate::HostsWithTags => HostSelection::OmitHostsWithTags(one.tags),
            Predicate::PreviousPriorities => {
                let frequency = one.update_frequency.unwrap_or(UPDATE_FREQUENCY);
                HostSelection::OmitPreviousPriorities(frequency)
            }
        })
    };
    list.into_iter().map(one).collect()
}

/// The keys of all labels that a conf looks at.
pub(crate) fn compared(conf: &Json) -> impl Iterator<Item = &str> {
    let selection = conf.get("http").and_then(|http| http.get("hostSelection"));
    let rules = selection.and_then(Json::as_array).into_iter().flatten();
    let tags = rules.filter_map(|rule| rule.get("tags"));
    tags.flat_map(|tags| tags.fields().iter().map(|(key, _)| &**key))
}

/// A list whose items have passed the checks of their kind; one that has not is left out.
fn typed<T: DeserializeOwned>(list: &Value) -> Option<Vec<T>> {
    let items = list.as_array()?.iter();
    Some(
        items
            .filter_map(|item| serde_json::from_value(item.clone()).ok())
            .collect(),
    )
}
