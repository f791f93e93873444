//! What is tried again, for people.
//!
//! Never shows what cannot happen: where nothing is sent again, how often and why is left out.

use mesh_bundle::Key;
use mesh_bundle::resource::{RequestRetry, Retry, RetryOn};

use crate::lower::leaf::words as span;

use super::proxy::Telling;
use super::words;

impl Telling<'_> {
    /// `place` is that of the retries in the resource.
    pub(super) fn retry(&mut self, depth: usize, retry: &Retry, key: &Key, place: &str) {
        match retry {
            Retry::Connections(retry) => {
                let attempts = &retry.max_connect_attempts;
                let place = format!("{place}/maxConnectAttempts");
                self.value(depth, "attempts", attempts, key, &place);
            }
            Retry::Requests(retry) => self.requests(depth, retry, key, place),
        }
    }

    fn requests(&mut self, depth: usize, retry: &RequestRetry, key: &Key, place: &str) {
        let at = |name: &str| format!("{place}/{name}");
        let retries = retry.num_retries.map_ref(|retries| match retries {
            0 => "off".to_owned(),
            retries => retries.to_string(),
        });
        self.value(depth, "retries", &retries, key, &at("numRetries"));
        if retry.num_retries.value == 0 {
            return;
        }
        let on = retry.retry_on.map_ref(reasons);
        self.value(depth, "retry on", &on, key, &at("retryOn"));
        let per_try = retry.per_try_timeout.map_ref(|limit| span(*limit));
        self.value(depth, "per try", &per_try, key, &at("perTryTimeout"));
        let (base, max) = (&retry.back_off.base, &retry.back_off.max);
        let base = base.map_ref(|wait| format!("{wait}, then doubled"));
        let max = max.map_ref(|wait| format!("at most {wait}"));
        self.value(depth, "back-off", &base, key, &at("backOff/base"));
        self.value(depth, "", &max, key, &at("backOff/max"));
        if let Some(asked) = &retry.rate_limited_back_off {
            let headers = asked.reset_headers.map_ref(|headers| {
                let names = headers.iter().map(|header| {
                    format!("{} in {}", header.name, words::document(&header.format))
                });
                names.collect::<Vec<_>>().join(", ")
            });
            let place = at("rateLimitedBackOff/resetHeaders");
            self.value(depth, "asked wait", &headers, key, &place);
            let max = asked.max.map_ref(|wait| format!("at most {wait}"));
            self.value(depth, "", &max, key, &at("rateLimitedBackOff/max"));
        }
        for (name, field, headers) in [
            ("on response", "responseHeaders", &retry.response_headers),
            ("if request", "requestHeaders", &retry.request_headers),
        ] {
            if let Some(headers) = headers {
                let headers = headers.map_ref(|headers| {
                    let headers = headers.iter().map(words::header);
                    headers.collect::<Vec<_>>().join(" or ")
                });
                self.value(depth, name, &headers, key, &at(field));
            }
        }
        if let Some(selection) = &retry.host_selection {
            let selection = selection.map_ref(words::document);
            self.value(depth, "instances", &selection, key, &at("hostSelection"));
        }
        if let Some(attempts) = &retry.host_selection_max_attempts {
            let attempts = attempts.map_ref(|attempts| format!("drawn {attempts} times"));
            let place = at("hostSelectionMaxAttempts");
            self.value(depth, "", &attempts, key, &place);
        }
    }
}

/// `GatewayError, ConnectFailure, 429, GET only`.
fn reasons(on: &RetryOn) -> String {
    let conditions = on.conditions.iter().map(words::document);
    let codes = on.codes.iter().map(words::document);
    let statuses = on.statuses.iter().map(u16::to_string);
    let mut reasons: Vec<String> = conditions.chain(codes).chain(statuses).collect();
    if !on.methods.is_empty() {
        let methods: Vec<&str> = on.methods.iter().map(String::as_str).collect();
        reasons.push(format!("{} only", methods.join(" and ")));
    }
    reasons.join(", ")
}
