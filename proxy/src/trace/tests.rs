use std::collections::HashSet;

use mesh_bundle::Sourced;
use mesh_bundle::resource::Tag;
use proptest::prelude::*;

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn tracer(backend: TracingBackend, (overall, client, random): (u32, u32, u32)) -> Tracer {
    let share = Sourced::built_in;
    let tracing = Tracing {
        backend: share_of(Some(backend)),
        sampling: Sampling {
            overall: share(overall),
            client: share(client),
            random: share(random),
        },
        tags: Some(Sourced::built_in(vec![Tag {
            name: "tenant".to_owned(),
            value: TagValue::Header {
                name: "x-tenant".to_owned(),
                default: None,
            },
        }])),
    };
    Tracer::new(&tracing).unwrap().unwrap()
}

fn share_of<T>(value: T) -> Sourced<T> {
    Sourced::built_in(value)
}

fn otel() -> TracingBackend {
    let collector = serde_json::json!({
        "type": "openTelemetry",
        "collector": {
            "kri": "kri_motb_default___c_",
            "protocol": "grpc",
            "address": "10.0.0.1",
            "port": 4317,
            "origin": {"resource": "kri_motb_default___c_", "file": "c.yaml", "line": 1},
        },
    });
    serde_json::from_value(collector).unwrap()
}

fn zipkin(long_ids: bool, shared_spans: bool) -> TracingBackend {
    TracingBackend::Zipkin {
        url: "http://10.0.0.1:9411/api/v2/spans".to_owned(),
        long_ids,
        version: ZipkinVersion::HttpJson,
        shared_spans,
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// What the next server sees.
fn sent(
    tracer: &Tracer,
    came: &HeaderMap,
    side: Direction,
    stranger: bool,
) -> (Context, HeaderMap) {
    let context = tracer.decide(came, side, stranger);
    let mut headers = came.clone();
    tracer.inject(&context, &mut headers);
    (context, headers)
}

const ALWAYS: (u32, u32, u32) = (ALL, ALL, ALL);

#[test]
fn a_parent_is_understood_or_there_is_none() {
    let good = format!("00-{TRACE}-{PARENT}-01");
    let later = format!("cc-{TRACE}-{PARENT}-09-what-comes-then");
    for (value, sampled) in [
        (good.clone(), Some(true)),
        (format!("00-{TRACE}-{PARENT}-00"), Some(false)),
        (later, Some(true)),
    ] {
        let incoming = w3c::extract(&headers(&[("traceparent", &value)])).unwrap();
        assert_eq!(incoming.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(incoming.parent, 0xb7ad_6b71_6920_3331);
        assert_eq!(incoming.sampled, sampled, "{value}");
    }
    for bad in [
        String::new(),
        good.to_uppercase(),
        format!("{good}-"),
        format!("ff-{TRACE}-{PARENT}-01"),
        format!("cc-{TRACE}-{PARENT}-01.more"),
        format!("00-{}-{PARENT}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}-{PARENT}-0"),
        format!("00_{TRACE}_{PARENT}_01"),
    ] {
        assert_eq!(
            w3c::extract(&headers(&[("traceparent", &bad)])),
            None,
            "{bad}"
        );
    }
    let twice = headers(&[("traceparent", &good), ("traceparent", &good)]);
    assert_eq!(w3c::extract(&twice), None);
}

#[test]
fn a_followed_request_tells_the_next_server_of_its_own_span() {
    let tracer = tracer(otel(), ALWAYS);
    let came = headers(&[
        ("traceparent", &format!("00-{TRACE}-{PARENT}-01")),
        ("tracestate", "a=1"),
    ]);
    let (context, sent) = sent(&tracer, &came, Direction::Inbound, false);
    assert!(context.sampled);
    assert_eq!(context.parent, Some(0xb7ad_6b71_6920_3331));
    let expected = format!("00-{TRACE}-{:016x}-01", context.span_id);
    assert_eq!(sent["traceparent"], expected);
    assert_ne!(context.span_id, 0xb7ad_6b71_6920_3331);
    assert_eq!(sent["tracestate"], "a=1");
}

#[test]
fn who_is_not_followed_is_not_followed_further() {
    let never = tracer(otel(), (ALL, ALL, 0));
    let (context, began) = sent(&never, &HeaderMap::new(), Direction::Outbound, false);
    assert!(!context.sampled);
    assert!(began["traceparent"].to_str().unwrap().ends_with("-00"));
    // What a client said already is left as it is, and what it said otherwise is not.
    let refused = format!("00-{TRACE}-{PARENT}-00");
    let came = headers(&[("traceparent", &refused)]);
    let always = tracer(otel(), ALWAYS);
    let (context, told) = sent(&always, &came, Direction::Inbound, false);
    assert!(!context.sampled && !context.is_news);
    assert_eq!(told["traceparent"], refused);
    let capped = tracer(otel(), (0, ALL, ALL));
    let came = headers(&[("traceparent", &format!("00-{TRACE}-{PARENT}-01"))]);
    let (_, told) = sent(&capped, &came, Direction::Inbound, false);
    assert_eq!(told["traceparent"], refused);
}

/// Of 100,000 requests, how many hundredths are followed.
fn share(sampling: (u32, u32, u32), came: &[(&'static str, &str)], stranger: bool) -> u32 {
    let tracer = tracer(otel(), sampling);
    let followed = (0..100_000_u32).filter(|_| {
        let trace_id = tracer.new_trace();
        let parent = format!("00-{trace_id:032x}-{PARENT}-01");
        let came: Vec<_> = came
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if *value == "asked" {
                        parent.as_str()
                    } else {
                        *value
                    },
                )
            })
            .collect();
        tracer
            .decide(&headers(&came), Direction::Inbound, stranger)
            .sampled
    });
    u32::try_from(followed.count()).unwrap() / 1_000
}

#[test]
fn shares_are_kept() {
    let percent = |share: u32| share * 10_000;
    let (asked, wish) = (
        &[("traceparent", "asked")][..],
        &[("x-client-trace-id", "1")][..],
    );
    for (sampling, came, stranger, expected) in [
        // Of all others.
        ((100, 100, 100), &[][..], true, 100),
        ((100, 100, 20), &[], true, 20),
        ((100, 0, 0), &[], true, 0),
        // Whatever they are: at most so many. The same dice decide, so shares are not multiplied.
        ((20, 100, 100), &[], true, 20),
        ((20, 100, 20), &[], true, 20),
        ((20, 100, 100), asked, false, 20),
        // A client asks, by a trace of its own or by a wish.
        ((100, 30, 0), asked, true, 30),
        ((100, 30, 0), wish, true, 30),
        // A proxy of the mesh has decided already.
        ((100, 30, 0), asked, false, 100),
    ] {
        let (overall, client, random) = sampling;
        let millionths = (percent(overall), percent(client), percent(random));
        let found = share(millionths, came, stranger);
        assert!(
            found.abs_diff(expected) <= 1,
            "{sampling:?} {came:?} {stranger}: {found}"
        );
    }
}

#[test]
fn zipkin_shares_a_span_between_client_and_server() {
    let came = headers(&[
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", PARENT),
        ("x-b3-parentspanid", "00000000000000aa"),
        ("x-b3-sampled", "1"),
    ]);
    let shared = tracer(zipkin(false, true), ALWAYS);
    let (server, told) = sent(&shared, &came, Direction::Inbound, false);
    assert_eq!(
        (server.span_id, server.parent),
        (0xb7ad_6b71_6920_3331, Some(0xaa))
    );
    assert!(server.is_shared);
    assert_eq!(told, came);
    let (client, told) = sent(&shared, &came, Direction::Outbound, false);
    assert_eq!(client.parent, Some(0xb7ad_6b71_6920_3331));
    assert!(!client.is_shared);
    assert_eq!(told["x-b3-spanid"], format!("{:016x}", client.span_id));
    assert_eq!(told["x-b3-parentspanid"], PARENT);
    let (server, _) = sent(
        &tracer(zipkin(false, false), ALWAYS),
        &came,
        Direction::Inbound,
        false,
    );
    assert_eq!(server.parent, Some(0xb7ad_6b71_6920_3331));
}

#[test]
fn the_short_form_of_zipkin_is_understood_and_not_left_behind() {
    let zipkin = tracer(zipkin(true, true), ALWAYS);
    for (single, sampled) in [
        ("0", false),
        (&*format!("{TRACE}-{PARENT}-0"), false),
        ("d", true),
        (&*format!("{TRACE}-{PARENT}-1-00000000000000aa"), true),
        (&*format!("{TRACE}-{PARENT}"), true),
    ] {
        let came = headers(&[("b3", single)]);
        let (context, told) = sent(&zipkin, &came, Direction::Outbound, false);
        assert_eq!(context.sampled, sampled, "{single}");
        if sampled {
            let begins = format!("{:032x}-{:016x}-1", context.trace_id, context.span_id);
            assert!(
                told["b3"].to_str().unwrap().starts_with(&begins),
                "{told:?}"
            );
            assert_eq!(told["x-b3-sampled"], "1");
        } else {
            assert_eq!(told, came);
        }
    }
    let debug = headers(&[
        ("x-b3-flags", "1"),
        ("x-b3-traceid", TRACE),
        ("x-b3-spanid", PARENT),
    ]);
    assert!(sent(&zipkin, &debug, Direction::Outbound, false).0.sampled);
}

#[test]
fn ids_are_as_long_as_they_shall_be_and_never_twice() {
    let short = tracer(zipkin(false, true), ALWAYS);
    assert!((0..100).all(|_| short.new_trace() >> 64 == 0));
    let long = tracer(zipkin(true, true), ALWAYS);
    let ids: HashSet<u128> = (0..10_000).map(|_| long.new_trace()).collect();
    assert_eq!(ids.len(), 10_000);
    assert!(ids.iter().filter(|id| *id >> 64 != 0).count() > 9_990);
}

proptest! {
    #[test]
    fn anything_may_come(value in "\\PC{0,80}", b3 in "[0-9a-f-]{0,80}") {
        let came: Vec<_> = [("traceparent", &value), ("x-b3-traceid", &value), ("b3", &b3)]
            .into_iter()
            .filter(|(_, value)| HeaderValue::from_str(value).is_ok())
            .map(|(name, value)| (name, value.as_str()))
            .collect();
        let came = headers(&came);
        for tracer in [tracer(otel(), ALWAYS), tracer(zipkin(true, true), ALWAYS)] {
            let (context, _) = sent(&tracer, &came, Direction::Inbound, true);
            prop_assert_ne!(context.trace_id, 0);
            prop_assert_ne!(context.span_id, 0);
        }
    }

    #[test]
    fn what_is_told_is_understood(trace_id in 1_u128.., span_id in 1_u64.., sampled: bool) {
        let context = Context { trace_id, span_id, parent: None, sampled, is_shared: false, is_news: true };
        let expected = Some(Incoming { trace_id, parent: span_id, grandparent: None, sampled: Some(sampled) });
        let mut headers = HeaderMap::new();
        w3c::inject(&context, &mut headers);
        prop_assert_eq!(w3c::extract(&headers), expected);
        b3::inject(&context, &mut headers);
        prop_assert_eq!(b3::extract(&headers).0, expected);
    }
}
