//! Which requests of a proxy are traced, and where spans go (language 5.13).
//!
//! Never traces connections: spans are of HTTP traffic.

use serde::{Deserialize, Serialize};

use super::telemetry::Collector;
use crate::origin::Sourced;

/// The traces of one proxy. A proxy without this resource makes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tracing {
    /// Where spans go. `None`: nowhere, tracing is switched off.
    pub backend: Sourced<Option<TracingBackend>>,
    /// How many requests are traced.
    pub sampling: Sampling,
    /// What is added to every span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Sourced<Vec<Tag>>>,
}

/// What takes spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum TracingBackend {
    /// A collector of OpenTelemetry.
    OpenTelemetry {
        /// Which one.
        collector: Collector,
    },
    /// A server of Zipkin.
    Zipkin {
        /// Its URL.
        url: String,
        /// Are IDs 128 bits long?
        long_ids: bool,
        /// How spans are written.
        version: ZipkinVersion,
        /// Do client and server share a span?
        shared_spans: bool,
    },
    /// An agent of Datadog.
    Datadog {
        /// `http://<host>:<port>`.
        url: String,
        /// Is each direction a service of its own?
        split_service: bool,
    },
}

/// How Zipkin's spans are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ZipkinVersion {
    /// JSON.
    HttpJson,
    /// JSON of the first version.
    HttpJsonV1,
    /// Protobuf.
    HttpProto,
}

/// How many requests are traced, each in millionths, 0 to 1,000,000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sampling {
    /// At most, of all requests.
    pub overall: Sourced<u32>,
    /// Of those whose client asks for it.
    pub client: Sourced<u32>,
    /// Of all others.
    pub random: Sourced<u32>,
}

/// Something that is added to every span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: TagValue,
}

/// The value of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum TagValue {
    /// A text.
    Literal {
        /// The text.
        text: String,
    },
    /// A header of the request.
    Header {
        /// Lower case.
        name: String,
        /// What stands for it where it is missing. `None`: the span has no such tag then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default: Option<String>,
    },
}

impl Default for Sampling {
    /// Every request.
    fn default() -> Self {
        let all = || Sourced::built_in(1_000_000);
        Self {
            overall: all(),
            client: all(),
            random: all(),
        }
    }
}
