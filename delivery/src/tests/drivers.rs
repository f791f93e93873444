//! Both drivers over real sockets: what they promise when everybody behaves.
//!
//! Never looks at frames: those are told as lists of messages elsewhere.

use std::collections::BTreeSet;

use mesh_bundle::Key;

use super::meshd::{Meshd, configuration, soon};
use super::world::{endpoints, received, service, wanted};
use crate::authority::Report;
use crate::client::{ClientError, Unsent};
use crate::message::{Denied, FromProxy};
use crate::subscriber::Event;

fn endpoints_event(name: &str, names: &str) -> Event {
    Event::Endpoints {
        service: service(name),
        endpoints: endpoints(names).as_ref().clone(),
    }
}

#[tokio::test]
async fn a_token_is_traded_for_a_certificate() {
    let meshd = Meshd::start().await;
    let enrolled = meshd.enroll("sesame", b"csr").await.unwrap();
    assert_eq!(enrolled.chain[0].as_ref(), b"csr");
    assert_eq!(enrolled.renew_at, 1);

    let error = meshd.enroll("guess", b"csr").await.unwrap_err();
    let reason = "the token is unknown".to_owned();
    assert_eq!(error, ClientError::Refused(Denied::Unauthenticated(reason)));
}

#[tokio::test]
async fn endpoints_come_first_and_an_acknowledgement_is_reported() {
    let mut meshd = Meshd::start().await;
    let world = wanted("c1", &[("proxy", "p"), ("trust", "t")], &[("api", "a b")]);
    meshd.want(world.clone());
    let mut session = meshd.session(None).await;

    let (got, before) = configuration(&mut session).await;
    assert_eq!(got, received(&world));
    assert_eq!(before, [endpoints_event("api", "a b")]);

    let root = world.root();
    session
        .sender()
        .send(FromProxy::Ack { root })
        .await
        .unwrap();
    let Report::Acked {
        root: acked,
        revision,
        ..
    } = meshd.report().await
    else {
        panic!("not acknowledged")
    };
    assert_eq!((acked, revision.as_str()), (root, "c1"));

    meshd.want(
        world
            .with_endpoints(super::world::sets(&[("api", "b tls")]))
            .into(),
    );
    let event = soon(session.next()).await.unwrap();
    assert_eq!(event, endpoints_event("api", "b tls"));
}

#[tokio::test]
async fn a_refusal_is_reported_and_something_else_follows() {
    let mut meshd = Meshd::start().await;
    meshd.want(wanted("c1", &[("proxy", "bad")], &[]));
    let mut session = meshd.session(None).await;
    let (got, _) = configuration(&mut session).await;
    let refusal = FromProxy::Nack {
        root: got.root,
        key: Some(Key::Proxy),
        pointer: "/name".to_owned(),
        reason: "two\nlines".to_owned(),
    };
    session.sender().send(refusal).await.unwrap();
    let Report::Nacked {
        revision,
        key,
        pointer,
        reason,
        ..
    } = meshd.report().await
    else {
        panic!("not refused")
    };
    assert_eq!((revision.as_str(), key), ("c1", Some(Key::Proxy)));
    assert_eq!((pointer.as_str(), reason.as_str()), ("/name", "two lines"));

    let good = wanted("c2", &[("proxy", "good")], &[]);
    meshd.want(good.clone());
    let (got, _) = configuration(&mut session).await;
    assert_eq!(got, received(&good));
}

#[tokio::test]
async fn a_reconnect_with_the_wanted_root_gets_no_configuration() {
    let mut meshd = Meshd::start().await;
    let world = wanted("c1", &[("proxy", "p")], &[("api", "a")]);
    meshd.want(world.clone());
    let mut session = meshd.session(Some(received(&world))).await;
    let Report::Acked { root, .. } = meshd.report().await else {
        panic!("what it came with was not reported")
    };
    assert_eq!(root, world.root());
    let event = soon(session.next()).await.unwrap();
    assert_eq!(event, endpoints_event("api", "a"));
    // The next thing that is said is the next thing that changes.
    let next = wanted("c2", &[("proxy", "q")], &[("api", "a")]);
    meshd.want(next.clone());
    let event = soon(session.next()).await.unwrap();
    assert_eq!(event, Event::Configuration(received(&next)));
}

#[tokio::test]
async fn a_slow_proxy_gets_the_newest_world_and_not_every_one() {
    let mut meshd = Meshd::start().await;
    let filler = "x".repeat(40_000);
    let world = |n: usize| {
        let content = format!("{n}{filler}");
        wanted(
            &format!("c{n}"),
            &[("proxy", &content), ("trust", &filler)],
            &[],
        )
    };
    meshd.want(world(0));
    let mut session = meshd.session(None).await;
    let (first, _) = configuration(&mut session).await;
    for n in 1..=100 {
        meshd.want(world(n));
    }
    let newest = world(100);
    let mut taken = 1;
    let mut root = first.root;
    while root != newest.root() {
        session
            .sender()
            .send(FromProxy::Ack { root })
            .await
            .unwrap();
        let (got, _) = configuration(&mut session).await;
        root = got.root;
        taken += 1;
    }
    assert_eq!(taken, 2, "what is wanted meanwhile is coalesced");
}

#[tokio::test]
async fn certificates_are_issued_or_refused_on_the_session() {
    let mut meshd = Meshd::start().await;
    let mut session = meshd.session(None).await;
    let issuer = Some("kri_mid_default___identity_".parse().unwrap());
    let ask = |csr: &[u8]| FromProxy::CertificateRequest {
        issuer: issuer.clone(),
        csr: csr.to_vec(),
    };
    session.sender().send(ask(b"csr")).await.unwrap();
    let Event::Certificate(certificate) = soon(session.next()).await.unwrap() else {
        panic!("no certificate")
    };
    assert_eq!(certificate.issuer, issuer);
    assert_eq!(certificate.chain[0].as_ref(), b"csr");

    session.sender().send(ask(b"bad")).await.unwrap();
    let refused = soon(session.next()).await.unwrap();
    let reason = "not acceptable: that is no request".to_owned();
    assert_eq!(refused, Event::CertificateRefused { issuer, reason });
}

#[tokio::test]
async fn status_and_the_end_of_a_session_are_reported() {
    let mut meshd = Meshd::start().await;
    let session = meshd.session(None).await;
    let status = FromProxy::Status {
        ready: true,
        draining: false,
        unhealthy: BTreeSet::new(),
    };
    session.sender().send(status).await.unwrap();
    let report = meshd.report().await;
    assert!(matches!(
        report,
        Report::Status {
            ready: true,
            draining: false,
            ..
        }
    ));
    drop(session);
    assert!(matches!(meshd.report().await, Report::Disconnected { .. }));
}

#[tokio::test]
async fn a_newer_session_of_the_same_proxy_takes_over() {
    let mut meshd = Meshd::start().await;
    let mut older = meshd.session(None).await;
    let mut newer = meshd.session(None).await;
    let error = soon(older.next()).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Ended(why) if why.contains("newer")),
        "{error}"
    );
    let world = wanted("c1", &[("proxy", "p")], &[]);
    meshd.want(world.clone());
    assert_eq!(configuration(&mut newer).await.0, received(&world));
}

#[tokio::test]
async fn a_stop_ends_sessions_in_words_and_then_the_server() {
    let mut meshd = Meshd::start().await;
    let mut session = meshd.session(None).await;
    meshd.stop.send_replace(true);
    let error = soon(session.next()).await.unwrap_err();
    assert_eq!(error, ClientError::Ended("meshd is stopping".to_owned()));
    soon(&mut meshd.task).await.unwrap().unwrap();
    let ready = FromProxy::Status {
        ready: true,
        draining: false,
        unhealthy: BTreeSet::new(),
    };
    assert_eq!(session.sender().send(ready).await, Err(Unsent::Over));
    let error = meshd.open(None, None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn what_is_said_of_very_many_services_is_not_taken_for_a_flood() {
    let mut meshd = Meshd::start().await;
    let names: Vec<String> = (0..20_000).map(|number| format!("s{number}")).collect();
    let clusters: Vec<_> = names.iter().map(|name| (name.as_str(), "a")).collect();
    meshd.want(wanted("c1", &[("proxy", "p")], &clusters));
    let mut session = meshd.session(None).await;
    let (_, before) = configuration(&mut session).await;
    assert_eq!(before.len(), clusters.len());
}
