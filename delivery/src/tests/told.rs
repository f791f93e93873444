//! Messages as short texts, so that a test reads as the list of what was said.
//!
//! Never shows bytes: `+` is there, `-` is gone.

use crate::message::{FromProxy, ToProxy};
use crate::publisher::Publisher;

pub(crate) fn told(message: &ToProxy) -> String {
    let mut words = Vec::new();
    match message {
        ToProxy::Update(update) => {
            words.push(format!("update {}", update.revision));
            words.extend(update.complete.then(|| "complete".to_owned()));
            words.extend(update.upserts.iter().map(|(key, _)| format!("+{key}")));
            words.extend(update.removals.iter().map(|key| format!("-{key}")));
            words.extend(update.last.then(|| "last".to_owned()));
        }
        ToProxy::Endpoints(change) => {
            words.push(format!("endpoints {}", change.service.name()));
            words.extend(change.complete.then(|| "complete".to_owned()));
            let upserts = change.upserts.iter();
            words.extend(upserts.map(|endpoint| format!("+{}", endpoint.id.name())));
            words.extend(change.removals.iter().map(|id| format!("-{}", id.name())));
            words.extend(change.tls_ready.then(|| "tls".to_owned()));
        }
        ToProxy::Secrets(secrets) => {
            words.push("secrets".to_owned());
            words.extend(secrets.0.keys().cloned());
        }
        ToProxy::Certificate(_) => words.push("certificate".to_owned()),
        ToProxy::Measure { every } => words.push(format!("measure {every:?}")),
        ToProxy::CertificateRefused { .. } => words.push("certificate refused".to_owned()),
    }
    words.join(" ")
}

pub(crate) fn answered(message: &FromProxy) -> String {
    match message {
        FromProxy::Nack { key, reason, .. } => format!("nack {key:?}: {reason}"),
        other => format!("{other:?}"),
    }
}

/// Everything that a publisher has to say now.
pub(crate) fn all(publisher: &mut Publisher) -> Vec<String> {
    std::iter::from_fn(|| publisher.next_message())
        .map(|message| told(&message))
        .collect()
}
