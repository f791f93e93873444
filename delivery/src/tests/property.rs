//! Whatever happens on the way, a proxy ends with the newest world and never holds another than one that was wanted.
//!
//! Never trusts a value that did not pass through the wire format: every message is encoded and decoded on its way.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_bundle::{Digest, Kri};
use proptest::prelude::*;
use prost::Message as _;

use super::world::{received, wanted};
use crate::bounds;
use crate::generated as wire;
use crate::message::{ClusterEndpoints, FromProxy, Received, ToProxy};
use crate::publisher::{Publisher, Wanted};
use crate::subscriber::{Event, Step, Subscriber};

const KEYS: [&str; 6] = [
    "proxy",
    "trust",
    "inbound/a",
    "inbound/b",
    "outbound/a",
    "outbound/b",
];
const CLUSTERS: [&str; 3] = ["api", "db", "web"];
const INSTANCES: [&str; 4] = ["", "a", "a b", "b tls"];

#[derive(Debug, Clone)]
enum Happening {
    Want(Arc<Wanted>),
    /// That many messages reach the proxy.
    Deliver(usize),
    /// The proxy answers what it was offered.
    Answer {
        accepts: bool,
    },
    /// A message is lost: it must not become a wrong configuration.
    Lose,
    Reconnect {
        meshd_restarted: bool,
    },
    /// The proxy acknowledges, and the stream breaks before meshd knows.
    LoseAck,
}

fn world() -> impl Strategy<Value = Arc<Wanted>> {
    let resources = prop::collection::btree_map(0..KEYS.len(), 0..4_usize, 0..KEYS.len());
    let clusters = prop::collection::btree_map(0..CLUSTERS.len(), 0..INSTANCES.len(), 0..3);
    (resources, clusters).prop_map(|(resources, clusters)| {
        // Some contents need frames of their own.
        let contents: Vec<String> = [1, 100, 9_000, 20_000]
            .iter()
            .map(|length| "x".repeat(*length))
            .collect();
        let resources: Vec<(&str, &str)> = resources
            .iter()
            .map(|(key, content)| (KEYS[*key], contents[*content].as_str()))
            .collect();
        let clusters: Vec<(&str, &str)> = clusters
            .iter()
            .map(|(name, instances)| (CLUSTERS[*name], INSTANCES[*instances]))
            .collect();
        wanted("c1", &resources, &clusters)
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => world().prop_map(Happening::Want),
        6 => (1..6_usize).prop_map(Happening::Deliver),
        4 => prop::bool::weighted(0.8).prop_map(|accepts| Happening::Answer { accepts }),
        1 => Just(Happening::Lose),
        1 => Just(Happening::LoseAck),
        1 => any::<bool>().prop_map(|meshd_restarted| Happening::Reconnect { meshd_restarted }),
    ]
}

/// A stream between the two halves, and what the proxy has.
struct Mesh {
    publisher: Publisher,
    subscriber: Subscriber,
    wanted: Option<Arc<Wanted>>,
    /// Every world that was ever wanted.
    worlds: BTreeMap<Digest, Arc<Wanted>>,
    held: Option<Received>,
    offered: Option<Received>,
    endpoints: BTreeMap<Kri, ClusterEndpoints>,
    updates: usize,
    lossy: bool,
}

impl Mesh {
    fn new() -> Self {
        Self {
            publisher: Publisher::new(None, None),
            subscriber: Subscriber::new(None),
            wanted: None,
            worlds: BTreeMap::new(),
            held: None,
            offered: None,
            endpoints: BTreeMap::new(),
            updates: 0,
            lossy: false,
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Want(world) => self.want(world),
            Happening::Deliver(count) => {
                for _ in 0..count {
                    self.deliver();
                }
            }
            Happening::Answer { accepts } => self.answer(accepts),
            Happening::Lose => self.lossy |= self.publisher.next_message().is_some(),
            Happening::LoseAck => {
                self.held = self.offered.take().or(self.held.take());
                self.reconnect(false);
            }
            Happening::Reconnect { meshd_restarted } => self.reconnect(meshd_restarted),
        }
    }

    fn want(&mut self, world: Arc<Wanted>) {
        self.worlds.insert(world.root(), world.clone());
        self.publisher.want(world.clone());
        self.wanted = Some(world);
    }

    fn deliver(&mut self) -> bool {
        let Some(message) = self.publisher.next_message() else {
            return false;
        };
        self.updates += usize::from(matches!(message, ToProxy::Update(_)));
        match self.subscriber.receive(over_the_wire(&message)) {
            Ok(Step::Wait) => {}
            Ok(Step::Tell(event)) => self.take(event),
            Ok(Step::Refuse(FromProxy::Nack { root, .. })) => {
                assert!(self.lossy, "nothing was lost, and yet it does not add up");
                self.publisher.nacked(root).unwrap();
            }
            Ok(Step::Refuse(other)) => panic!("{other:?}"),
            Err(violation) => {
                assert!(self.lossy, "{violation}");
                self.reconnect(false);
            }
        }
        true
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Configuration(got) => {
                let world = &self.worlds[&got.root];
                assert_eq!(got, received(world), "exactly one world that was wanted");
                self.offered = Some(got);
            }
            Event::Endpoints { service, endpoints } => {
                self.endpoints.insert(service, endpoints);
            }
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, accepts: bool) {
        let Some(offered) = self.offered.take() else {
            return;
        };
        let root = offered.root;
        if accepts {
            self.subscriber.send(&FromProxy::Ack { root }).unwrap();
            self.publisher.acked(root).unwrap();
            self.held = Some(offered);
        } else {
            let (pointer, reason) = (String::new(), String::new());
            let nack = FromProxy::Nack {
                root,
                key: None,
                pointer,
                reason,
            };
            self.subscriber.send(&nack).unwrap();
            self.publisher.nacked(root).unwrap();
        }
    }

    fn reconnect(&mut self, meshd_restarted: bool) {
        let known = self.publisher.acknowledged().filter(|_| !meshd_restarted);
        self.subscriber = Subscriber::new(self.held.clone());
        let hello = self.subscriber.hello("v");
        self.publisher = Publisher::new(hello.root, known);
        if let Some(wanted) = self.wanted.clone() {
            self.publisher.want(wanted);
        }
        self.offered = None;
        self.endpoints.clear();
        self.lossy = false;
    }

    /// Until nobody has anything to say.
    fn settle(&mut self) {
        while self.deliver() || self.offered.is_some() {
            self.answer(true);
        }
    }

    fn assert_holds(&self, world: &Wanted) {
        assert_eq!(self.held.as_ref(), Some(&received(world)));
        assert!(self.publisher.is_settled());
        let known = self.endpoints.iter();
        let known: BTreeMap<_, _> = known
            .filter(|(service, set)| {
                **set != ClusterEndpoints::default() || world.endpoints().contains_key(*service)
            })
            .collect();
        let wanted: BTreeMap<_, _> = world
            .endpoints()
            .iter()
            .map(|(service, set)| (service, set.as_ref()))
            .collect();
        assert_eq!(known, wanted);
    }
}

fn over_the_wire(message: &ToProxy) -> ToProxy {
    if let ToProxy::Update(update) = message {
        let length: usize = update
            .upserts
            .iter()
            .map(|(key, bytes)| key.len() + bytes.len())
            .sum();
        assert!(length <= bounds::FRAME || update.upserts.len() == 1);
    }
    let bytes = wire::ToProxy::from(message.clone()).encode_to_vec();
    let decoded = wire::ToProxy::decode(bytes.as_slice()).unwrap();
    let decoded = ToProxy::try_from(decoded).unwrap();
    assert_eq!(&decoded, message);
    decoded
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_proxy_ends_with_the_newest_world(
        happenings in prop::collection::vec(happening(), 0..60),
        last in world(),
    ) {
        let mut mesh = Mesh::new();
        for happening in happenings {
            mesh.happens(happening);
        }
        // A loss is found at the latest when the stream is replaced; a refusal holds until something else is wanted.
        if mesh.lossy {
            mesh.reconnect(false);
        }
        mesh.settle();
        mesh.want(wanted("c0", &[("proxy", "other")], &[]));
        mesh.want(last.clone());
        mesh.settle();
        mesh.assert_holds(&last);

        for meshd_restarted in [false, true] {
            mesh.updates = 0;
            mesh.reconnect(meshd_restarted);
            mesh.settle();
            mesh.assert_holds(&last);
            prop_assert_eq!(mesh.updates, 0, "a reconnect costs no configuration");
        }
    }
}
