//! Variables, and what they make of a collector.

use mesh_bundle::Origin;
use mesh_bundle::resource::{Collector, Environment as May, EnvironmentMode};

use super::super::target::{Target, Untold};
use super::*;
use crate::tests::site::kri;

fn read(variables: &[(&str, &str)]) -> (Environment, Vec<Unheard>) {
    let pair = |(name, value): &(&str, &str)| (format!("{PREFIX}{name}").into(), (*value).into());
    Environment::read(variables.iter().map(pair))
}

fn said(variables: &[(&str, &str)]) -> Environment {
    let (environment, unheard) = read(variables);
    assert_eq!(unheard, [], "{variables:?}");
    environment
}

/// `collector.example:4317` over gRPC.
fn collector(may: May) -> Collector {
    let kri = kri("kri_motb_default___collector_");
    Collector {
        protocol: CollectorProtocol::Grpc,
        address: Some("collector.example".to_owned()),
        port: Collector::PORT,
        path: String::new(),
        environment: may,
        origin: Origin {
            resource: kri.clone(),
            file: "collector.yaml".to_owned(),
            line: 1,
        },
        kri,
    }
}

/// How traces are sent, in one line.
fn traces(variables: &[(&str, &str)], change: impl FnOnce(&mut Collector)) -> String {
    let mut collector = collector(May::default());
    change(&mut collector);
    let target = match Target::of(&collector, &said(variables), Signal::Traces, true) {
        Ok(target) => target,
        Err(why) => return format!("{why:?}"),
    };
    let scheme = match (target.protocol, &target.tls) {
        (CollectorProtocol::Grpc, None) => "grpc",
        (CollectorProtocol::Grpc, Some(_)) => "grpcs",
        (CollectorProtocol::Http, None) => "http",
        (CollectorProtocol::Http, Some(_)) => "https",
    };
    let path = match target.protocol {
        CollectorProtocol::Grpc => "",
        CollectorProtocol::Http => &target.path,
    };
    format!("{scheme}://{}:{}{path}", target.host, target.port)
}

#[test]
fn a_variable_wins_where_it_is_let() {
    let (http, grpc) = (("PROTOCOL", "http/protobuf"), ("PROTOCOL", "grpc"));
    let as_is = |_: &mut Collector| {};
    let own = "grpc://collector.example:4317";
    for (variables, expected) in [
        (&[][..], own),
        (&[("ENDPOINT", "")], own),
        (&[http], "http://collector.example:4317/v1/traces"),
        (&[http, ("TRACES_PROTOCOL", "grpc")], own),
        (&[grpc, ("ENDPOINT", "http://a:1/ignored")], "grpc://a:1"),
        (&[("ENDPOINT", "https://a")], "grpcs://a:443"),
        (&[http, ("ENDPOINT", "http://a")], "http://a:80/v1/traces"),
        (
            &[http, ("ENDPOINT", "http://a:1/b/")],
            "http://a:1/b/v1/traces",
        ),
        (
            &[http, ("ENDPOINT", "https://[::1]:1")],
            "https://::1:1/v1/traces",
        ),
        (&[http, ("TRACES_ENDPOINT", "http://a:1/b")], "http://a:1/b"),
        (&[http, ("TRACES_ENDPOINT", "http://a:1")], "http://a:1/"),
        (&[("LOGS_ENDPOINT", "http://a:1")], own),
        // Without a scheme: TLS, unless somebody says that there is none.
        (&[("ENDPOINT", "a:1")], "grpcs://a:1"),
        (&[("ENDPOINT", "a:1"), ("INSECURE", "true")], "grpc://a:1"),
        (
            &[("ENDPOINT", "http://a:1"), ("INSECURE", "false")],
            "grpc://a:1",
        ),
        (&[("INSECURE", "false")], "grpcs://collector.example:4317"),
        (
            &[("CERTIFICATE", "/ca.pem")],
            "grpcs://collector.example:4317",
        ),
        (&[("CERTIFICATE", "/ca.pem"), ("INSECURE", "True")], own),
        (
            &[
                ("ENDPOINT", "http://a:1"),
                ("TRACES_ENDPOINT", "http://b:1"),
            ],
            "grpc://b:1",
        ),
    ] {
        assert_eq!(traces(variables, as_is), expected, "{variables:?}");
    }
    let base = |collector: &mut Collector| {
        collector.protocol = CollectorProtocol::Http;
        collector.path = "/otlp".to_owned();
    };
    assert_eq!(
        traces(&[], base),
        "http://collector.example:4317/otlp/v1/traces"
    );
    let elsewhere = [("ENDPOINT", "http://a:1")];
    assert_eq!(traces(&elsewhere, base), "http://a:1/otlp/v1/traces");
}

#[test]
fn a_document_says_what_is_let() {
    let everything = [
        ("ENDPOINT", "http://a:1"),
        ("PROTOCOL", "http/protobuf"),
        ("TRACES_ENDPOINT", "http://b:2/traces"),
    ];
    let may = |may: May| move |collector: &mut Collector| collector.environment = may;
    let otherwise = May::default();
    let (disabled, required) = (
        May {
            mode: EnvironmentMode::Disabled,
            ..otherwise
        },
        May {
            mode: EnvironmentMode::Required,
            ..otherwise
        },
    );
    let own = "grpc://collector.example:4317";
    let shared = May {
        per_signal: false,
        ..otherwise
    };
    let last = May {
        first: false,
        ..otherwise
    };
    assert_eq!(traces(&everything, may(otherwise)), "http://b:2/traces");
    assert_eq!(traces(&everything, may(disabled)), own);
    assert_eq!(traces(&everything, may(shared)), "http://a:1/v1/traces");
    assert_eq!(traces(&everything, may(last)), own);
    assert_eq!(traces(&everything, may(required)), "http://b:2/traces");
    assert_eq!(traces(&[], may(required)), "Required");
    let own_only = May {
        per_signal: false,
        ..required
    };
    assert_eq!(
        traces(&[("TRACES_TIMEOUT", "1")], may(own_only)),
        "Required"
    );
    let nowhere = |may: May| {
        move |collector: &mut Collector| {
            collector.environment = may;
            collector.address = None;
        }
    };
    assert_eq!(traces(&everything, nowhere(last)), "http://b:2/traces");
    assert_eq!(traces(&everything, nowhere(disabled)), "Nowhere");
    assert_eq!(traces(&[], nowhere(otherwise)), "Nowhere");

    // What names no collector cannot be meant for one of two.
    let of_two = |may: May| {
        let environment = said(&everything);
        Target::of(&collector(may), &environment, Signal::Traces, false)
    };
    assert_eq!(of_two(required), Err(Untold::Ambiguous));
    assert_eq!(of_two(otherwise).unwrap().host, "collector.example");
}

#[test]
fn headers_come_along_and_are_not_shown() {
    let environment = said(&[
        ("HEADERS", "authorization=Bearer%20s3cret, x-tenant=a"),
        ("LOGS_HEADERS", "x-tenant=b"),
        ("TIMEOUT", "2500"),
        ("TRACES_TIMEOUT", "999999"),
    ]);
    let of = |signal| Target::of(&collector(May::default()), &environment, signal, true).unwrap();
    let (traces, logs) = (of(Signal::Traces), of(Signal::Logs));
    let [(name, value), _] = &*traces.headers else {
        panic!("{traces:?}")
    };
    assert_eq!(
        (name.as_str(), value.as_bytes()),
        ("authorization", &b"Bearer s3cret"[..])
    );
    assert_eq!(logs.headers.len(), 1);
    assert_eq!(
        (traces.patience, logs.patience),
        (LONGEST, Duration::from_millis(2_500))
    );
    for shown in [format!("{environment:?}"), format!("{traces:?}")] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn what_does_nothing_is_told_without_its_value() {
    for (name, value, why) in [
        ("ENDPOINT", "ftp://a:1", "expected `http` or `https`"),
        ("ENDPOINT", "a", "expected a URL"),
        ("ENDPOINT", "http://u:s3cret@a:1", "must hold no user"),
        ("ENDPOINT", "http://a:1/?key=s3cret", "must hold no query"),
        ("ENDPOINT", "http:///s3cret", "expected a URL"),
        ("PROTOCOL", "udp", "expected `grpc`"),
        ("PROTOCOL", "http/json", "proxies write no JSON"),
        ("HEADERS", "s3cret", "expected `name=value"),
        ("HEADERS", "a b=s3cret", "`a b` is no name"),
        ("HEADERS", "a=s3cret%0d%0a", "`a` has a value"),
        ("HEADERS", "a=s3cret%4", "`a` has a value"),
        ("HEADERS", "Content-Type=s3cret", "is for the proxy"),
        ("INSECURE", "yes", "expected `true` or `false`"),
        ("TIMEOUT", "0", "at least 1"),
        ("TIMEOUT", "10s", "expected milliseconds"),
        ("COMPRESSION", "gzip", "without compression"),
        (
            "METRICS_TEMPORALITY_PREFERENCE",
            "delta",
            "does not know it",
        ),
        ("CLIENT_KEY", "/s3cret", "CLIENT_CERTIFICATE` is not set"),
    ] {
        let (_, unheard) = read(&[(name, value)]);
        let [
            Unheard {
                variable,
                why: said,
            },
        ] = &*unheard
        else {
            panic!("{name}={value}: {unheard:?}")
        };
        assert_eq!(*variable, format!("{PREFIX}{name}"));
        assert!(said.contains(why), "{name}={value}: {said}");
        assert!(!said.contains("s3cret"), "{said}");
    }
    let (environment, _) = read(&[("PROTOCOL", "http/json")]);
    assert_eq!(environment.shared.protocol, Some(CollectorProtocol::Http));
    let others = [
        ("OTEL_SERVICE_NAME".into(), "x".into()),
        ("HOME".into(), "/".into()),
    ];
    let (environment, unheard) = Environment::read(others);
    assert!(environment.shared.is_empty() && unheard.is_empty());
}
