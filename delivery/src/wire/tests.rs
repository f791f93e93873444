use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;

use super::words;
use crate::bounds;
use crate::generated as wire;
use crate::message::{Enrolled, Enrollment, FromProxy, Hello, ToProxy};
use crate::tests::world::instance;
use crate::traffic::{Both, CLASSES, Flow, Traffic};

fn from_proxy(message: wire::from_proxy::Message) -> Result<FromProxy, String> {
    let message = wire::FromProxy {
        message: Some(message),
    };
    FromProxy::try_from(message).map_err(|error| error.to_string())
}

fn to_proxy(message: wire::to_proxy::Message) -> Result<ToProxy, String> {
    let message = wire::ToProxy {
        message: Some(message),
    };
    ToProxy::try_from(message).map_err(|error| error.to_string())
}

fn enrollment(change: impl FnOnce(&mut wire::EnrollRequest)) -> Result<Enrollment, String> {
    let mut request = wire::EnrollRequest {
        token: "t".to_owned(),
        csr: Bytes::from_static(b"csr"),
        ..Default::default()
    };
    change(&mut request);
    Enrollment::try_from(request).map_err(|error| error.to_string())
}

#[test]
fn enrolments_are_checked() {
    assert!(enrollment(|_| {}).is_ok());
    let refused = |change: fn(&mut wire::EnrollRequest)| enrollment(change).unwrap_err();
    assert_eq!(refused(|r| r.token.clear()), "`token` is missing");
    assert_eq!(
        refused(|r| r.token = "t".repeat(4097)),
        "`token` has 4097, at most 4096 are taken"
    );
    assert_eq!(refused(|r| r.csr.clear()), "`csr` is missing");
    assert_eq!(
        refused(|r| r.csr = vec![0; 8193].into()),
        "`csr` has 8193, at most 8192 are taken"
    );
    assert_eq!(
        refused(|r| r.dataplane = "web\u{1b}[1m".to_owned()),
        "`dataplane` holds a control character"
    );
    assert_eq!(
        refused(|r| r.dataplane_document = vec![b'x'; 65_537].into()),
        "`dataplane_document` has 65537, at most 65536 are taken"
    );
}

#[test]
fn a_token_never_shows() {
    let mut enrollment = enrollment(|_| {}).unwrap();
    enrollment.token = "mesh1.secret".to_owned();
    assert!(!format!("{enrollment:?}").contains("secret"));
}

#[test]
fn messages_of_proxies_are_checked() {
    use wire::from_proxy::Message;
    let root = Bytes::from_static(&[7; 32]);
    let refused = |message| from_proxy(message).unwrap_err();
    let hello = |version: &str, root: &[u8]| {
        Message::Hello(wire::Hello {
            version: version.to_owned(),
            root: Bytes::copy_from_slice(root),
            ..Default::default()
        })
    };
    assert!(from_proxy(hello("0.1.0", &[])).is_ok());
    assert!(from_proxy(hello("0.1.0", &root)).is_ok());
    assert_eq!(
        refused(hello("v", &[7; 31])),
        "`root` is not a SHA-256 digest"
    );
    assert_eq!(
        refused(hello("a\nb", &root)),
        "`version` holds a control character"
    );
    let ack = Message::Ack(wire::Ack::default());
    assert_eq!(refused(ack), "`root` is not a SHA-256 digest");
    let nack = |key: &str, reason: usize| {
        Message::Nack(wire::Nack {
            root: root.clone(),
            key: key.to_owned(),
            pointer: String::new(),
            reason: "r".repeat(reason),
        })
    };
    assert!(from_proxy(nack("", 4096)).is_ok());
    assert!(from_proxy(nack("inbound/x", 0)).is_ok());
    assert_eq!(refused(nack("gadget/x", 0)), "`key` is not a resource key");
    assert_eq!(
        refused(nack("", 4097)),
        "`reason` has 4097, at most 4096 are taken"
    );
    let request = Message::CertificateRequest(wire::CertificateRequest {
        issuer: "nonsense".to_owned(),
        csr: Bytes::from_static(b"c"),
    });
    assert_eq!(refused(request), "`issuer` is not a KRI");
    let nothing = wire::FromProxy { message: None };
    let error = FromProxy::try_from(nothing).unwrap_err();
    assert_eq!(error.to_string(), "`message` is missing");
}

#[test]
fn endpoints_are_checked() {
    let refused = |change: fn(&mut wire::Endpoint)| {
        let mut endpoint = wire::Endpoint {
            id: instance("a").to_string(),
            address: "10.0.0.1".to_owned(),
            port: 80,
            zone: "east".to_owned(),
            labels: [("disk".to_owned(), "ssd".to_owned())].into(),
        };
        change(&mut endpoint);
        let set = wire::Endpoints {
            service: instance("api").to_string(),
            upserts: vec![endpoint],
            ..Default::default()
        };
        to_proxy(wire::to_proxy::Message::Endpoints(set))
    };
    assert!(refused(|_| {}).is_ok());
    for address in ["::1", "db.internal", "a_b-c.", "127.0.0.1"] {
        let endpoint = wire::Endpoint {
            address: address.to_owned(),
            port: 1,
            id: instance("a").to_string(),
            ..Default::default()
        };
        assert!(
            crate::message::Endpoint::try_from(endpoint).is_ok(),
            "{address}"
        );
    }
    let wrong = |change| refused(change).unwrap_err();
    assert_eq!(wrong(|e| e.port = 0), "`port` is not a port");
    assert_eq!(wrong(|e| e.port = 65_536), "`port` is not a port");
    assert_eq!(wrong(|e| e.address.clear()), "`address` is not an address");
    assert_eq!(
        wrong(|e| e.address = "a b".to_owned()),
        "`address` is not an address"
    );
    assert_eq!(
        wrong(|e| e.address = "[::1]:80".to_owned()),
        "`address` is not an address"
    );
    assert_eq!(
        wrong(|e| e.id = "kri_".repeat(300)),
        "`id` has 1200, at most 1024 are taken"
    );
    assert_eq!(wrong(|e| e.id.push('\u{202e}')), "`id` is not a KRI");
    assert_eq!(
        wrong(|e| e
            .labels
            .extend((0..64).map(|n| (n.to_string(), String::new())))),
        "`labels` has 65, at most 64 are taken"
    );
    assert_eq!(
        wrong(|e| e.labels.extend([("a".repeat(513), String::new())])),
        "`labels` has 513, at most 512 are taken"
    );
    assert_eq!(
        wrong(|e| e.zone.push('\0')),
        "`zone` holds a control character"
    );
}

#[test]
fn certificates_are_checked() {
    let refused = |chain: Vec<Bytes>| {
        let response = wire::EnrollResponse {
            anchors: chain.clone(),
            chain,
            ..Default::default()
        };
        Enrolled::try_from(response).map_err(|error| error.to_string())
    };
    assert!(refused(vec![Bytes::from_static(b"c"); 8]).is_ok());
    let wrong = |chain| refused(chain).unwrap_err();
    assert_eq!(wrong(Vec::new()), "`chain` is missing");
    assert_eq!(wrong(vec![Bytes::new()]), "`chain` is missing");
    let many = vec![Bytes::from_static(b"c"); 9];
    assert_eq!(wrong(many), "`chain` has 9, at most 8 are taken");
    let large = vec![vec![0; 16_385].into()];
    assert_eq!(wrong(large), "`chain` has 16385, at most 16384 are taken");
}

#[test]
fn what_we_send_is_always_taken() {
    let hello = FromProxy::Hello(Hello {
        version: "v\n".repeat(1000),
        root: None,
        revision: "é".repeat(1000),
        capabilities: BTreeSet::new(),
    });
    let FromProxy::Hello(taken) = FromProxy::try_from(wire::FromProxy::from(hello)).unwrap() else {
        panic!("another message")
    };
    assert_eq!(taken.version.len(), bounds::VERSION);
    assert_eq!(taken.revision, "é".repeat(128));
    assert_eq!(words("a\r\nb\u{7f}", 10), "a  b ");
    assert_eq!(words("aé", 2), "a");
}

fn both(counts: [u32; 3 + CLASSES]) -> Both {
    let [connections, failures, denials, latency @ ..] = counts;
    let inbound = Flow {
        connections,
        failures,
        denials,
        latency,
    };
    let outbound = Flow {
        connections: failures,
        ..Flow::default()
    };
    Both { inbound, outbound }
}

#[test]
fn traffic_is_of_numbers_that_can_be() {
    let traffic = |change: fn(&mut wire::Flow)| {
        let mut flow = wire::Flow::default();
        change(&mut flow);
        from_proxy(wire::from_proxy::Message::Traffic(wire::Traffic {
            root: Bytes::from_static(&[7; 32]),
            inbound: None,
            outbound: Some(flow),
        }))
    };
    assert!(traffic(|_| {}).is_ok());
    assert!(traffic(|flow| flow.failures = bounds::COUNT).is_ok());
    let refused = |change| traffic(change).unwrap_err();
    let connections = refused(|flow| flow.connections = bounds::COUNT + 1);
    assert_eq!(connections, "`connections` is not a number of requests");
    let denials = refused(|flow| flow.denials = u64::MAX);
    assert_eq!(denials, "`denials` is not a number of requests");
    let latency = refused(|flow| flow.latency = vec![1 << 32]);
    assert_eq!(latency, "`latency` is not a number of requests");
    let latency = refused(|flow| flow.latency = vec![0; 33]);
    assert_eq!(latency, "`latency` has 33, at most 32 are taken");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = wire::FromProxy::decode(bytes.as_slice()) {
            let _ = FromProxy::try_from(message);
        }
        if let Ok(message) = wire::ToProxy::decode(bytes.as_slice()) {
            let _ = ToProxy::try_from(message);
        }
        if let Ok(message) = wire::EnrollRequest::decode(bytes.as_slice()) {
            let _ = Enrollment::try_from(message);
        }
    }

    #[test]
    fn messages_of_proxies_survive_the_wire(
        text in "[ -~]{0,60}", root in any::<[u8; 32]>(), csr in prop::collection::vec(any::<u8>(), 1..50),
        ready in any::<bool>(), which in 0..6, counts in prop::array::uniform(0_u32..1_000_000),
    ) {
        let root = mesh_bundle::Digest::from_bytes(root);
        let message = match which {
            0 => FromProxy::Hello(Hello {
                version: text.clone(), root: ready.then_some(root), revision: "c1".to_owned(), capabilities: [text].into(),
            }),
            1 => FromProxy::Ack { root },
            2 => FromProxy::Nack {
                root, key: ready.then_some(mesh_bundle::Key::Trust), pointer: "/a/0".to_owned(), reason: text,
            },
            3 => FromProxy::CertificateRequest { issuer: ready.then(|| instance("x")), csr },
            4 => FromProxy::Traffic(Box::new(Traffic { root, both: both(counts) })),
            _ => FromProxy::Status { ready, draining: !ready, unhealthy: BTreeSet::from([text]) },
        };
        let bytes = wire::FromProxy::from(message.clone()).encode_to_vec();
        let decoded = wire::FromProxy::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(FromProxy::try_from(decoded).unwrap(), message);
    }
}
