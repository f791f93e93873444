//! Reconciling: make what is served follow what git says, one pass after the other.
//!
//! Never publishes what does not compile, and never writes a status from within a step: steps return values, the loop
//! records them.

mod admit;
mod arrival;
mod guard;
mod schedule;
mod tell;
mod trouble;
mod vouch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mesh_bundle::Digest;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::admin::Metrics;
use crate::candidate::Candidate;
use crate::candidate::gates::{self, Asked};
use crate::commit_status::Statements;
use crate::event::{self, Events, News};
use crate::git::{Commit, Failure, Source, SourceConfig};
use crate::hooks::Doorbell;
use crate::registry::{Now, Registry};
use crate::rollout::{Desk, Rollout};
use crate::status::Status;
use crate::token::Tokens;
use crate::watch::Watch;

use admit::admit;
use schedule::Schedule;
use tell::tell;
pub(crate) use trouble::{Kind, Trouble};
pub(crate) use vouch::UNVERIFIED;

/// A fetch ends before its timeout, on its own; only a disk can be slower. For how long a pass then waits still.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a pass works with.
#[derive(Debug)]
pub(crate) struct Ctx {
    pub(crate) config: SourceConfig,
    /// Rung from outside.
    pub(crate) bell: Arc<Doorbell>,
    pub(crate) rollout: Arc<Rollout>,
    pub(crate) status: Arc<Status>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Arc<Events>,
    /// Where a forge is told of each commit.
    pub(crate) statements: Option<Arc<Statements>>,
    pub(crate) registry: Arc<Registry>,
}

/// What a pass ended with, when git says what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) revision: String,
    pub(crate) digest: Digest,
    pub(crate) proxies: usize,
    /// As `meshc check` prints them.
    pub(crate) warnings: Option<String>,
    /// What is not as it should be, although the commit is served.
    pub(crate) degraded: Vec<(&'static str, String)>,
    /// Who signed it, where that is asked for.
    pub(crate) verified: Option<String>,
}

/// The loop, between its passes.
#[derive(Debug)]
pub(crate) struct Reconciler {
    ctx: Ctx,
    schedule: Schedule,
    source: Option<Source>,
    watch: Option<Watch>,
    /// Files of the operator.
    secrets: Watch,
    /// Meshes that other sources give up.
    freed: watch::Receiver<u64>,
    /// A fetch that takes longer than a pass waits for it.
    fetching: Mutex<Option<JoinHandle<Result<Commit, Failure>>>>,
    /// The commit that was judged last, and the judgement: it does not change by itself.
    judged: Option<(Commit, Result<Outcome, Trouble>)>,
}

impl Reconciler {
    pub(crate) fn new(ctx: Ctx) -> Self {
        let schedule = Schedule::new(ctx.config.source.poll);
        Self {
            secrets: Watch::secrets(ctx.rollout.state()),
            freed: ctx.rollout.place().freed(),
            ctx,
            schedule,
            source: None,
            watch: None,
            fetching: Mutex::new(None),
            judged: None,
        }
    }

    /// Of its source.
    pub(crate) fn name(&self) -> &str {
        self.ctx.rollout.place().name()
    }

    /// Passes until `stop`, each after the last one's wait or when something wakes it.
    pub(crate) async fn run(mut self, mut wait: Duration, mut stop: watch::Receiver<bool>) {
        loop {
            let (commits, secrets) = (&mut self.watch, &mut self.secrets);
            let (bell, rollout) = (&self.ctx.bell, &self.ctx.rollout);
            let freed = &mut self.freed;
            let woken = async {
                let committed = async {
                    match commits {
                        Some(watch) => watch.changed().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = committed => {}
                    () = secrets.changed() => {}
                    () = bell.rings() => {}
                    () = rollout.ended() => {}
                    Ok(()) = freed.changed() => {}
                }
            };
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = woken => {}
                () = tokio::time::sleep(wait) => {}
            }
            (wait, _) = self.reconcile().await;
        }
    }

    /// One pass, recorded: the single exit.
    pub(crate) async fn reconcile(&mut self) -> (Duration, Result<Outcome, Trouble>) {
        let before = self.ctx.status.report().revision;
        self.ctx.status.suspend(self.ctx.rollout.suspended());
        let begun = Instant::now();
        let outcome = self.pass().await;
        let name = self.ctx.rollout.place().name();
        let took = begun.elapsed();
        self.ctx.metrics.reconciled(name, &outcome, took);
        // A rollout may have ended since, also where git cannot be asked.
        if let Some((revision, digest)) = self.ctx.rollout.served() {
            self.ctx.status.serves(&revision, digest);
        }
        // Who sees a status finds the events that led to it.
        let news = self.ctx.status.record(&outcome, || {
            let commit = self.judged.as_ref().map(|(commit, _)| commit);
            tell(
                self.ctx.rollout.place(),
                &outcome,
                commit,
                before.as_deref(),
            );
            self.record(&outcome);
        });
        if news {
            self.ctx.state(&outcome);
        }
        self.ctx.rollout.place().begun();
        (self.schedule.after(&outcome), outcome)
    }

    /// The outcome as events.
    fn record(&self, outcome: &Result<Outcome, Trouble>) {
        let name = self.ctx.config.source.name.as_str();
        let record = |news: News| event::record(&self.ctx.events, &news.already_logged());
        match outcome {
            Ok(outcome) => {
                let revision = Some(outcome.revision.as_str());
                let message = format!("serving {}", outcome.revision);
                record(News::info("Source", name, "Published", &message).of(revision));
                for (reason, why) in &outcome.degraded {
                    record(News::error("Source", name, reason, why).of(revision));
                }
            }
            Err(trouble) => {
                let Trouble {
                    reason, message, ..
                } = trouble;
                let news = News::error("Source", name, reason, message);
                record(news.of(trouble.revision.as_deref()));
            }
        }
    }

    async fn pass(&mut self) -> Result<Outcome, Trouble> {
        if let Some(suspended) = self.ctx.rollout.suspended() {
            // What was judged before is to be judged again when git is followed again.
            self.judged = None;
            let pinned = self.ctx.rollout.pin_again().await;
            let outcome = pinned.and(Err(suspended));
            return self.refresh(outcome).await;
        }
        let source = self.open().await?;
        let begun = Instant::now();
        let fetched = self.fetch(&source).await;
        let name = self.ctx.rollout.place().name();
        self.ctx.metrics.fetched(name, &fetched, begun.elapsed());
        let commit = match fetched {
            Ok(commit) => commit,
            // What the operator keeps is not kept in git.
            Err(trouble) => return self.refresh(Err(trouble)).await,
        };
        if let Some((judged, outcome)) = &self.judged
            && *judged == commit
            && is_final(outcome)
        {
            return self.refresh(outcome.clone()).await;
        }
        let outcome = self.judge(source, &commit).await;
        self.judged = Some((commit, outcome.clone()));
        outcome
    }

    /// Nothing new in git; the operator's own files may have changed.
    async fn refresh(&self, outcome: Result<Outcome, Trouble>) -> Result<Outcome, Trouble> {
        let desk = self.ctx.rollout.desk().await;
        let degraded = self.ctx.rollout.refresh(&desk);
        drop(desk);
        let mut outcome = outcome?;
        // What was so when it was published may have passed.
        outcome
            .degraded
            .retain(|(reason, _)| *reason != "SecretUnavailable");
        outcome.degraded.extend(degraded);
        Ok(outcome)
    }

    async fn judge(&self, source: Source, commit: &Commit) -> Result<Outcome, Trouble> {
        let rollout = Arc::clone(&self.ctx.rollout);
        // What is served may be what an operator went back to.
        let last = rollout.history().followed();
        let last = last.or_else(|| self.ctx.status.report().revision);
        let verified = vouch::vouch(&self.ctx.config.source, &source, commit, last).await?;
        let mut desk = rollout.desk().await;
        if let Some(trouble) = rollout.progress(&desk, &commit.id) {
            return Err(trouble);
        }
        let own = self.ctx.config.source.gates.clone();
        let candidate = compile(&rollout, &desk, source, (commit, own)).await?;
        self.told_allowed(&candidate);
        rollout.place().turn().await;
        let most = self.ctx.config.source.max_removed_percent;
        let published = admit(&rollout, &mut desk, candidate, (commit, most));
        // What was claimed for a commit that is not served is free again.
        rollout.keep_meshes(&desk);
        let mut outcome = published?;
        outcome.verified = verified;
        drop(desk);
        self.prune(outcome)
    }

    /// Who reads the events sees that a gate was passed because somebody said so.
    fn told_allowed(&self, candidate: &Candidate) {
        let name = self.ctx.config.source.name.as_str();
        for said in &candidate.allowed {
            let news = News::info("Source", name, "GateAllowed", said);
            event::record(&self.ctx.events, &news.of(Some(&candidate.revision)));
        }
    }

    /// The repository, which may not have been there at first.
    async fn open(&mut self) -> Result<Source, Trouble> {
        if let Some(source) = &self.source {
            return Ok(source.clone());
        }
        let config = self.ctx.config.clone();
        let opened = tokio::task::spawn_blocking(|| Source::open(config)).await;
        let source = opened.map_err(|error| broken(&error))??;
        self.watch = Some(Watch::references(&source));
        self.source = Some(source.clone());
        Ok(source)
    }

    async fn fetch(&self, source: &Source) -> Result<Commit, Trouble> {
        let mut fetching = {
            let mut slot = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            slot.take()
        }
        .unwrap_or_else(|| {
            let source = source.clone();
            tokio::task::spawn_blocking(move || source.fetch())
        });
        let patience = self.ctx.config.source.timeout.saturating_add(PATIENCE);
        match tokio::time::timeout(patience, &mut fetching).await {
            Ok(Ok(fetched)) => Ok(fetched?),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => {
                // One at a time: the next pass waits for this one.
                let mut slot = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
                *slot = Some(fetching);
                let message = format!("git has not answered within {patience:?}");
                Err(Trouble::transient("GitOperationFailed", message))
            }
        }
    }

    /// Clears away what nothing needs any more.
    fn prune(&self, mut outcome: Outcome) -> Result<Outcome, Trouble> {
        if let Err(failure) = self.ctx.tokens.prune(Now::read().unix) {
            let reason = "StorageOperationFailed";
            outcome.degraded.push((reason, failure.to_string()));
        }
        Ok(outcome)
    }
}

async fn compile(
    rollout: &Rollout,
    desk: &Desk,
    source: Source,
    (commit, own): (&Commit, Option<PathBuf>),
) -> Result<Candidate, Trouble> {
    let asked = Asked {
        source: source.clone(),
        commit: commit.clone(),
        own,
    };
    let wanted = commit.clone();
    let world = move || {
        // A commit that was just fetched and cannot be read: what was fetched is damaged.
        source.world(&wanted).map_err(|failure| {
            if let Failure::Transient(_) | Failure::Damaged(_) = failure
                && let Err(error) = source.discard_cache()
            {
                tracing::error!(%error, "the cache of the repository cannot be removed");
            }
            Trouble::from(failure).about(&wanted.id)
        })
    };
    rollout.compile(desk, asked, world).await
}

/// Would judging the same commit again give the same?
fn is_final(outcome: &Result<Outcome, Trouble>) -> bool {
    match outcome {
        Ok(outcome) => outcome
            .degraded
            .iter()
            .all(|(reason, _)| *reason != "StorageOperationFailed"),
        // Who may sign and which gates hold is written in files of the operator, which may have changed; an operator may want a
        // rollout to be tried again; and another source may give up a mesh.
        Err(trouble) => {
            trouble.kind == Kind::Stalled
                && !["RolloutFailed", "MeshOfAnotherSource"].contains(&trouble.reason)
                && !UNVERIFIED.contains(&trouble.reason)
                && !gates::REASONS.contains(&trouble.reason)
        }
    }
}

fn broken(error: &tokio::task::JoinError) -> Trouble {
    Trouble::transient(
        "GitOperationFailed",
        format!("reading git broke down: {error}"),
    )
}
