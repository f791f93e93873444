//! Lines, as formats want them.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderValue, Method};
use mesh_bundle::resource::TimePart;

use super::super::record::Home;
use super::*;

fn record() -> Record {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("api.mesh"));
    headers.insert("user-agent", HeaderValue::from_static("a \"quoted\" one"));
    let mut response = HeaderMap::new();
    response.insert("x-served-by", HeaderValue::from_static("api-1"));
    Record {
        home: Arc::new(Home {
            mesh: "default".to_owned(),
            zone: "east".to_owned(),
            proxy: "web-1".to_owned(),
            reached_at: None,
            workload: Some("web".into()),
            address: Some("10.0.0.11".to_owned()),
        }),
        direction: Direction::Outbound,
        started: UNIX_EPOCH + Duration::from_secs(1_769_853_600),
        remote: Some("127.0.0.1:5000".parse().unwrap()),
        peer: None,
        sni: None,
        asked: Some(RequestHead {
            method: Method::POST,
            uri: "/orders?id=1".parse().unwrap(),
            version: Version::HTTP_11,
            headers,
        }),
        destination: Some("api".into()),
        route: Some("kri_mhr_default___r_rule_0".into()),
        cluster: Some("kri_msvc_default___api_http".into()),
        upstream: Some("10.0.0.21:9080".into()),
        status: 200,
        headers: response,
        flag: NO_FLAG,
        received: 12,
        sent: 345,
        request_took: None,
        response_after: Some(Duration::from_millis(7)),
        took: Duration::from_micros(8_900),
    }
}

fn one(operator: Is) -> LogSegment {
    LogSegment::Value(LogValue {
        operator,
        longest: None,
    })
}

fn plain(text: &str) -> LogSegment {
    LogSegment::Text(text.to_owned())
}

#[test]
fn the_default_lines() {
    assert_eq!(
        line(&LogFormat::of_requests(), &record()),
        "[2026-01-31T10:00:00.000Z] default \"POST /orders?id=1 HTTP/1.1\" 200 - 12 345 8 - \"-\" \"a \"quoted\" one\" \"-\" \"-\" \"api.mesh\" \"web\" \"api\" \"10.0.0.11\" \"10.0.0.21:9080\"\n"
    );
    let mut connection = record();
    connection.asked = None;
    connection.flag = "UF";
    assert_eq!(
        line(&LogFormat::of_connections(), &connection),
        "[2026-01-31T10:00:00.000Z] UF default 10.0.0.11(web)->10.0.0.21:9080(api) took 8ms, sent 345 bytes, received: 12 bytes\n"
    );
}

#[test]
fn every_operator_says_something() {
    let header = |name: &str| HeaderName {
        name: name.to_owned(),
        otherwise: Some("user-agent".to_owned()),
    };
    let own = |name: &str| HeaderName {
        name: name.to_owned(),
        otherwise: None,
    };
    let inbound = {
        let mut record = record();
        record.direction = Direction::Inbound;
        record.peer = Some("spiffe://td/workload/web".into());
        record.sni = Some("api.mesh".to_owned());
        record
    };
    for (operator, outwards, inwards) in [
        (
            Is::StartTime(vec![TimePart::Unix]),
            "1769853600",
            "1769853600",
        ),
        (Is::TrafficDirection, "OUTBOUND", "INBOUND"),
        (Is::SourceService, "web", "spiffe://td/workload/web"),
        (Is::SourceAddress, "10.0.0.11:0", "127.0.0.1:5000"),
        (Is::SourceAddressWithoutPort, "10.0.0.11", "127.0.0.1"),
        (Is::DownstreamPeerUriSan, "-", "spiffe://td/workload/web"),
        (Is::RequestedServerName, "-", "api.mesh"),
        (
            Is::DownstreamRemoteAddress,
            "127.0.0.1:5000",
            "127.0.0.1:5000",
        ),
        (
            Is::DownstreamRemoteAddressWithoutPort,
            "127.0.0.1",
            "127.0.0.1",
        ),
        (Is::RequestDuration, "-", "-"),
        (Is::ResponseDuration, "7", "7"),
        (
            Is::RouteName,
            "kri_mhr_default___r_rule_0",
            "kri_mhr_default___r_rule_0",
        ),
        (
            Is::UpstreamCluster,
            "kri_msvc_default___api_http",
            "kri_msvc_default___api_http",
        ),
        (Is::Zone, "east", "east"),
        (Is::Workload, "web", "web"),
        (Is::RequestHeader(own(":authority")), "api.mesh", "api.mesh"),
        (
            Is::RequestHeader(header("x-no")),
            "a \"quoted\" one",
            "a \"quoted\" one",
        ),
        (Is::ResponseHeader(own("x-served-by")), "api-1", "api-1"),
        (Is::ResponseHeader(own(":status")), "200", "200"),
    ] {
        let format = LogFormat {
            shape: LogShape::Plain(vec![one(operator.clone())]),
            omit_empty_values: false,
        };
        assert_eq!(
            line(&format, &record()).trim_end(),
            outwards,
            "{operator:?}"
        );
        assert_eq!(line(&format, &inbound).trim_end(), inwards, "{operator:?}");
    }
}

#[test]
fn json_keeps_types_and_leaves_out_what_is_empty() {
    let field = |key: &str, value: Vec<LogSegment>| LogField {
        key: key.to_owned(),
        value,
    };
    let agent = LogSegment::Value(LogValue {
        operator: Is::RequestHeader(HeaderName {
            name: "user-agent".to_owned(),
            otherwise: None,
        }),
        longest: Some(4),
    });
    let mut format = LogFormat {
        shape: LogShape::Json(vec![
            field("code", vec![one(Is::ResponseCode)]),
            field("a\"b", vec![agent]),
            field("peer", vec![one(Is::DownstreamPeerUriSan)]),
            field("text", vec![plain("to "), one(Is::DownstreamPeerUriSan)]),
        ]),
        omit_empty_values: false,
    };
    assert_eq!(
        line(&format, &record()),
        "{\"code\":200,\"a\\\"b\":\"a \\\"q\",\"peer\":null,\"text\":\"to -\"}\n"
    );
    format.omit_empty_values = true;
    assert_eq!(
        line(&format, &record()),
        "{\"code\":200,\"a\\\"b\":\"a \\\"q\",\"text\":\"to \"}\n"
    );
}

#[test]
fn no_value_begins_a_line() {
    let mut record = record();
    record.destination = Some("a\nb".into());
    let format = LogFormat {
        shape: LogShape::Plain(vec![one(Is::DestinationService)]),
        omit_empty_values: false,
    };
    assert_eq!(line(&format, &record), "a b\n");
}
