//! One request to a collector, and what its answer means: taken, not now, or never.
//!
//! Never waits longer than it is told to, and never tries again by itself: whoever has something to send decides that.

use std::fmt;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, TE};
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri, Version};
use mesh_bundle::resource::CollectorProtocol;
use tokio::time::timeout;

use super::otlp;
use super::target::{PATIENCE, Target, Untold};
use crate::http_client::{Client, Place, Reply};
use crate::metrics::Signal;
use crate::tls::OutsideTls;

/// What a collector answers is a few bytes.
const MOST_BYTES: usize = 64 * 1024;
/// Where it says how long to wait before it is asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    Protobuf,
    /// What has this type; its answer is its status.
    Other(&'static str),
}

/// The way to one collector.
#[derive(Debug)]
pub(crate) struct Courier {
    client: Client,
    path: String,
    form: Form,
    /// Beside those that say what is sent.
    headers: HeaderMap,
    /// For one request.
    patience: Duration,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The collector has it, but for so many records.
    Taken { rejected: u64 },
    /// It may take it later.
    Later(Trouble),
    /// It will not take it.
    Never(Trouble),
}

/// Why a collector has not taken something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    why: String,
    /// When it may be asked again, if it said so.
    pub(crate) wait: Option<Duration>,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Self {
        Self { why, wait: None }
    }
}

impl Courier {
    /// # Errors
    /// What its TLS needs cannot be used.
    pub(crate) fn otlp(target: &Target, signal: Signal) -> Result<Self, Untold> {
        let Target { host, port, .. } = target;
        let place = match &target.tls {
            None => Place::plain(host, *port),
            Some(files) => Place::over_tls(host, *port, files.load(host)?),
        };
        let (version, path, form) = match target.protocol {
            CollectorProtocol::Grpc => (Version::HTTP_2, signal.method().to_owned(), Form::Grpc),
            CollectorProtocol::Http => (Version::HTTP_11, target.path.clone(), Form::Protobuf),
        };
        Ok(Self {
            client: Client::new(place, version),
            path,
            form,
            headers: target.headers.iter().cloned().collect(),
            patience: target.patience,
        })
    }

    /// Something of a type for a URL. `None`: it is none that can be asked.
    pub(crate) fn posting(kind: &'static str, url: &str) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
        let tls = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let place = match tls {
            true => Place::over_tls(host, port, OutsideTls::of_name(host).ok()?),
            false => Place::plain(host, port),
        };
        let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
        Some(Self {
            client: Client::new(place, Version::HTTP_11),
            path: path.to_owned(),
            form: Form::Other(kind),
            headers: HeaderMap::new(),
            patience: PATIENCE,
        })
    }

    /// The same, for whom a request may take no longer than that.
    pub(crate) fn within(mut self, most: Duration) -> Self {
        self.patience = self.patience.min(most);
        self
    }

    pub(crate) async fn send(&mut self, body: Bytes) -> Outcome {
        let within = self.patience;
        let mut headers = self.headers.clone();
        let body = match self.form {
            Form::Grpc => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                headers.insert(TE, HeaderValue::from_static("trailers"));
                framed(&body)
            }
            Form::Protobuf => {
                let form = HeaderValue::from_static("application/x-protobuf");
                headers.insert(CONTENT_TYPE, form);
                body
            }
            Form::Other(kind) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                body
            }
        };
        let path = &self.path;
        let sent = self
            .client
            .send(Method::POST, path, headers, body, MOST_BYTES);
        match timeout(within, sent).await {
            Ok(Ok(reply)) if self.form == Form::Grpc => of_grpc(&reply),
            Ok(Ok(reply)) => of_http(&reply, self.form),
            Ok(Err(why)) => Outcome::Later(why.into()),
            Err(_) => Outcome::Later(format!("it did not answer within {within:?}").into()),
        }
    }
}

impl fmt::Display for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.place().fmt(f)
    }
}

/// A message of gRPC: not compressed, its length, and itself.
fn framed(message: &Bytes) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    framed.freeze()
}

/// The status stands in the trailers, or in the head of an answer that is nothing else.
fn of_grpc(reply: &Reply) -> Outcome {
    let text = |name: &str| {
        let value = reply.trailers.get(name).or_else(|| reply.headers.get(name));
        value.and_then(|value| value.to_str().ok())
    };
    if reply.status != StatusCode::OK {
        return of_http(reply, Form::Grpc);
    }
    let Some(status) = text("grpc-status").and_then(|status| status.parse::<u16>().ok()) else {
        return Outcome::Later("its answer has no gRPC status".to_owned().into());
    };
    let message = text("grpc-message").unwrap_or_default();
    let trouble = Trouble::from(format!(
        "it answered with the gRPC status {status} {message}"
    ));
    match status {
        0 => Outcome::Taken {
            rejected: otlp::rejected(reply.body.get(5..).unwrap_or_default()),
        },
        // What may be sent again (OTLP, "OTLP/gRPC Response").
        1 | 4 | 8 | 10 | 11 | 14 | 15 => Outcome::Later(trouble),
        _ => Outcome::Never(trouble),
    }
}

fn of_http(reply: &Reply, form: Form) -> Outcome {
    let trouble = Trouble {
        why: format!("it answered with {}", reply.status.as_u16()),
        wait: wait(&reply.headers),
    };
    match reply.status.as_u16() {
        200..300 => Outcome::Taken {
            rejected: match form {
                Form::Other(_) => 0,
                Form::Grpc | Form::Protobuf => otlp::rejected(&reply.body),
            },
        },
        429 | 502 | 503 | 504 => Outcome::Later(trouble),
        _ => Outcome::Never(trouble),
    }
}

/// `retry-after` in seconds; as a date it is not looked at.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, trailers: &[(&'static str, &'static str)], body: &'static [u8]) -> Reply {
        let pair = |(name, value): &(&'static str, &'static str)| {
            let name = http::HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        let headers: HeaderMap = trailers.iter().map(pair).collect();
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.clone(),
            body: Bytes::from_static(body),
            trailers: headers,
        }
    }

    #[test]
    fn answers_mean_what_the_protocol_says() {
        let kind = |outcome: Outcome| match outcome {
            Outcome::Taken { rejected: 0 } => "taken",
            Outcome::Taken { .. } => "taken in part",
            Outcome::Later(Trouble { wait: Some(_), .. }) => "later, as it says",
            Outcome::Later(_) => "later",
            Outcome::Never(_) => "never",
        };
        // A message of gRPC whose partial success rejects two.
        let partial = b"\0\0\0\0\x04\x0a\x02\x08\x02";
        for (trailers, body, expected) in [
            (&[("grpc-status", "0")][..], &b"\0\0\0\0\0"[..], "taken"),
            (&[("grpc-status", "0")], partial, "taken in part"),
            (&[("grpc-status", "14")], b"", "later"),
            (
                &[("grpc-status", "16"), ("grpc-message", "no")],
                b"",
                "never",
            ),
            (&[], b"", "later"),
        ] {
            assert_eq!(
                kind(of_grpc(&reply(200, trailers, body))),
                expected,
                "{trailers:?}"
            );
        }
        assert_eq!(kind(of_grpc(&reply(503, &[], b""))), "later");
        assert_eq!(kind(of_grpc(&reply(404, &[], b""))), "never");
        for (status, headers, expected) in [
            (200, &[][..], "taken"),
            (202, &[], "taken"),
            (429, &[("retry-after", "3")], "later, as it says"),
            (502, &[], "later"),
            (400, &[], "never"),
            (301, &[], "never"),
        ] {
            assert_eq!(
                kind(of_http(&reply(status, headers, b""), Form::Protobuf)),
                expected,
                "{status}"
            );
        }
    }
}
