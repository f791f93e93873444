//! Peers that are not who they should be, or do not do what they should.
//!
//! Never ends a test without showing that others are still served.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::meshd::{Ca, Meshd, NAME, configuration, soon, trusting};
use super::relay::Relay;
use super::world::{received, wanted};
use crate::authority::Report;
use crate::bounds;
use crate::client::{ClientError, Link, Patience, Session, Unsent};
use crate::message::{Denied, Enrollment, FromProxy};
use crate::server::Pace;
use crate::subscriber::Misplaced;

/// Somebody else is served as if nothing had happened.
async fn still_serves(meshd: &mut Meshd) {
    let world = wanted("c9", &[("proxy", "still")], &[]);
    meshd.want(world.clone());
    let mut session = meshd.session(None).await;
    assert_eq!(configuration(&mut session).await.0, received(&world));
}

#[tokio::test]
async fn a_session_without_a_certificate_is_refused() {
    let mut meshd = Meshd::start().await;
    let error = meshd.open(None, None).await.unwrap_err();
    let refused = matches!(error, ClientError::Refused(Denied::Unauthenticated(_)));
    assert!(refused, "{error}");
    still_serves(&mut meshd).await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused_by_tls() {
    let mut meshd = Meshd::start().await;
    let stranger = Ca::new().proxy("web-1");
    let error = meshd.open(Some(stranger), None).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
    still_serves(&mut meshd).await;
}

#[tokio::test]
async fn a_certificate_that_the_authority_does_not_know_is_refused() {
    let meshd = Meshd::start().await;
    let unknown = meshd.ca.proxy("web-1");
    let error = meshd.open(Some(unknown), None).await.unwrap_err();
    let refused = matches!(error, ClientError::Refused(Denied::Unauthenticated(_)));
    assert!(refused, "{error}");
}

#[tokio::test]
async fn a_dataplane_that_is_not_published_has_no_session() {
    let meshd = Meshd::start().await;
    let identity = meshd.certificate("gone-1");
    let error = meshd.open(Some(identity), None).await.unwrap_err();
    let refused = matches!(error, ClientError::Refused(Denied::Unavailable(_)));
    assert!(refused, "{error}");
}

#[tokio::test]
async fn a_revoked_proxy_loses_its_live_session() {
    let pace = Pace {
        stranger: Duration::from_millis(500),
        look: Duration::from_millis(20),
        ..Pace::default()
    };
    let mut meshd = Meshd::start_at(pace).await;
    let mut session = meshd.session(None).await;
    meshd.revoke("web-1");
    let error = soon(session.next()).await.unwrap_err();
    let revoked = Denied::Forbidden("revoked".to_owned());
    assert_eq!(error, ClientError::Refused(revoked));
}

#[tokio::test]
async fn a_server_of_another_ca_is_not_trusted() {
    let meshd = Meshd::start().await;
    let tls = trusting(&Ca::new(), None);
    let opened = soon(Session::open(&meshd.address, tls, NAME, "0", None)).await;
    let error = opened.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_server_of_another_name_is_not_trusted() {
    let meshd = Meshd::start().await;
    let tls = meshd.client(None);
    let opened = soon(Session::open(
        &meshd.address,
        tls,
        "other.control",
        "0",
        None,
    ))
    .await;
    let error = opened.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let ca = Ca::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let opened = Session::open(&address, trusting(&ca, None), NAME, "0", None);
    let error = soon(opened).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn garbage_on_the_port_costs_nothing() {
    let mut meshd = Meshd::start().await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0xff; 4096],
        &[0x16, 3, 1, 0xff, 0xff, 0],
    ] {
        let mut stream = TcpStream::connect(&meshd.address).await.unwrap();
        // It may be closed before all of it is written.
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let _ = soon(stream.read_to_end(&mut Vec::new())).await;
    }
    still_serves(&mut meshd).await;
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_cut() {
    let pace = Pace {
        handshake: Duration::from_millis(50),
        stranger: Duration::from_millis(50),
        farewell: Duration::from_millis(50),
        ..Pace::default()
    };
    let meshd = Meshd::start_at(pace).await;
    let mut silent = TcpStream::connect(&meshd.address).await.unwrap();
    assert_eq!(soon(silent.read_to_end(&mut Vec::new())).await.unwrap(), 0);

    // The same after TLS.
    let tls = tokio_rustls::TlsConnector::from(meshd.client(None));
    let stream = TcpStream::connect(&meshd.address).await.unwrap();
    let name = NAME.try_into().unwrap();
    let mut stream = soon(tls.connect(name, stream)).await.unwrap();
    let _ = soon(stream.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn an_oversized_enrolment_is_refused_before_it_is_read() {
    let mut meshd = Meshd::start().await;
    let request = |length: usize| Enrollment {
        token: "sesame".to_owned(),
        csr: b"csr".to_vec(),
        dataplane: None,
        dataplane_document: Some(vec![b'x'; length]),
    };
    for length in [bounds::DOCUMENT + 1, bounds::FROM_PROXY + 1, 8 << 20] {
        let tls = meshd.client(None);
        let enrolled = crate::client::enroll(&meshd.address, tls, NAME, request(length));
        let error = soon(enrolled).await.unwrap_err();
        let refused = matches!(error, ClientError::Refused(Denied::Invalid(_)));
        assert!(refused, "{length}: {error}");
    }
    still_serves(&mut meshd).await;
}

#[tokio::test]
async fn a_flood_of_messages_ends_the_session() {
    let mut meshd = Meshd::start().await;
    let mut session = meshd.session(None).await;
    let sender = session.sender();
    let flood = tokio::spawn(async move {
        let status = FromProxy::Status {
            ready: true,
            draining: false,
            unhealthy: BTreeSet::new(),
        };
        while sender.send(status.clone()).await.is_ok() {}
    });
    let error = soon(session.next()).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Ended(why) if why.contains("messages")),
        "{error}"
    );
    drop(session);
    soon(flood).await.unwrap();
    still_serves(&mut meshd).await;
}

#[tokio::test]
async fn what_was_not_offered_cannot_be_answered() {
    let mut meshd = Meshd::start().await;
    let session = meshd.session(None).await;
    let root = wanted("c1", &[("proxy", "p")], &[]).root();
    let answer = FromProxy::Ack { root };
    let misplaced = Misplaced::NotOffered { root };
    let unsent = session.sender().send(answer).await.unwrap_err();
    assert_eq!(unsent, Unsent::Misplaced(misplaced));
}

#[tokio::test]
async fn a_proxy_that_takes_nothing_is_cut() {
    let pace = Pace {
        stranger: Duration::from_millis(20),
        look: Duration::from_millis(20),
        take: Duration::from_millis(100),
        farewell: Duration::from_millis(20),
        ..Pace::default()
    };
    let mut meshd = Meshd::start_at(pace).await;
    let filler = "x".repeat(60_000);
    let keys: Vec<String> = (0..40).map(|n| format!("inbound/{n}")).collect();
    let contents: Vec<String> = keys.iter().map(|key| format!("{key}{filler}")).collect();
    let resources: Vec<(&str, &str)> = keys
        .iter()
        .zip(&contents)
        .map(|(key, content)| (key.as_str(), content.as_str()))
        .collect();
    meshd.want(wanted("c1", &resources, &[]));
    let _never_read = meshd.session(None).await;
    assert!(matches!(meshd.report().await, Report::Disconnected { .. }));
}

#[tokio::test]
async fn a_change_that_is_never_answered_ends_the_session() {
    let pace = Pace {
        answer: Duration::from_millis(50),
        ..Pace::default()
    };
    let mut meshd = Meshd::start_at(pace).await;
    meshd.want(wanted("c1", &[("proxy", "p")], &[]));
    let mut session = meshd.session(None).await;
    configuration(&mut session).await;
    let error = soon(session.next()).await.unwrap_err();
    let ended = ClientError::Ended("a change was not answered".to_owned());
    assert_eq!(error, ended);
}

#[tokio::test]
async fn a_connection_that_is_dead_is_noticed_by_both_ends() {
    let (ping, pong) = (Duration::from_millis(50), Duration::from_millis(200));
    let pace = Pace {
        ping: (ping, pong),
        ..Pace::default()
    };
    let mut meshd = Meshd::start_at(pace).await;
    let relay = Relay::to(&meshd.address).await;
    let tls = meshd.client(Some(meshd.certificate("web-1")));
    let patience = Patience {
        ping,
        pong,
        ..Patience::default()
    };
    let link = soon(Link::open(&relay.address, &tls, NAME, &patience))
        .await
        .unwrap();
    let mut session = soon(Session::begin(link, &patience, "0", None))
        .await
        .unwrap();
    assert!(matches!(meshd.report().await, Report::Connected { .. }));
    relay.freeze.send_replace(true);
    let error = soon(session.next()).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Ended(why) if why.contains("timed out")),
        "{error}"
    );
    assert!(matches!(meshd.report().await, Report::Disconnected { .. }));
}
