//! The desk between what compiles and what is served: the last good commit, and the Dataplanes that joined by themselves.
//!
//! Never hands anything to the proxies that is not whole, and never forgets on restart what it handed out.

mod agreed;
mod baseline;
mod claimed;

mod compiling;
mod course;
mod distrusted;
mod documents;
mod elsewhere;
mod good;
mod joining;
mod kept;
mod measured;
mod mixture;
mod ordered;
mod outgrown;
mod refresh;
mod restore;
mod shared;
mod stage;
mod staged;
mod steer;
mod suspended;
mod view;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::Digest;
use mesh_compiler::{Compiler, World};
use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::ca::{Authorities, CaFailure, Values};
use crate::candidate::gates::{Asked, Base};
use crate::candidate::{Candidate, Name};
use crate::event::Events;
use crate::git::{Commit, SourceConfig};
use crate::history::{Archive, History};
use crate::publish::{Beside, Held, Published};
use crate::reconcile::Trouble;
use crate::registry::{Now, Registry};
use crate::snapshot::{GOOD, Journal};
use crate::sources::Place;
use crate::state::StateDir;
use crate::suspension::Suspension;
use crate::waves::Plan;

pub(crate) use course::Course;
use course::{End, Several};
pub(crate) use documents::Registered;
use good::Good;
use kept::Kept;
pub(crate) use measured::Measured;
pub(crate) use ordered::Ordered;
use outgrown::Outgrown;
use refresh::unread;
pub(crate) use shared::Shared;
use stage::Stage;
use staged::Rolling;
pub(crate) use view::View;

/// A trailer of the commit's message, with the value `true`: no waves, for a mend that cannot wait.
const AT_ONCE: &str = "Mesh-Rollout-At-Once";

/// Shared by the reconciler, which brings commits, and the gate, which brings Dataplanes.
#[derive(Debug)]
pub(crate) struct Rollout {
    shared: Shared,
    /// Of the source, among the others.
    place: Place,
    /// What is kept of this source alone.
    own: Arc<StateDir>,
    registry: Arc<Registry>,
    /// Remembers what stands in the files of the last commit.
    compiler: Arc<Remembered>,
    outgrown: std::sync::Mutex<Outgrown>,
    /// One at a time compiles and publishes.
    desk: Mutex<Desk>,
    events: Arc<Events>,
    history: Arc<History>,
    archive: Archive,
    suspension: std::sync::Mutex<Option<Suspension>>,
    /// What is told of a rollout.
    view: std::sync::Mutex<Option<View>>,
    /// What everybody was given last.
    served: std::sync::Mutex<Option<(String, Digest)>>,
    /// How far a rollout is among several meshds; `None`: this one is alone.
    several: std::sync::Mutex<Option<Several>>,
    /// A rollout has begun.
    begun: Notify,
    /// A rollout has ended, one way or the other: the reconciler has something to record.
    ended: Notify,
}

/// One commit is compiled at a time; a thread that is given up keeps the next one waiting.
type Remembered = std::sync::Mutex<Compiler>;

/// What lies on the desk.
#[derive(Debug)]
pub(crate) struct Desk {
    good: Option<Good>,
    /// The same on the disk.
    journal: Journal,
    /// A commit on its way.
    rolling: Option<Rolling>,
    /// The commit that was taken back last.
    returned: Option<Kept>,
}

/// What was published, and what is not as it should be beside that.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) proxies: usize,
    pub(crate) degraded: Vec<(&'static str, String)>,
}

impl Desk {
    fn stage(&self) -> Option<Stage<'_>> {
        let rolling = self.rolling.as_ref();
        Some(Stage {
            good: self.good.as_ref()?,
            next: rolling.map(|rolling| (&rolling.next, rolling.machine.moved())),
        })
    }

    /// The names of what is served.
    pub(crate) fn inventory(&self) -> Option<&HashSet<Name>> {
        self.good.as_ref().map(|good| &good.inventory)
    }
}

impl Rollout {
    pub(crate) fn new(
        shared: Shared,
        place: Place,
        own: Arc<StateDir>,
        source: &SourceConfig,
    ) -> Self {
        let desk = Desk {
            good: None,
            journal: Journal::empty(GOOD),
            rolling: None,
            returned: None,
        };
        let history = Arc::new(History::open(&own));
        let suspension = std::sync::Mutex::new(Suspension::read(&own));
        Self {
            registry: Arc::clone(&shared.registry),
            events: Arc::clone(&shared.events),
            history,
            archive: Archive::new(source.clone(), &shared.said),
            suspension,
            compiler: Arc::default(),
            outgrown: std::sync::Mutex::default(),
            place,
            own,
            shared,
            desk: Mutex::new(desk),
            view: std::sync::Mutex::default(),
            served: std::sync::Mutex::default(),
            several: std::sync::Mutex::default(),
            begun: Notify::new(),
            ended: Notify::new(),
        }
    }

    /// The source, among the others.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Where meshd keeps what git does not hold, of all sources.
    pub(crate) fn state(&self) -> &StateDir {
        &self.shared.state
    }

    /// What is served of this source.
    fn published(&self) -> Option<Arc<Published>> {
        self.registry.published_of(self.place.name())
    }

    /// What was published so far.
    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// Commits that were published, compiled again.
    pub(crate) fn archive(&self) -> &Archive {
        &self.archive
    }

    pub(crate) async fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().await
    }

    /// Compiles a commit, with the Dataplanes that joined by themselves, where no gate speaks against it.
    pub(crate) async fn compile<W: World>(
        &self,
        desk: &Desk,
        asked: Asked,
        world: impl FnOnce() -> Result<W, Trouble> + Send + 'static,
    ) -> Result<Candidate, Trouble> {
        let documents = vec![self.documents()];
        let base = desk.good.as_ref().map(|good| Base {
            revision: good.revision.clone(),
            files: good.files.clone(),
            settings: good.settings.clone(),
        });
        let before = base.as_ref().map(|base| base.files.clone());
        let (before, revision) = (before.unwrap_or_default(), asked.commit.id.clone());
        let asked = base.map(|base| (asked, base));
        self.compiled(world, revision, documents, (before, asked))
            .await
    }

    /// Publishes a commit, in waves where it says so and does not say that it cannot wait.
    ///
    /// # Errors
    /// It cannot be published, or it has only begun to be.
    pub(crate) fn publish(
        &self,
        desk: &mut Desk,
        candidate: Candidate,
        commit: &Commit,
    ) -> Result<Done, Trouble> {
        let left_out = self.left_out(&candidate);
        let next = Good::new(candidate);
        let at_once = commit.says(AT_ONCE);
        if let (Some(good), Some(gates), false) = (&desk.good, &next.rollout, at_once) {
            let plan = Plan::new(
                gates,
                (&good.bundle, &next.bundle),
                &next.labels.by_dataplane(),
            );
            if !plan.is_empty() && !self.is_everywhere(&next.revision) {
                return Err(self.begin(desk, next, (plan, commit.into())));
            }
        }
        let (revision, digest) = (next.revision.clone(), next.digest);
        let done = self.publish_whole(desk, next, left_out)?;
        self.history.live((&revision, digest), commit.into());
        Ok(done)
    }

    /// To all at once: its authorities first, then the disk, then the proxies.
    fn publish_whole(
        &self,
        desk: &mut Desk,
        next: Good,
        mut degraded: Vec<(&'static str, String)>,
    ) -> Result<Done, Trouble> {
        let revision = next.revision.clone();
        let stage = Stage::only(&next);
        self.claim(&stage.meshes())
            .map_err(|trouble| trouble.about(&revision))?;
        let authorities = self.usable(&stage, &revision)?;
        // A rollout that this ends must not come back with the next start.
        let kept = Kept::remove(&self.own);
        // A full disk must not keep a correction from the proxies; a restart without git would go one commit back.
        let written = kept.and_then(|()| desk.journal.write(&self.own, next.snapshot()));
        if let Err(failure) = written {
            degraded.insert(0, ("StorageOperationFailed", failure.to_string()));
        }
        let secrets = self.told_secrets(&stage);
        let proxies = self
            .serve(&stage, (authorities, secrets))
            .map_err(|trouble| trouble.about(&revision))?;
        desk.good = Some(next);
        if let Some(earlier) = desk.rolling.take() {
            self.registry.compared(self.place.name(), false);
            self.wants_end(&earlier.next.revision, End::Superseded);
        }
        desk.returned = None;
        self.show(desk);
        if let Some(published) = self.published() {
            degraded.extend(unread(&published.secrets));
        }
        Ok(Done { proxies, degraded })
    }

    /// The authorities of a commit that is to be published: all of them.
    fn usable(&self, stage: &Stage<'_>, revision: &str) -> Result<Authorities, Trouble> {
        let authorities = self.load(stage).map_err(|failure| {
            let message = failure.to_string();
            let trouble = match failure {
                CaFailure::Lost { .. } => Trouble::stalled("AuthorityLost", message),
                _ => Trouble::transient("StorageOperationFailed", message),
            };
            trouble.about(revision)
        })?;
        if let Some(why) = authorities.failed().values().next() {
            let after = Duration::from_secs(10);
            let trouble = Trouble::waiting(after, "AuthorityUnavailable", why.clone());
            return Err(trouble.about(revision));
        }
        Ok(authorities)
    }

    /// The authorities of everything that is served: issuers are not staged.
    fn load(&self, stage: &Stage<'_>) -> Result<Authorities, CaFailure> {
        let mut issuers = stage.good.bundle.issuers.clone();
        let mut secrets = stage.good.secrets.clone();
        if let Some((next, _)) = stage.next {
            issuers.extend(next.bundle.issuers.clone());
            secrets.inline.extend(next.secrets.inline.clone());
            secrets.documents.extend(next.secrets.documents.clone());
        }
        let values = Values {
            state: &self.shared.state,
            secrets: &secrets,
            alone: self.place.alone(),
        };
        let meshes = stage.meshes();
        let its = (!self.place.alone()).then_some(&*meshes);
        let _turn = self.shared.turn();
        let signers = &self.shared.signers;
        Authorities::load((&issuers, its), &values, signers, Now::read().unix)
    }

    /// What proxies are given for servers outside, and in the log what cannot be read of it.
    fn told_secrets(&self, stage: &Stage<'_>) -> Held {
        let secrets = self.secrets(stage);
        for (_, why) in unread(&secrets) {
            tracing::warn!(%why, "a secret of TLS with a server outside cannot be read");
        }
        secrets
    }

    /// Hands everything over to the registry. Returns how many proxies there are.
    fn serve(
        &self,
        stage: &Stage<'_>,
        (authorities, secrets): (Authorities, Held),
    ) -> Result<usize, Trouble> {
        let undeliverable = |error: String| Trouble::stalled("Undeliverable", error);
        let mixed = match stage.next {
            None => Arc::clone(&stage.good.bundle),
            Some((next, moved)) => {
                let mixed = mixture::mix(&stage.good.bundle, &next.bundle, moved);
                Arc::new(mixed.map_err(|error| undeliverable(error.to_string()))?)
            }
        };
        let before = self.published();
        let meshes = stage.meshes();
        let beside = Beside {
            revision: stage.good.revision.clone(),
            meshes: Arc::clone(&meshes),
            moved: stage
                .next
                .map(|(next, moved)| (moved, next.revision.as_str())),
            measures: stage.measures(),
            authorities,
            secrets,
            revoked: self.distrusted(&mixed, &meshes),
            revoked_tokens: stage.revoked_tokens(),
            before: before.as_deref(),
        };
        let published =
            Published::project(&mixed, beside).map_err(|error| undeliverable(error.to_string()))?;
        self.note_outgrown(before.as_deref(), &published);
        let proxies = published.proxies.len();
        self.registry.publish(self.place.name(), published);
        Ok(proxies)
    }
}
