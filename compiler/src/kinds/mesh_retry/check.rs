//! What a `MeshRetry` must hold (language 5.4).
//!
//! Never judges whether a retry is safe: that is known where the traffic is known.

use serde_json::Value;

use crate::diag::{Code, Pointer};
use crate::kinds::mesh_http_route::HttpHeaderMatch;
use crate::kinds::target_ref::TargetRef;
use crate::kinds::{Check, conf, grammar};

use super::{
    BackOff, GrpcRetry, HostSelection, HttpRetry, MeshRetry, Predicate, RateLimitedBackOff,
    RetryConf, TcpRetry,
};

/// What an HTTP request is sent again on, besides status codes.
const HTTP: [&str; 17] = [
    "5xx",
    "GatewayError",
    "Reset",
    "Retriable4xx",
    "ConnectFailure",
    "EnvoyRatelimited",
    "RefusedStream",
    "Http3PostConnectFailure",
    "HttpMethodConnect",
    "HttpMethodDelete",
    "HttpMethodGet",
    "HttpMethodHead",
    "HttpMethodOptions",
    "HttpMethodPatch",
    "HttpMethodPost",
    "HttpMethodPut",
    "HttpMethodTrace",
];

/// What a call is sent again on.
const GRPC: [&str; 5] = [
    "Canceled",
    "DeadlineExceeded",
    "Internal",
    "ResourceExhausted",
    "Unavailable",
];

impl MeshRetry {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("to");
        if self.to.is_empty() {
            check.warn(Code::NO_EFFECT, &at, "a policy without `to` does nothing");
        }
        for (index, to) in self.to.iter().enumerate() {
            let at = at.index(index);
            let target = to.target_ref.as_ref();
            TargetRef::check_item(target, &at.field("targetRef"), super::KIND.to, check);
            RetryConf::check(to.default.as_ref(), &at.field("default"), check);
        }
    }
}

impl RetryConf {
    fn check(conf: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let empty = Self::default();
        let found = conf.unwrap_or(&empty);
        let sections = [
            ("tcp", found.tcp.is_some()),
            ("http", found.http.is_some()),
            ("grpc", found.grpc.is_some()),
        ];
        conf::any_of(&sections, at, check);
        if let Some(tcp) = &found.tcp {
            tcp.check(&at.field("tcp"), check);
        }
        if let Some(http) = &found.http {
            http.check(&at.field("http"), check);
        }
        if let Some(grpc) = &found.grpc {
            grpc.check(&at.field("grpc"), check);
        }
    }
}

fn check_not_empty(empty: bool, at: &Pointer, check: &mut Check<'_>) {
    if empty {
        let message = "at least one field must be set in this section";
        check.error(Code::MISSING_FIELD, at, message);
    }
}

impl TcpRetry {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_not_empty(*self == Self::default(), at, check);
        let at = at.field("maxConnectAttempt");
        conf::above_zero(self.max_connect_attempt, &at, check);
    }
}

impl HttpRetry {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_not_empty(*self == Self::default(), at, check);
        BackOff::check(self.back_off.as_ref(), &at.field("backOff"), check);
        if let Some(limited) = &self.rate_limited_back_off {
            limited.check(&at.field("rateLimitedBackOff"), check);
        }
        for (index, word) in self.retry_on.iter().flatten().enumerate() {
            check_http_word(word, &at.field("retryOn").index(index), check);
        }
        let lists = [
            ("retriableResponseHeaders", &self.retriable_response_headers),
            ("retriableRequestHeaders", &self.retriable_request_headers),
        ];
        for (field, headers) in lists {
            if let Some(headers) = headers {
                check_headers(headers, &at.field(field), check);
            }
        }
        if let Some(selection) = &self.host_selection {
            HostSelection::check_all(selection, &at.field("hostSelection"), check);
        }
    }
}

fn check_http_word(word: &Value, at: &Pointer, check: &mut Check<'_>) {
    let known = |text: &str| HTTP.contains(&text) || grammar::is_status(text);
    match word {
        Value::String(text) if text == "Http3PostConnectFailure" => {
            let message = format!("`{text}` never happens: proxies do not speak HTTP/3");
            check.warn(Code::NO_EFFECT, at, message).help("remove it");
        }
        Value::String(text) if known(text) => {}
        Value::Number(number) => {
            check
                .invalid(
                    at,
                    format!("a status code has to be a text, found `{number}`"),
                )
                .help(format!("write `\"{number}\"`"));
        }
        word => {
            let written = word
                .as_str()
                .map_or_else(|| word.to_string(), str::to_owned);
            let message = format!("`{written}` is not a reason to retry");
            check.invalid(at, message).help(format!(
                "a status code as a text, or one of {}",
                HTTP.join(", ")
            ));
        }
    }
}

fn check_headers(headers: &[HttpHeaderMatch], at: &Pointer, check: &mut Check<'_>) {
    for (index, header) in headers.iter().enumerate() {
        header.check(&at.index(index), check);
    }
}

impl GrpcRetry {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_not_empty(*self == Self::default(), at, check);
        BackOff::check(self.back_off.as_ref(), &at.field("backOff"), check);
        if let Some(limited) = &self.rate_limited_back_off {
            limited.check(&at.field("rateLimitedBackOff"), check);
        }
        for (index, word) in self.retry_on.iter().flatten().enumerate() {
            if word.as_str().is_some_and(|word| GRPC.contains(&word)) {
                continue;
            }
            let written = word
                .as_str()
                .map_or_else(|| word.to_string(), str::to_owned);
            let at = at.field("retryOn").index(index);
            check
                .invalid(&at, format!("`{written}` is not a reason to retry a call"))
                .help(format!("one of {}", GRPC.join(", ")));
        }
    }
}

impl BackOff {
    fn check(back_off: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let empty = back_off.is_some_and(|back_off| *back_off == Self::default());
        check_not_empty(empty, at, check);
        let waits = back_off.map(|back_off| (back_off.base_interval, back_off.max_interval));
        if let Some((Some(base), Some(max))) = waits
            && base > max
        {
            let message = format!(
                "the first wait is longer than the longest: no wait is longer than `{}`",
                max.0
            );
            check.warn(Code::NO_EFFECT, &at.field("baseInterval"), message);
        }
    }
}

impl RateLimitedBackOff {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let headers_at = at.field("resetHeaders");
        if self.reset_headers.is_empty() {
            check.missing(&headers_at).help("at least one header");
        }
        for (index, header) in self.reset_headers.iter().enumerate() {
            let at = headers_at.index(index);
            check.required(header.name.as_ref(), &at.field("name"));
            if header.format.is_none() {
                check
                    .missing(&at.field("format"))
                    .help("one of `Seconds`, `UnixTimestamp`");
            }
        }
        conf::span_above_zero(self.max_interval, &at.field("maxInterval"), check);
    }
}

impl HostSelection {
    fn check_all(all: &[Self], at: &Pointer, check: &mut Check<'_>) {
        let priorities = |one: &&Self| one.predicate == Some(Predicate::PreviousPriorities);
        if all.iter().filter(priorities).count() > 1 {
            check.invalid(at, "`OmitPreviousPriorities` can be given only once");
        }
        for (index, one) in all.iter().enumerate() {
            let at = at.index(index);
            if one.predicate.is_none() {
                check.missing(&at.field("predicate")).help(
                    "one of `OmitPreviousHosts`, `OmitHostsWithTags`, `OmitPreviousPriorities`",
                );
            }
            let tagged = one.predicate == Some(Predicate::HostsWithTags);
            if tagged && one.tags.is_empty() {
                check.missing(&at.field("tags"));
            }
            conf::above_zero(one.update_frequency, &at.field("updateFrequency"), check);
        }
    }
}
