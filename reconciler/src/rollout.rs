//! The desk between what compiles and what is served: the last good commit, and the Dataplanes that joined by themselves.
//!
//! Never hands anything to the proxies that is not whole, and never forgets on restart what it handed out.

mod distrusted;
mod documents;
mod joining;
mod outgrown;
mod refresh;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mesh_bundle::{Bundle, Digest};
use mesh_compiler::config::Said;
use mesh_compiler::model::Settings;
use mesh_compiler::{Compiler, Secrets, World};
use tokio::sync::{Mutex, MutexGuard};

use crate::ca::{Authorities, CaFailure, Values};
use crate::candidate::{Candidate, Documents, Files, Name};
use crate::distrust::Distrust;
use crate::publish::{Beside, Held, Published};
use crate::reconcile::Trouble;
use crate::registry::{Now, Registry};
use crate::signer::Signers;
use crate::snapshot::Snapshot;
use crate::state::StateDir;

use outgrown::Outgrown;
use refresh::unread;

/// Compiling the largest repository that is admitted takes seconds.
const COMPILE_DEADLINE: Duration = Duration::from_mins(2);

/// Shared by the reconciler, which brings commits, and the gate, which brings Dataplanes.
#[derive(Debug)]
pub(crate) struct Rollout {
    state: Arc<StateDir>,
    registry: Arc<Registry>,
    /// What the command line says; the rest stands in the commits.
    said: Arc<[Said]>,
    /// Remembers what stands in the files of the last commit.
    compiler: Arc<Remembered>,
    distrust: std::sync::Mutex<Distrust>,
    outgrown: std::sync::Mutex<Outgrown>,
    /// Of identities whose keys meshd does not hold.
    signers: Signers,
    /// One at a time compiles and publishes.
    desk: Mutex<Desk>,
}

/// One commit is compiled at a time; a thread that is given up keeps the next one waiting.
type Remembered = std::sync::Mutex<Compiler>;

/// What lies on the desk.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    good: Option<Good>,
    documents: Documents,
}

/// The commit that is served.
#[derive(Clone)]
struct Good {
    revision: String,
    bundle: Arc<Bundle>,
    secrets: Secrets,
    settings: Settings,
    revoked_tokens: Arc<BTreeSet<String>>,
    files: Files,
    inventory: BTreeSet<Name>,
}

/// Nothing of what documents hold.
impl fmt::Debug for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Good")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// What was published, and what is not as it should be beside that.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) proxies: usize,
    pub(crate) degraded: Vec<(&'static str, String)>,
}

impl Desk {
    /// The names of what is served.
    pub(crate) fn inventory(&self) -> Option<&BTreeSet<Name>> {
        self.good.as_ref().map(|good| &good.inventory)
    }
}

impl Rollout {
    pub(crate) fn new(
        state: Arc<StateDir>,
        registry: Arc<Registry>,
        distrust: Distrust,
        said: &[Said],
    ) -> Self {
        let documents = documents::read(&state);
        let desk = Desk {
            good: None,
            documents,
        };
        Self {
            state,
            registry,
            said: said.into(),
            compiler: Arc::default(),
            distrust: std::sync::Mutex::new(distrust),
            outgrown: std::sync::Mutex::default(),
            signers: Signers::default(),
            desk: Mutex::new(desk),
        }
    }

    /// The same, with signers of identities whose keys meshd does not hold.
    pub(crate) fn signed_by(self, signers: Signers) -> Self {
        Self { signers, ..self }
    }

    /// Where meshd keeps what git does not hold.
    pub(crate) fn state(&self) -> &StateDir {
        &self.state
    }

    pub(crate) async fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().await
    }

    /// Serves the last good commit again. `None` where there is none, or where it cannot be used: git has everything.
    ///
    /// # Errors
    /// A key was lost.
    pub(crate) async fn restore(&self) -> Result<Option<(String, Digest)>, CaFailure> {
        let snapshot = match Snapshot::read(&self.state) {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "the last good commit cannot be restored");
                return Ok(None);
            }
        };
        let mut desk = self.desk().await;
        let files = snapshot.files;
        let kept = snapshot.digest;
        let documents = vec![desk.documents.clone()];
        let before = files.clone();
        let compiled = self
            .compiled(move || Ok(files), snapshot.revision, documents, before)
            .await;
        let candidate = match compiled {
            Ok(candidate) => candidate,
            Err(trouble) => {
                tracing::warn!(error = %trouble.message, diagnostics = trouble.diagnostics, "the last good commit does not compile any more");
                return Ok(None);
            }
        };
        let (revision, digest) = (candidate.revision.clone(), candidate.digest);
        if digest != kept {
            tracing::info!(%revision, %digest, %kept, "this version compiles the last good commit differently");
        }
        let authorities = self.authorities(&candidate)?;
        for why in authorities.failed().values() {
            tracing::warn!(%why, "no certificates of this authority");
        }
        match self.hand_over(&mut desk, candidate, authorities) {
            Ok(_) => Ok(Some((revision, digest))),
            Err(trouble) => {
                tracing::warn!(error = %trouble.message, "the last good commit cannot be delivered any more");
                Ok(None)
            }
        }
    }

    /// Compiles a commit, with the Dataplanes that joined by themselves.
    pub(crate) async fn compile<W: World>(
        &self,
        desk: &Desk,
        revision: String,
        world: impl FnOnce() -> Result<W, Trouble> + Send + 'static,
    ) -> Result<Candidate, Trouble> {
        let documents = vec![desk.documents.clone()];
        let before = desk.good.as_ref().map(|good| good.files.clone());
        let before = before.unwrap_or_default();
        self.compiled(world, revision, documents, before).await
    }

    /// Publishes a commit: its authorities first, then the disk, then the proxies.
    pub(crate) fn publish(&self, desk: &mut Desk, candidate: Candidate) -> Result<Done, Trouble> {
        let revision = candidate.revision.clone();
        let authorities = self.authorities(&candidate).map_err(|failure| {
            let message = failure.to_string();
            let trouble = match failure {
                CaFailure::Lost { .. } => Trouble::stalled("AuthorityLost", message),
                _ => Trouble::transient("StorageOperationFailed", message),
            };
            trouble.about(&revision)
        })?;
        if let Some(why) = authorities.failed().values().next() {
            let after = Duration::from_secs(10);
            let trouble = Trouble::waiting(after, "AuthorityUnavailable", why.clone());
            return Err(trouble.about(&revision));
        }
        let snapshot = Snapshot {
            revision: revision.clone(),
            digest: candidate.digest,
            files: candidate.files.clone(),
        };
        let mut degraded = Vec::new();
        // A full disk must not keep a correction from the proxies; a restart without git would go one commit back.
        if let Err(failure) = snapshot.write(&self.state) {
            degraded.push(("StorageOperationFailed", failure.to_string()));
        }
        for ((mesh, name), why) in &candidate.left_out {
            let why = why.trim();
            degraded.push((
                "RegisteredDataplaneLeftOut",
                format!("{mesh}/{name}: {why}"),
            ));
        }
        let proxies = self
            .hand_over(desk, candidate, authorities)
            .map_err(|trouble| trouble.about(&revision))?;
        if let Some(published) = self.registry.published() {
            degraded.extend(unread(&published.secrets));
        }
        Ok(Done { proxies, degraded })
    }

    fn authorities(&self, candidate: &Candidate) -> Result<Authorities, CaFailure> {
        self.load(&candidate.bundle, &candidate.secrets)
    }

    fn load(&self, bundle: &Bundle, secrets: &Secrets) -> Result<Authorities, CaFailure> {
        let values = Values {
            state: &self.state,
            secrets,
        };
        Authorities::load(&bundle.issuers, &values, &self.signers, Now::read().unix)
    }

    fn hand_over(
        &self,
        desk: &mut Desk,
        candidate: Candidate,
        authorities: Authorities,
    ) -> Result<usize, Trouble> {
        let good = Good {
            revision: candidate.revision,
            bundle: Arc::new(candidate.bundle),
            secrets: candidate.secrets,
            files: candidate.files,
            settings: candidate.settings,
            revoked_tokens: candidate.revoked_tokens,
            inventory: candidate.inventory,
        };
        let secrets = self.secrets(&good);
        for (_, why) in unread(&secrets) {
            tracing::warn!(%why, "a secret of TLS with a server outside cannot be read");
        }
        self.serve(desk, good, (authorities, secrets))
    }

    fn serve(
        &self,
        desk: &mut Desk,
        good: Good,
        (authorities, secrets): (Authorities, Held),
    ) -> Result<usize, Trouble> {
        let before = self.registry.published();
        let beside = Beside {
            revision: good.revision.clone(),
            authorities,
            secrets,
            revoked: self.distrusted(&good.bundle),
            revoked_tokens: Arc::clone(&good.revoked_tokens),
            before: before.as_deref(),
        };
        let published = Published::project(&good.bundle, beside)
            .map_err(|error| Trouble::stalled("Undeliverable", error.to_string()))?;
        self.note_outgrown(before.as_deref(), &published);
        let proxies = published.proxies.len();
        desk.good = Some(good);
        self.registry.publish(Arc::new(published));
        Ok(proxies)
    }

    /// Compiles a commit with groups of registered Dataplanes, on a thread of its own, for as long as that may take. What
    /// did not change of what was served `before` is not read again.
    async fn compiled<W: World>(
        &self,
        world: impl FnOnce() -> Result<W, Trouble> + Send + 'static,
        revision: String,
        documents: Vec<Documents>,
        before: Files,
    ) -> Result<Candidate, Trouble> {
        let (compiler, said) = (Arc::clone(&self.compiler), Arc::clone(&self.said));
        let about = revision.clone();
        let task = tokio::task::spawn_blocking(move || {
            let world = world()?;
            // What is remembered is only ever replaced as a whole.
            let mut compiler = compiler.lock().unwrap_or_else(PoisonError::into_inner);
            let candidate = Candidate::compile(&mut compiler, &world, revision, &said, &before);
            let mut candidate = candidate.map_err(|text| {
                let message = "the commit has errors, what was published before is served";
                Trouble::stalled("CompileFailed", message).with_diagnostics(text)
            })?;
            for group in &documents {
                candidate.admit(&mut compiler, group);
            }
            Ok(candidate)
        });
        let outcome = match tokio::time::timeout(COMPILE_DEADLINE, task).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(Trouble::stalled(
                "CompilerDefect",
                format!("the compiler broke down over this commit: {error}"),
            )),
            Err(_) => Err(Trouble::stalled(
                "CompileTimeout",
                format!("compiling took more than {COMPILE_DEADLINE:?}"),
            )),
        };
        outcome.map_err(|trouble| trouble.about(&about))
    }
}
