mod agent;
mod measured;
pub(crate) mod meshd;
mod outage;
mod whole;

use super::*;
use crate::identity::tests::Ca;
use crate::state::Directory;
use mesh_bundle::{Digest, Key};
use mesh_delivery::Report;
use mesh_delivery::traffic::Both;
use meshd::{FakeMeshd, WEB, cluster, configuration};
use std::path::Path;
use std::sync::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// A data plane that only remembers.
struct FakePlane {
    worlds: mpsc::UnboundedSender<World>,
    refusal: Arc<Mutex<Option<Rejected>>>,
    counted: Arc<Mutex<Both>>,
}

impl Plane for FakePlane {
    async fn apply(&mut self, world: &World) -> Result<(), Rejected> {
        if let Some(rejected) = self.refusal.lock().unwrap().clone() {
            return Err(rejected);
        }
        let _ = self.worlds.send(world.clone());
        Ok(())
    }

    fn counted(&self) -> Both {
        self.counted.lock().unwrap().clone()
    }
}

/// A control side that does not run, with a data plane that nobody looks at.
fn control(
    meshd: &FakeMeshd,
    directory: &Path,
    store: &Store,
    restored: Restored,
) -> Control<FakePlane> {
    let settings = Settings {
        meshd: vec![meshd.address.to_string()],
        token_file: meshd.token(directory),
        pin: None,
        claim: Claim::default(),
        agent: None,
    };
    let (worlds, _) = mpsc::unbounded_channel();
    let plane = FakePlane {
        worlds,
        refusal: Arc::default(),
        counted: Arc::default(),
    };
    let view = watch::Sender::new(View::default());
    Control::new(settings, store.clone(), plane, view, restored)
}

/// A control side that runs.
struct Running {
    task: JoinHandle<Hopeless>,
    worlds: mpsc::UnboundedReceiver<World>,
    refusal: Arc<Mutex<Option<Rejected>>>,
    counted: Arc<Mutex<Both>>,
    view: watch::Sender<View>,
}

impl Running {
    fn start(meshd: &FakeMeshd, directory: &Path) -> Self {
        Self::with(meshd, vec![meshd.address.to_string()], directory)
    }

    fn with(meshd: &FakeMeshd, addresses: Vec<String>, directory: &Path) -> Self {
        Self::beside(meshd, addresses, directory, None)
    }

    /// On a host with an agent.
    fn beside(
        meshd: &FakeMeshd,
        addresses: Vec<String>,
        directory: &Path,
        agent: Option<PathBuf>,
    ) -> Self {
        let token_file = meshd.token(directory);
        let store = Store::new(Directory::open(&directory.join("state"), Duration::ZERO).unwrap());
        let settings = Settings {
            meshd: addresses,
            token_file,
            pin: None,
            claim: Claim::default(),
            agent,
        };
        let (sender, worlds) = mpsc::unbounded_channel();
        let refusal = Arc::new(Mutex::new(None));
        let counted = Arc::<Mutex<Both>>::default();
        let plane = FakePlane {
            worlds: sender,
            refusal: Arc::clone(&refusal),
            counted: Arc::clone(&counted),
        };
        let view = watch::Sender::new(View::default());
        let restored = store.load(None, None);
        let control = Control::new(settings, store, plane, view.clone(), restored);
        Self {
            task: tokio::spawn(control.run()),
            worlds,
            refusal,
            counted,
            view,
        }
    }

    async fn world(&mut self) -> World {
        let next = self.worlds.recv();
        let next = tokio::time::timeout(Duration::from_secs(20), next).await;
        next.expect("a world in time").unwrap()
    }

    /// Ends it, and waits until its lock is free.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn acked(report: &Report, wanted: Digest) {
    assert!(
        matches!(report, Report::Acked { root, .. } if *root == wanted),
        "{report:?}"
    );
}

/// What a view shows of a world, for tests of the admin endpoint.
pub(crate) fn applied(revision: &str, seconds_left: i64) -> Applied {
    let resources = configuration("web-1", Some(WEB), 5);
    let config = mesh_bundle::ProxyConfig::assemble(resources.into_iter().collect()).unwrap();
    let end = unix_now().saturating_add_signed(seconds_left);
    let endpoints = meshd::endpoints(&[8080]).remove(&cluster()).unwrap();
    Applied::new(World {
        config: Arc::new(config),
        revision: revision.to_owned(),
        root: Digest::of(b""),
        endpoints: BTreeMap::from([(cluster(), (*endpoints).clone())]),
        secrets: Arc::default(),
        svid: Some(Arc::new(Ca::new("mesh").credential(WEB, end).svid())),
    })
}

#[tokio::test]
async fn a_configuration_is_applied_with_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    let root = meshd.want("r1", configuration("web-1", Some(WEB), 5));
    let mut proxy = Running::start(&meshd, directory.path());
    let world = proxy.world().await;
    assert_eq!((world.revision.as_str(), world.root), ("r1", root));
    assert_eq!(world.svid.unwrap().spiffe_id.as_str(), WEB);
    assert_eq!(world.endpoints[&cluster()].endpoints.len(), 1);
    acked(&meshd.answer().await, root);
    let ready = meshd.reports.recv().await.unwrap();
    assert!(
        matches!(
            ready,
            Report::Status {
                ready: true,
                draining: false,
                ..
            }
        ),
        "{ready:?}"
    );

    proxy.view.send_modify(|view| view.draining = true);
    let draining = meshd.reports.recv().await.unwrap();
    assert!(
        matches!(draining, Report::Status { draining: true, .. }),
        "{draining:?}"
    );
    proxy.kill().await;
}

#[tokio::test]
async fn a_bad_configuration_is_refused_and_the_old_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    let good = meshd.want("r1", configuration("web-1", None, 5));
    let mut proxy = Running::start(&meshd, directory.path());
    acked(&meshd.answer().await, good);
    let bad = meshd.want("r2", configuration("api-1", None, 5));
    match meshd.answer().await {
        Report::Nacked {
            root, key, reason, ..
        } => {
            assert_eq!((root, key), (bad, Some(Key::Proxy)));
            assert!(reason.contains("api-1"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(proxy.world().await.root, good);
    let next = meshd.want("r3", configuration("web-1", None, 6));
    acked(&meshd.answer().await, next);
    assert_eq!(proxy.world().await.root, next);
    proxy.kill().await;
}

#[tokio::test]
async fn what_this_host_cannot_take_is_offered_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    let root = meshd.want("r1", configuration("web-1", None, 5));
    let mut proxy = Running::start(&meshd, directory.path());
    let busy = crate::configuration::rejected_at(Key::Proxy, "address in use");
    *proxy.refusal.lock().unwrap() = Some(busy);
    let answer = meshd.answer().await;
    // The first offer may have come before the refusal was in place.
    if matches!(answer, Report::Acked { .. }) {
        meshd.want("r2", configuration("web-1", None, 6));
        assert!(matches!(meshd.answer().await, Report::Nacked { .. }));
    }
    *proxy.refusal.lock().unwrap() = None;
    let answer = loop {
        let answer = meshd.answer().await;
        if matches!(answer, Report::Acked { .. }) {
            break answer;
        }
    };
    assert!(matches!(answer, Report::Acked { .. }), "{answer:?} {root}");
    proxy.world().await;
    proxy.kill().await;
}

#[tokio::test]
async fn a_missing_certificate_does_not_block_what_follows() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    meshd.rule(|rules| rules.refuse_svids = true);
    let with = meshd.want("r1", configuration("web-1", Some(WEB), 5));
    let mut proxy = Running::start(&meshd, directory.path());
    match meshd.answer().await {
        Report::Nacked { root, reason, .. } => {
            assert_eq!(root, with);
            assert!(reason.contains("the CA is locked"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    let without = meshd.want("r2", configuration("web-1", None, 5));
    assert_eq!(proxy.world().await.root, without);
    meshd.rule(|rules| rules.refuse_svids = false);
    meshd.want("r3", configuration("web-1", Some(WEB), 5));
    assert!(proxy.world().await.svid.is_some());
    proxy.kill().await;
}

#[tokio::test]
async fn a_reconnect_costs_no_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    let root = meshd.want("r1", configuration("web-1", None, 5));
    let mut proxy = Running::start(&meshd, directory.path());
    acked(&meshd.answer().await, root);
    proxy.world().await;
    meshd.stop().await;
    meshd.listen().await;
    let hello = loop {
        if let Report::Connected { hello, .. } = meshd.reports.recv().await.unwrap() {
            break hello;
        }
    };
    assert_eq!((hello.root, hello.revision.as_str()), (Some(root), "r1"));
    acked(&meshd.answer().await, root);
    meshd.want_endpoints(&[8080, 8081]);
    let world = proxy.world().await;
    assert_eq!(world.root, root);
    let known = world.endpoints[&cluster()].endpoints.len();
    assert_eq!(known, 2, "what was known was applied again");
    let next = meshd.want("r2", configuration("web-1", None, 6));
    acked(&meshd.answer().await, next);
    proxy.kill().await;
}

#[tokio::test]
async fn endpoints_are_applied_as_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    meshd.want("r1", configuration("web-1", None, 5));
    let mut proxy = Running::start(&meshd, directory.path());
    assert_eq!(proxy.world().await.endpoints[&cluster()].endpoints.len(), 1);
    meshd.want_endpoints(&[8080, 8081, 8082]);
    while proxy.world().await.endpoints[&cluster()].endpoints.len() != 3 {}
    meshd.want_endpoints(&[]);
    while !proxy.world().await.endpoints[&cluster()]
        .endpoints
        .is_empty()
    {}
    proxy.kill().await;
}

#[tokio::test]
async fn certificates_are_renewed_before_they_end() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    meshd.rule(|rules| (rules.svid_lifetime, rules.control_lifetime) = (2, 4));
    meshd.want("r1", configuration("web-1", Some(WEB), 5));
    let mut proxy = Running::start(&meshd, directory.path());
    let first = proxy.world().await.svid.unwrap();
    loop {
        let next = proxy.world().await.svid.unwrap();
        if next.chain != first.chain {
            assert!(next.not_after > first.not_after);
            assert!(unix_now() <= first.not_after, "too late");
            break;
        }
    }
    while meshd.issued.recv().await.unwrap().is_some() {}
    proxy.kill().await;
}

#[tokio::test]
async fn the_last_state_is_served_while_meshd_is_away() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    let root = meshd.want("r1", configuration("web-1", Some(WEB), 5));
    let mut proxy = Running::start(&meshd, directory.path());
    let before = proxy.world().await;
    acked(&meshd.answer().await, root);
    meshd.stop().await;
    proxy.kill().await;

    let mut proxy = Running::start(&meshd, directory.path());
    let world = proxy.world().await;
    assert_eq!((world.revision.as_str(), world.root), ("r1", root));
    assert_eq!(world.svid.unwrap().chain, before.svid.unwrap().chain);
    assert_eq!(world.endpoints, before.endpoints);

    meshd.listen().await;
    let mut view = proxy.view.subscribe();
    view.wait_for(|view| view.connected).await.unwrap();
    assert_eq!(meshd.enrolled().len(), 1, "the token is spent once");
    proxy.kill().await;
}

#[tokio::test]
async fn a_refused_token_ends_a_proxy_that_serves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    meshd.rule(|rules| rules.refuse_tokens = true);
    let proxy = Running::start(&meshd, directory.path());
    let reason = proxy.task.await.unwrap().to_string();
    assert!(reason.contains("this token is spent"), "{reason}");
}

/// The answer to an enrolment may be lost after the token was spent: meshd knows the key, and answers it again.
#[tokio::test]
async fn a_token_is_shown_with_one_key_across_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::new(Directory::open(directory.path(), Duration::ZERO).unwrap());
    let first = store.enrolment_key("t1").await.unwrap();
    let again = store.enrolment_key("t1").await.unwrap();
    assert_eq!(first.pkcs8(), again.pkcs8());
    let other = store.enrolment_key("t2").await.unwrap();
    assert_ne!(first.pkcs8(), other.pkcs8());
}
