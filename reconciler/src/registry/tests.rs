mod agents;

use std::time::Duration;

use super::*;
use crate::publish::sample::{Options, api, dataplane, identity, publish};
use crate::state::StateDir;

const UNIX: u64 = 1_800_000_000;
const SECURE: Options = Options {
    identity: true,
    agent: false,
    sick: false,
    port: 0,
};

fn said(ready: bool, draining: bool) -> Said {
    Said {
        ready,
        draining,
        ..Said::default()
    }
}

/// A registry with a clock that tests turn.
struct Room {
    _directory: tempfile::TempDir,
    state: StateDir,
    registry: Registry,
    now: Now,
}

impl Room {
    fn new(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::open(directory.path()).unwrap();
        let now = Now {
            instant: Instant::now(),
            unix: UNIX,
        };
        let room = Self {
            _directory: directory,
            registry: Registry::new(Kept::read(&state), now),
            state,
            now,
        };
        room.publish(options, "one");
        room
    }

    fn publish(&self, options: Options, revision: &str) {
        let before = self.registry.published();
        let published = publish(options, &self.state, revision, before.as_deref());
        self.registry.publish("mesh", published);
        self.work();
    }

    /// What the worker does.
    fn work(&self) {
        if let Some(kept) = self.registry.settle(self.now) {
            kept.write(&self.state).unwrap();
        }
        self.registry.tell(self.now);
    }

    fn after(&mut self, time: Duration) {
        self.now.instant += time;
        self.work();
    }

    /// As after a kill: a new process with the same state directory.
    fn restart(&mut self, options: Options) {
        self.registry = Registry::new(Kept::read(&self.state), self.now);
        self.publish(options, "again");
    }

    fn ready(&self, name: &str, session: u64) {
        let kri = dataplane(name);
        self.registry.connected(&kri, session, None);
        self.registry.status(&kri, session, said(true, false));
        self.work();
    }

    fn feed(&self, name: &str) -> watch::Receiver<Option<Arc<Wanted>>> {
        self.registry.subscribe(&dataplane(name)).unwrap()
    }

    /// What web-1 is told of api: names of instances, and whether to speak mTLS.
    fn told(&self) -> (Vec<String>, bool) {
        let feed = self.feed("web-1");
        let wanted = feed.borrow().clone().unwrap();
        let api = &wanted.endpoints()[&api()];
        let names = api
            .endpoints
            .keys()
            .map(|kri| kri.name().to_owned())
            .collect();
        (names, api.tls_ready)
    }

    fn names(&self) -> Vec<String> {
        self.told().0
    }
}

#[test]
fn endpoints_are_those_of_ready_and_healthy_proxies() {
    let mut room = Room::new(Options {
        sick: true,
        ..Options::default()
    });
    assert_eq!(room.names(), [""; 0]);
    room.registry.connected(&dataplane("api-1"), 1, None);
    room.work();
    assert_eq!(room.names(), [""; 0]);
    room.ready("api-1", 1);
    room.ready("api-2", 2);
    assert_eq!(room.names(), ["api-1"]);
    room.publish(Options::default(), "two");
    assert_eq!(room.names(), ["api-1", "api-2"]);
    // Whose workload does not answer, until it does.
    let mut sick = said(true, false);
    sick.unhealthy.insert("main".to_owned());
    room.registry.status(&dataplane("api-2"), 2, sick);
    room.work();
    assert_eq!(room.names(), ["api-1"]);
    // A restart does not forget it, whenever its proxy comes back.
    room.restart(Options::default());
    assert_eq!(room.names(), ["api-1"]);
    room.registry.connected(&dataplane("api-1"), 1, None);
    room.registry.connected(&dataplane("api-2"), 2, None);
    room.work();
    assert_eq!(room.names(), ["api-1"]);
    room.ready("api-1", 1);
    room.ready("api-2", 2);
    assert_eq!(room.names(), ["api-1", "api-2"]);
    room.registry
        .status(&dataplane("api-1"), 1, said(true, true));
    room.work();
    assert_eq!(room.names(), ["api-2"]);
    room.after(Duration::from_secs(3_600));
    assert_eq!(room.names(), ["api-2"]);
}

#[test]
fn what_changes_between_the_halves_of_the_work_is_not_lost() {
    let room = Room::new(SECURE);
    let api = dataplane("api-1");
    room.registry.connected(&api, 1, None);
    room.registry.status(&api, 1, said(true, false));
    room.registry.settle(room.now);
    room.registry.certified(&api, &identity(), UNIX + 60);
    room.registry.tell(room.now);
    assert_eq!(room.told(), (vec!["api-1".to_owned()], false));
    room.work();
    assert_eq!(room.told(), (vec!["api-1".to_owned()], true));
}

#[test]
fn a_broken_stream_costs_nothing_for_a_while() {
    let mut room = Room::new(Options::default());
    room.ready("api-1", 1);
    room.registry.disconnected(&dataplane("api-1"), 1);
    room.after(Duration::from_secs(20));
    assert_eq!(room.names(), ["api-1"]);
    room.after(Duration::from_secs(20));
    assert_eq!(room.names(), [""; 0]);
}

#[test]
fn a_restart_costs_nothing_for_a_while() {
    let mut room = Room::new(SECURE);
    room.registry
        .certified(&dataplane("api-1"), &identity(), UNIX + 60);
    room.ready("api-1", 1);
    assert_eq!(room.told(), (vec!["api-1".to_owned()], true));
    room.restart(SECURE);
    assert_eq!(room.told(), (vec!["api-1".to_owned()], true));
    room.after(Duration::from_secs(50));
    assert_eq!(room.names(), ["api-1"]);
    room.after(Duration::from_secs(11));
    // Gone, but mTLS stays.
    assert_eq!(room.told(), (Vec::new(), true));
}

#[test]
fn damage_to_the_file_is_survived() {
    let mut room = Room::new(Options::default());
    room.ready("api-1", 1);
    room.state.write("proxies.json", b"{\"ready\": [1").unwrap();
    room.restart(Options::default());
    assert_eq!(room.names(), [""; 0]);
    room.ready("api-1", 2);
    assert_eq!(room.names(), ["api-1"]);
}

#[test]
fn clients_do_not_fall_back_to_plaintext_when_the_file_is_lost() {
    for (options, expected) in [(SECURE, true), (Options::default(), false)] {
        let mut room = Room::new(options);
        room.state.write("published.log", b"{}").unwrap();
        room.restart(options);
        assert!(!room.told().1, "the file is there");
        room.state.remove("proxies.json").unwrap();
        room.restart(options);
        assert_eq!(room.told().1, expected);
    }
}

#[test]
fn mtls_begins_when_every_server_has_a_certificate_and_never_ends() {
    let room = Room::new(SECURE);
    let certify = |name: &str| {
        let kri = dataplane(name);
        room.registry.certified(&kri, &identity(), UNIX + 60);
        room.work();
    };
    assert!(!room.told().1, "nobody is there");
    room.ready("api-1", 1);
    room.ready("api-2", 2);
    certify("api-1");
    assert!(!room.told().1, "api-2 has none");
    certify("api-2");
    assert!(room.told().1);
    room.ready("api-2", 3);
    let expired = UNIX - 1;
    room.registry
        .certified(&dataplane("api-2"), &identity(), expired);
    room.work();
    assert!(room.told().1, "a latch");
    let without = Room::new(Options::default());
    without.ready("api-1", 1);
    without
        .registry
        .certified(&dataplane("api-1"), &identity(), UNIX + 60);
    without.work();
    assert!(!without.told().1, "no identity");
}

#[test]
fn only_who_is_concerned_is_woken() {
    let room = Room::new(Options::default());
    let mut web = room.feed("web-1");
    let mut api = room.feed("api-1");
    for feed in [&mut web, &mut api] {
        feed.mark_unchanged();
    }
    room.ready("api-1", 1);
    assert!(web.has_changed().unwrap());
    assert!(!api.has_changed().unwrap());
    web.mark_unchanged();
    // The same again, and a commit that means the same: nobody is woken.
    room.registry
        .status(&dataplane("api-1"), 1, said(true, false));
    room.publish(Options::default(), "two");
    assert!(!web.has_changed().unwrap() && !api.has_changed().unwrap());
    assert_eq!(web.borrow().as_ref().unwrap().revision(), "two");
    let changed = Options {
        port: 1,
        ..Options::default()
    };
    room.publish(changed, "three");
    assert!(web.has_changed().unwrap() && !api.has_changed().unwrap());
}

#[test]
fn who_is_removed_loses_the_stream() {
    let room = Room::new(Options::default());
    let feed = room.feed("web-1");
    let nothing = mesh_bundle::Bundle::seal(BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let nothing = crate::publish::sample::project(&nothing.unwrap(), &room.state, "none", None);
    room.registry.publish("mesh", nothing);
    assert!(feed.has_changed().is_err());
    assert!(room.registry.subscribe(&dataplane("web-1")).is_none());
    // Its last words are not an accident.
    room.registry.disconnected(&dataplane("web-1"), 1);
    assert_eq!(room.registry.proxies(None, room.now.instant), []);
}

#[test]
fn how_proxies_stand() {
    let room = Room::new(Options::default());
    let (web, api) = (dataplane("web-1"), dataplane("api-1"));
    let root = |kri: &Kri| {
        room.registry.published().unwrap().proxies[kri]
            .wanted
            .root()
    };
    room.registry.connected(&web, 1, Some(root(&web)));
    room.registry.connected(&api, 2, None);
    let standing = || -> Vec<_> {
        let proxies = room.registry.proxies(None, room.now.instant);
        proxies.iter().map(|seen| seen.standing).collect()
    };
    // api-1, api-2, web-1.
    use Standing::{Acked, Nacked, Offline, Pending};
    assert_eq!(standing(), [Pending, Offline, Acked]);
    let rejection = Rejection {
        root: root(&api),
        reason: "port in use".to_owned(),
    };
    room.registry.rejected(&api, 2, rejection);
    assert_eq!(standing(), [Nacked, Offline, Acked]);
    let seen = room.registry.proxies(None, room.now.instant).remove(0);
    assert_eq!(seen.reason.as_deref(), Some("port in use"));
    room.registry.acknowledged(&api, 2, root(&api));
    assert_eq!(standing(), [Acked, Offline, Acked]);
    room.registry.disconnected(&web, 1);
    assert_eq!(standing(), [Acked, Offline, Offline]);
}

#[test]
fn whether_all_have_answered_is_remembered_and_never_wrong() {
    let room = Room::new(Options::default());
    let (web, api) = (dataplane("web-1"), dataplane("api-1"));
    let root = |kri: &Kri| {
        room.registry.published().unwrap().proxies[kri]
            .wanted
            .root()
    };
    let answered = || (room.registry.all_answered(), room.registry.all_answered());
    assert_eq!(answered(), (true, true));
    room.registry.connected(&api, 1, None);
    room.registry.connected(&web, 2, None);
    assert_eq!(answered(), (false, false));
    room.registry.acknowledged(&api, 1, root(&api));
    assert_eq!(answered(), (false, false));
    room.registry.acknowledged(&web, 2, root(&web));
    assert_eq!(answered(), (true, true));
    // Somebody comes back with something else.
    room.registry.connected(&web, 3, Some(Digest::of(b"other")));
    assert_eq!(answered(), (false, false));
    room.registry.disconnected(&web, 3);
    assert_eq!(answered(), (true, true));
}

#[test]
fn the_worker_looks_again_when_a_grace_time_ends() {
    let room = Room::new(Options::default());
    let deadline = || room.registry.lock().deadline(room.now.instant);
    room.ready("api-1", 1);
    assert_eq!(deadline(), None);
    let before = Instant::now();
    room.registry.disconnected(&dataplane("api-1"), 1);
    assert!(deadline().is_some_and(|deadline| deadline >= before + live::ABSENCE));
}

#[test]
fn traffic_counts_under_the_configuration_that_is_held_and_deliveries_are_timed() {
    let room = Room::new(Options::default());
    let (web, registry) = (dataplane("web-1"), &room.registry);
    let wanted = || registry.published().unwrap().proxies[&web].wanted.root();
    let first = wanted();
    registry.connected(&web, 1, Some(first));
    let tell = |session: u64, root: Digest| {
        let mut both = mesh_delivery::traffic::Both::default();
        both.inbound.failures = 1;
        let traffic = mesh_delivery::traffic::Traffic { root, both };
        registry.measured(&web, session, &traffic);
    };
    let lie = Digest::of(b"a lie");
    for (session, root) in [(1, first), (2, first), (1, lie)] {
        tell(session, root);
    }
    let moved = BTreeSet::from([web.clone()]);
    registry.compare(&moved);
    let counted = || {
        let (compared, _) = registry.traffic(("mesh", &moved), room.now.instant);
        let failures = |both: &mesh_delivery::traffic::Both| both.inbound.failures;
        (failures(&compared[0].before), failures(&compared[0].after))
    };
    assert_eq!(counted(), (1, 0));
    let port = 1;
    let changed = Options {
        port,
        ..Options::default()
    };
    room.publish(changed, "two");
    let second = wanted();
    assert_ne!(first, second);
    // It does not hold that yet; and once it does, what was before counts no more.
    tell(1, second);
    registry.acknowledged(&web, 1, second);
    tell(1, first);
    tell(1, second);
    assert_eq!(counted(), (1, 1));
    // It was there when that was published, and the second time it says nothing new.
    registry.acknowledged(&web, 1, second);
    let mut page = prometheus_client::registry::Registry::default();
    page.register("delivery", "of one", registry.delivered());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &page).unwrap();
    assert!(text.contains("delivery_count 1\n"), "{text}");
}
