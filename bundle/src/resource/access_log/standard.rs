//! The formats of the language, for those who name none.
//!
//! Never parsed: a test of the compiler holds that they are what their text says.

use super::{HeaderName, LogFormat, LogOperator as Is, LogSegment, LogShape, LogValue};

impl LogFormat {
    /// For HTTP.
    #[must_use]
    pub fn of_requests() -> Self {
        plain([
            text("["),
            value(Is::StartTime(Vec::new())),
            text("] "),
            value(Is::Mesh),
            text(" \""),
            header(":method", None),
            text(" "),
            header("x-envoy-original-path", Some(":path")),
            text(" "),
            value(Is::Protocol),
            text("\" "),
            value(Is::ResponseCode),
            text(" "),
            value(Is::ResponseFlags),
            text(" "),
            value(Is::BytesReceived),
            text(" "),
            value(Is::BytesSent),
            text(" "),
            value(Is::Duration),
            text(" "),
            value(Is::ResponseHeader(HeaderName {
                name: "x-envoy-upstream-service-time".to_owned(),
                otherwise: None,
            })),
            text(" \""),
            header("x-forwarded-for", None),
            text("\" \""),
            header("user-agent", None),
            text("\" \""),
            header("x-b3-traceid", Some("x-datadog-traceid")),
            text("\" \""),
            header("x-request-id", None),
            text("\" \""),
            header(":authority", None),
            text("\" \""),
            value(Is::SourceService),
            text("\" \""),
            value(Is::DestinationService),
            text("\" \""),
            value(Is::SourceAddressWithoutPort),
            text("\" \""),
            value(Is::UpstreamHost),
            text("\""),
        ])
    }

    /// For connections that are not HTTP.
    #[must_use]
    pub fn of_connections() -> Self {
        plain([
            text("["),
            value(Is::StartTime(Vec::new())),
            text("] "),
            value(Is::ResponseFlags),
            text(" "),
            value(Is::Mesh),
            text(" "),
            value(Is::SourceAddressWithoutPort),
            text("("),
            value(Is::SourceService),
            text(")->"),
            value(Is::UpstreamHost),
            text("("),
            value(Is::DestinationService),
            text(") took "),
            value(Is::Duration),
            text("ms, sent "),
            value(Is::BytesSent),
            text(" bytes, received: "),
            value(Is::BytesReceived),
            text(" bytes"),
        ])
    }
}

fn plain<const N: usize>(segments: [LogSegment; N]) -> LogFormat {
    LogFormat {
        shape: LogShape::Plain(segments.into()),
        omit_empty_values: false,
    }
}

fn text(text: &str) -> LogSegment {
    LogSegment::Text(text.to_owned())
}

fn value(operator: Is) -> LogSegment {
    LogSegment::Value(LogValue {
        operator,
        longest: None,
    })
}

fn header(name: &str, otherwise: Option<&str>) -> LogSegment {
    value(Is::RequestHeader(HeaderName {
        name: name.to_owned(),
        otherwise: otherwise.map(str::to_owned),
    }))
}
