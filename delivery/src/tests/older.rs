//! Proxies and meshds of the first version, whose protocol knew no capabilities: newer ones get on with both.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;

use super::meshd::{Meshd, configuration, soon};
use super::told::all;
use super::world::wanted;
use crate::authority::Report;
use crate::client::{ClientError, Unsent};
use crate::generated as wire;
use crate::message::{Denied, FromProxy, TRAFFIC, ToProxy};
use crate::publisher::{Publisher, Unmeasured, Wanted};
use crate::subscriber::{Event, Misplaced, Step, Subscriber};
use crate::traffic::{Both, Traffic};

const EVERY: Duration = Duration::from_millis(20);

/// As the first version had it.
#[derive(Clone, PartialEq, prost::Message)]
struct OldHello {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(bytes = "vec", tag = "2")]
    root: Vec<u8>,
    #[prost(string, tag = "3")]
    revision: String,
}

fn measured(world: &Arc<Wanted>, every: Duration) -> Arc<Wanted> {
    Arc::new(Wanted::clone(world).measured_every(every))
}

fn capable() -> BTreeSet<String> {
    BTreeSet::from([TRAFFIC.to_owned(), "of some later day".to_owned()])
}

fn traffic(world: &Wanted) -> FromProxy {
    let mut both = Both::default();
    both.inbound.failures = 3;
    FromProxy::Traffic(Box::new(Traffic {
        root: world.root(),
        both,
    }))
}

#[test]
fn an_older_meshd_skips_what_a_hello_has_new() {
    let hello = FromProxy::Hello(Subscriber::new(None).hello("9.9.9"));
    let wire::FromProxy { message } = hello.into();
    let Some(wire::from_proxy::Message::Hello(hello)) = message else {
        panic!("another message")
    };
    assert_eq!(hello.capabilities, [TRAFFIC]);
    let read = OldHello::decode(hello.encode_to_vec().as_slice()).unwrap();
    assert_eq!((read.version.as_str(), read.root), ("9.9.9", Vec::new()));
}

#[test]
fn an_older_meshd_is_never_told_what_it_does_not_know() {
    let world = wanted("c1", &[("proxy", "p")], &[]);
    let mut subscriber = Subscriber::new(None);
    let refused = subscriber.send(&traffic(&world));
    assert_eq!(refused, Err(Misplaced::Unasked));
    let asked = subscriber.receive(ToProxy::Measure { every: EVERY });
    assert_eq!(asked, Ok(Step::Tell(Event::Measure { every: EVERY })));
    assert_eq!(subscriber.send(&traffic(&world)), Ok(()));
}

#[test]
fn an_older_proxy_hears_nothing_new() {
    let old = OldHello {
        version: "0.1.0".to_owned(),
        ..OldHello::default()
    };
    let hello = wire::Hello::decode(old.encode_to_vec().as_slice()).unwrap();
    assert_eq!(hello.capabilities, [""; 0]);
    let world = measured(&wanted("c1", &[("proxy", "p")], &[]), EVERY);
    let mut publisher = Publisher::new(None, None).with(&BTreeSet::new());
    publisher.want(world.clone());
    assert_eq!(all(&mut publisher), ["update c1 complete +proxy last"]);
    publisher.acked(world.root()).unwrap();
    assert!(publisher.is_settled());
    assert_eq!(publisher.measured(), Err(Unmeasured));
}

#[test]
fn a_proxy_that_can_is_told_once_how_often_it_is_to_be_measured() {
    let world = wanted("c1", &[("proxy", "p")], &[]);
    let mut publisher = Publisher::new(Some(world.root()), None).with(&capable());
    publisher.want(world.clone());
    assert_eq!(all(&mut publisher), [""; 0]);
    assert_eq!(publisher.measured(), Err(Unmeasured));
    publisher.want(measured(&world, EVERY));
    assert_eq!(all(&mut publisher), ["measure 20ms"]);
    publisher.want(measured(&world, EVERY));
    assert_eq!(all(&mut publisher), [""; 0]);
    publisher.want(world);
    assert_eq!(all(&mut publisher), ["measure 0ns"]);
    assert_eq!(publisher.measured(), Ok(()), "it may be on its way");
}

#[tokio::test]
async fn traffic_is_told_where_it_was_asked_for() {
    let mut meshd = Meshd::start().await;
    let world = wanted("c1", &[("proxy", "p")], &[]);
    meshd.want(measured(&world, EVERY));
    let mut session = meshd.session(None).await;
    let (got, before) = configuration(&mut session).await;
    assert_eq!(before, [Event::Measure { every: EVERY }]);
    let root = got.root;
    let sender = session.sender();
    sender.send(FromProxy::Ack { root }).await.unwrap();
    sender.send(traffic(&world)).await.unwrap();
    assert!(matches!(meshd.report().await, Report::Acked { .. }));
    let Report::Traffic { traffic, .. } = meshd.report().await else {
        panic!("no traffic")
    };
    assert_eq!((traffic.root, traffic.both.inbound.failures), (root, 3));
}

#[tokio::test]
async fn a_proxy_that_tells_what_nobody_asked_for_is_sent_away() {
    let mut meshd = Meshd::start().await;
    let world = wanted("c1", &[("proxy", "p")], &[]);
    meshd.want(world.clone());
    let mut session = meshd.session(None).await;
    configuration(&mut session).await;
    let sender = session.sender();
    let refused = sender.send(traffic(&world)).await;
    assert_eq!(refused, Err(Unsent::Misplaced(Misplaced::Unasked)));
    // One that is not ours does it all the same.
    let asked = ToProxy::Measure { every: EVERY };
    sender.subscriber().receive(asked).unwrap();
    sender.send(traffic(&world)).await.unwrap();
    let Err(ClientError::Refused(Denied::Invalid(why))) = soon(session.next()).await else {
        panic!("not sent away")
    };
    assert!(why.contains("nobody has asked"), "{why}");
}
