//! A record as a line: what each operator says, and how a format puts it together.
//!
//! Never parses a format, and never lets a value begin a new line.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use http::{HeaderMap, Version, header};
use mesh_bundle::resource::{
    HeaderName, LogField, LogFormat, LogOperator as Is, LogSegment, LogShape, LogValue,
};
use serde_json::Value as Json;

use super::record::{Record, RequestHead};
use super::time;
use crate::metrics::{Direction, NO_FLAG};

/// What has no value, in a text.
pub(super) const NOTHING: &str = "-";

/// Read once: a machine is not renamed under a proxy.
static HOSTNAME: LazyLock<Option<String>> = LazyLock::new(|| {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
});

enum Said<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

/// One line, its end included.
pub(super) fn line(format: &LogFormat, record: &Record) -> String {
    let nothing = match format.omit_empty_values {
        true => "",
        false => NOTHING,
    };
    let mut line = match &format.shape {
        LogShape::Plain(segments) => text(segments, record, nothing),
        LogShape::Json(fields) => {
            let fields = fields.iter().filter_map(|LogField { key, value }| {
                let value = json(value, record, nothing);
                let kept = !(format.omit_empty_values && value.is_null());
                kept.then(|| format!("{}:{value}", Json::String(key.clone())))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
    };
    line.push('\n');
    line
}

fn text(segments: &[LogSegment], record: &Record, nothing: &str) -> String {
    let mut text = String::new();
    for segment in segments {
        match segment {
            LogSegment::Text(plain) => text.push_str(plain),
            LogSegment::Value(value) => match said(value, record) {
                None => text.push_str(nothing),
                Some(Said::Number(number)) => text.push_str(&number.to_string()),
                Some(Said::Text(said)) => {
                    let plain = |c: char| if c.is_control() { ' ' } else { c };
                    text.extend(said.chars().map(plain));
                }
            },
        }
    }
    text
}

pub(super) fn json(segments: &[LogSegment], record: &Record, nothing: &str) -> Json {
    match segments {
        [LogSegment::Value(value)] => match said(value, record) {
            None => Json::Null,
            Some(Said::Number(number)) => number.into(),
            Some(Said::Text(said)) => said.into_owned().into(),
        },
        segments => text(segments, record, nothing).into(),
    }
}

fn said<'a>(value: &LogValue, record: &'a Record) -> Option<Said<'a>> {
    let said = operator(&value.operator, record)?;
    let Some(longest) = value.longest else {
        return Some(said);
    };
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    let text = match said {
        Said::Number(number) => number.to_string().into(),
        Said::Text(text) => text,
    };
    Some(Said::Text(text.chars().take(longest).collect()))
}

fn operator<'a>(operator: &Is, record: &'a Record) -> Option<Said<'a>> {
    let text = |text: &'a str| Some(Said::Text(Cow::Borrowed(text)));
    let owned = |text: String| Some(Said::Text(Cow::Owned(text)));
    let millis = |span: Duration| Said::Number(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    match operator {
        Is::StartTime(parts) => owned(time::text(record.started, parts)),
        Is::Protocol => text(version(record.asked.as_ref()?.version)),
        Is::ResponseCode => Some(Said::Number(record.status.into())),
        Is::ResponseFlags => text(record.flag).filter(|_| record.flag != NO_FLAG),
        Is::BytesReceived => Some(Said::Number(record.received)),
        Is::BytesSent => Some(Said::Number(record.sent)),
        Is::Duration => Some(millis(record.took)),
        Is::RequestDuration => record.request_took.map(millis),
        Is::ResponseDuration => record.response_after.map(millis),
        Is::UpstreamHost => text(record.upstream.as_deref()?),
        Is::UpstreamCluster => text(record.cluster.as_deref()?),
        Is::DownstreamRemoteAddress => owned(record.remote?.to_string()),
        Is::DownstreamRemoteAddressWithoutPort => owned(record.remote?.ip().to_string()),
        Is::DownstreamPeerUriSan => text(record.peer.as_deref()?),
        Is::RequestedServerName => text(record.sni.as_deref()?),
        Is::RouteName => text(record.route.as_deref()?),
        Is::Hostname => HOSTNAME.as_deref().and_then(text),
        Is::RequestHeader(name) => either(name, |name| asked(record.asked.as_ref()?, name)),
        Is::ResponseHeader(name) => either(name, |name| match name {
            ":status" => Some(record.status.to_string().into()),
            name => of(&record.headers, name),
        }),
        Is::Mesh => text(&record.home.mesh),
        Is::Zone => text(&record.home.zone),
        Is::Workload => text(record.home.workload.as_deref()?),
        Is::TrafficDirection => text(match record.direction {
            Direction::Inbound => "INBOUND",
            Direction::Outbound => "OUTBOUND",
        }),
        Is::SourceService => text(match record.direction {
            Direction::Inbound => record.peer.as_deref()?,
            Direction::Outbound => record.home.workload.as_deref()?,
        }),
        Is::DestinationService => text(record.destination.as_deref()?),
        Is::SourceAddress => match record.direction {
            Direction::Inbound => owned(record.remote?.to_string()),
            // The workload and its proxy share an address, which is what others know it by.
            Direction::Outbound => owned(format!("{}:0", own_address(record)?)),
        },
        Is::SourceAddressWithoutPort => match record.direction {
            Direction::Inbound => owned(record.remote?.ip().to_string()),
            Direction::Outbound => owned(own_address(record)?),
        },
    }
}

fn own_address(record: &Record) -> Option<String> {
    let known = record.home.address.clone();
    known.or_else(|| Some(record.remote?.ip().to_string()))
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}

fn either<'a>(name: &HeaderName, find: impl Fn(&str) -> Option<Cow<'a, str>>) -> Option<Said<'a>> {
    let found = find(&name.name).or_else(|| find(name.otherwise.as_ref()?));
    found.map(Said::Text)
}

fn asked<'a>(asked: &'a RequestHead, name: &str) -> Option<Cow<'a, str>> {
    match name {
        ":method" => Some(asked.method.as_str().into()),
        ":path" => Some(asked.uri.path_and_query()?.as_str().into()),
        ":scheme" => asked.uri.scheme_str().map(Cow::from),
        ":authority" => match asked.uri.authority() {
            Some(authority) => Some(authority.as_str().into()),
            None => of(&asked.headers, header::HOST.as_str()),
        },
        name => of(&asked.headers, name),
    }
}

fn of<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()))
}

#[cfg(test)]
mod tests;
