//! Retries that may do twice what was meant once.
//!
//! Never about the default policy: that it repeats every method is what users of this language expect (quirk Q-16).

use serde_json::Value;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::kinds::mesh_retry::{HttpRetry, MeshRetry};
use crate::kinds::{Resource, Spec};
use crate::repository::MeshView;

/// What may happen after the request was done.
const LATE: [&str; 3] = ["5xx", "GatewayError", "Reset"];

pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    let retries = mesh.of_kind("mr").iter().filter_map(|resource| {
        let own = !resource.meta.virtual_document;
        match &resource.spec {
            Spec::MeshRetry(spec) if own => Some((resource.as_ref(), spec)),
            _ => None,
        }
    });
    let retries: Vec<(&Resource, &MeshRetry)> = retries.collect();
    // What one document leaves open another may say.
    let listed = retries.iter().any(|(_, spec)| {
        let mut confs = spec.to.iter().filter_map(|to| to.default.as_ref());
        confs.any(|conf| {
            conf.http
                .as_ref()
                .is_some_and(|http| http.retry_on.is_some())
        })
    });
    for (resource, spec) in retries {
        for (index, to) in spec.to.iter().enumerate() {
            let http = to.default.as_ref().and_then(|conf| conf.http.as_ref());
            let Some((field, cause)) = http.and_then(|http| late(http, listed)) else {
                continue;
            };
            let at = Pointer::default().field("to").index(index);
            let at = at.field("default").field("http");
            let at = match field {
                Some(field) => at.field(field),
                None => at,
            };
            let message = format!(
                "requests of every method are sent again {cause}, when they may have been done already"
            );
            let at = resource.meta.within(&at);
            let mut diagnostic = Diagnostic::new(Code::UNSAFE_RETRY, at, message);
            diagnostic.help("add the methods that may be repeated to `retryOn`: `HttpMethodGet`, `HttpMethodHead`; or list only `ConnectFailure` and `RefusedStream`");
            diagnostics.push(diagnostic);
        }
    }
}

/// On what requests are sent again that may have been done, and where that is said.
fn late(http: &HttpRetry, listed: bool) -> Option<(Option<&'static str>, String)> {
    if http.num_retries == Some(0) {
        return None;
    }
    let Some(list) = &http.retry_on else {
        let cause = "on `GatewayError`, which is built in".to_owned();
        return (!listed).then_some((None, cause));
    };
    let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if words.iter().any(|word| word.starts_with("HttpMethod")) {
        return None;
    }
    let is_code = |word: &&str| word.bytes().all(|b| b.is_ascii_digit());
    let late = |word: &&str| LATE.contains(word) || (is_code(word) && word.starts_with('5'));
    let cause = match words.iter().find(|word| late(word)) {
        Some(word) => format!("on `{word}`"),
        // Where only codes are listed the built-in list counts too (language 5.4).
        None if !words.is_empty() && words.iter().all(is_code) => {
            "on `GatewayError`, which counts too where only codes are listed".to_owned()
        }
        None => return None,
    };
    Some((Some("retryOn"), cause))
}
