//! Each line: what may leave, where a connection goes, what was seen of it, what becomes of it.

use super::*;
use crate::origin::Sourced;

fn origin(line: u32) -> Origin {
    Origin {
        resource: "kri_mp_default___out_".parse().unwrap(),
        file: "out.yaml".to_owned(),
        line,
    }
}

fn destination(text: &str) -> PassthroughDestination {
    if let Some((network, length)) = text.split_once('/') {
        let (network, length) = (network.parse().unwrap(), length.parse().unwrap());
        return PassthroughDestination::Range { network, length };
    }
    match (text.parse(), text.strip_prefix('*')) {
        (Ok(ip), _) => PassthroughDestination::Address { ip },
        (_, Some(of)) => PassthroughDestination::Subdomains {
            of: of.trim_start_matches('.').to_owned(),
        },
        _ => PassthroughDestination::Domain {
            name: text.to_owned(),
        },
    }
}

/// `protocol destination [port]`, one for each line of the policy.
fn policy(entries: &str) -> Passthrough {
    let entry = |(index, text): (usize, &str)| {
        let mut words = text.split_whitespace();
        let protocol = words.next().unwrap();
        PassthroughMatch {
            protocol: serde_json::from_value(protocol.into()).unwrap(),
            destination: destination(words.next().unwrap()),
            port: words.next().map(|port| port.parse().unwrap()),
            origin: origin(u32::try_from(index).unwrap() + 10),
        }
    };
    Passthrough {
        mode: Sourced {
            value: PassthroughMode::Matched,
            origin: Some(origin(1)),
        },
        matches: entries.split(';').enumerate().map(entry).collect(),
    }
}

fn seen(text: &str) -> Option<Seen<'_>> {
    let (protocol, name) = text.split_once(' ').unwrap_or((text, ""));
    let name = (!name.is_empty()).then_some(name);
    match protocol {
        "" => None,
        "bytes" => Some(Seen::Bytes),
        "tls" => Some(Seen::Tls(name)),
        "http" => Some(Seen::Http(name)),
        "http2" => Some(Seen::Http2(name)),
        other => panic!("{other}"),
    }
}

/// What may leave, to where, what was seen, what becomes of it and by which entry.
const CASES: [(&str, &str, &str, &str); 32] = [
    ("tcp 10.0.0.1", "10.0.0.1:25", "", "leaves 10"),
    ("tcp 10.0.0.1", "10.0.0.2:25", "", "stays"),
    ("tcp 10.0.0.1 25", "10.0.0.1:26", "", "stays"),
    ("tcp 10.1.0.0/16", "10.1.255.1:1", "", "leaves 10"),
    ("tcp 10.1.0.0/16", "10.2.0.1:1", "", "stays"),
    ("tcp 0.0.0.0/0", "10.2.0.1:1", "", "leaves 10"),
    ("tcp 0.0.0.0/0", "[2001:db8::1]:1", "", "stays"),
    ("tcp 2001:db8::/32", "[2001:db8::1]:1", "", "leaves 10"),
    ("tcp ::/0", "[2001:db8::1]:1", "", "leaves 10"),
    ("mysql 10.0.0.1 3306", "10.0.0.1:3306", "", "leaves 10"),
    // What is spoken is asked only where it matters, and never where bytes alone may leave.
    ("tls 10.0.0.1;tcp 10.0.0.1", "10.0.0.1:1", "", "leaves 11"),
    ("tls 10.0.0.1", "10.0.0.1:443", "", "depends"),
    ("tls 10.0.0.1", "10.0.0.2:443", "", "stays"),
    ("tls 10.0.0.1", "10.0.0.1:443", "tls", "leaves 10"),
    ("tls 10.0.0.1", "10.0.0.1:443", "bytes", "stays"),
    ("tls 10.0.0.1", "10.0.0.1:443", "http a.example", "stays"),
    (
        "tls a.example",
        "10.0.0.1:443",
        "tls A.Example",
        "leaves 10",
    ),
    (
        "tls a.example",
        "10.0.0.1:443",
        "tls a.example.",
        "leaves 10",
    ),
    ("tls a.example", "10.0.0.1:443", "tls", "stays"),
    ("tls a.example", "10.0.0.1:443", "tls b.a.example", "stays"),
    (
        "tls *.a.example",
        "10.0.0.1:443",
        "tls b.a.example",
        "leaves 10",
    ),
    ("tls *.a.example", "10.0.0.1:443", "tls a.example", "stays"),
    ("tls *.a.example", "10.0.0.1:443", "tls .a.example", "stays"),
    (
        "tls *.a.example",
        "10.0.0.1:443",
        "tls evila.example",
        "stays",
    ),
    ("tls *", "10.0.0.1:443", "tls any.example", "leaves 10"),
    (
        "http a.example 80",
        "10.0.0.1:80",
        "http a.example:80",
        "leaves 10",
    ),
    (
        "http a.example 80",
        "10.0.0.1:80",
        "http2 a.example",
        "stays",
    ),
    ("http a.example 80", "10.0.0.1:81", "", "stays"),
    (
        "http2 a.example",
        "10.0.0.1:80",
        "http2 a.example",
        "leaves 10",
    ),
    (
        "grpc a.example",
        "10.0.0.1:80",
        "http2 a.example:80",
        "leaves 10",
    ),
    ("http 10.0.0.0/8", "10.0.0.1:80", "http", "leaves 10"),
    (
        "http 10.0.0.1;http b.example",
        "10.0.0.2:80",
        "http b.example",
        "leaves 11",
    ),
];

#[test]
fn matched_connections_leave() {
    for (entries, to, told, expected) in CASES {
        let policy = policy(entries);
        let found = match depart(Some(&policy), to.parse().unwrap(), seen(told)) {
            Departure::Leaves(origin) => format!("leaves {}", origin.unwrap().line),
            Departure::Stays(origin) => {
                assert_eq!(origin.unwrap().line, 1);
                "stays".to_owned()
            }
            Departure::Depends => "depends".to_owned(),
        };
        assert_eq!(found, expected, "{entries} | {to} | {told}");
    }
}

#[test]
fn a_mode_for_all_asks_nothing() {
    let to = "10.0.0.1:80".parse().unwrap();
    assert_eq!(depart(None, to, None), Departure::Leaves(None));
    let mut policy = policy("tls a.example");
    policy.mode.value = PassthroughMode::All;
    let set_by = Some(origin(1));
    let found = depart(Some(&policy), to, None);
    assert_eq!(found, Departure::Leaves(set_by.as_ref()));
    policy.mode.value = PassthroughMode::None;
    let found = depart(Some(&policy), to, None);
    assert_eq!(found, Departure::Stays(set_by.as_ref()));
}
