//! What is served from the beginning: what each source served when meshd ended, or what its repository has.
//!
//! Never keeps what one source has waiting for another that cannot be read.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Failure;
use super::outside::Followed;
use crate::admin::Metrics;
use crate::reconcile::{Ctx, Kind, Outcome, Reconciler, Trouble};
use crate::rollout::{Rollout, Shared};
use crate::settings::Etcd;
use crate::share;
use crate::sources::{self, Meshes, Source, Sources};
use crate::status::Status;
use crate::token::Tokens;

/// Every source, before it is looked at.
pub(super) struct Begun {
    sources: Arc<Sources>,
    reconcilers: Vec<Reconciler>,
    metrics: Arc<Metrics>,
}

impl Begun {
    pub(super) fn new(
        shared: &Shared,
        followed: Vec<Followed>,
        (tokens, metrics): (Arc<Tokens>, Arc<Metrics>),
        among_others: bool,
    ) -> Result<Self, Failure> {
        let names = followed.iter();
        let names: Vec<String> = names.map(|it| it.source.source.name.to_string()).collect();
        let directories = sources::open(shared.state(), &names).map_err(Failure::System)?;
        let (mut list, mut reconcilers) = (Vec::new(), Vec::new());
        let places = Meshes::among(names);
        for ((followed, place), own) in followed.into_iter().zip(places).zip(directories) {
            let rollout = Rollout::new(shared.clone(), place, own, &followed.source);
            if among_others {
                rollout.among_others();
            }
            let source = Source {
                rollout: Arc::new(rollout),
                status: Arc::new(Status::new()),
                bell: followed.bell,
            };
            reconcilers.push(Reconciler::new(Ctx {
                config: followed.source,
                bell: Arc::clone(&source.bell),
                rollout: Arc::clone(&source.rollout),
                status: Arc::clone(&source.status),
                tokens: Arc::clone(&tokens),
                metrics: Arc::clone(&metrics),
                events: Arc::clone(shared.events()),
                statements: followed.statements,
                registry: Arc::clone(shared.registry()),
            }));
            list.push(source);
        }
        let mut list = list.into_iter();
        let none = || Failure::System("the settings name no source".to_owned());
        let first = list.next().ok_or_else(none)?;
        Ok(Self {
            sources: Arc::new(Sources::new(first, list.collect())),
            reconcilers,
            metrics,
        })
    }

    pub(super) fn sources(&self) -> Arc<Sources> {
        Arc::clone(&self.sources)
    }

    pub(super) fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Restores, or makes the first pass of each; all have failed where none leaves anything to serve nor a commit to mend.
    /// Returns when each is to be looked at next.
    pub(super) async fn begin(
        self,
        etcd: Option<&Etcd>,
    ) -> Result<Vec<(Reconciler, Duration)>, Failure> {
        let mut restored = Vec::new();
        for source in self.sources.each() {
            restored.push(restore(source).await?);
        }
        // One more meshd, or a source that is new here: what the others serve counts before any order.
        if let Some(etcd) = etcd.filter(|_| restored.contains(&false) && !self.sources.alone()) {
            share::hear(etcd, &self.sources).await;
        }
        let mut waits = Vec::new();
        if restored.contains(&true) {
            // What can be served is; the others are looked at beside that.
            waits.extend(self.reconcilers.into_iter().map(|it| (it, Duration::ZERO)));
            return Ok(waits);
        }
        let mut passes = JoinSet::new();
        for (index, mut reconciler) in self.reconcilers.into_iter().enumerate() {
            passes.spawn(async move {
                let (wait, outcome) = reconciler.reconcile().await;
                (index, reconciler, wait, outcome)
            });
        }
        let mut ended = Vec::new();
        while let Some(pass) = passes.join_next().await {
            ended.push(pass.map_err(|error| Failure::System(error.to_string()))?);
        }
        ended.sort_by_key(|(index, ..)| *index);
        let (mut hopeless, all) = (Vec::new(), ended.len());
        for (_, reconciler, wait, outcome) in ended {
            let why = fatal(outcome);
            hopeless.extend(why.map(|why| match all {
                1 => why,
                _ => format!("{}: {why}", reconciler.name()),
            }));
            waits.push((reconciler, wait));
        }
        match hopeless.len() == all {
            true => Err(Failure::Repository(hopeless.join("; "))),
            false => Ok(waits),
        }
    }
}

/// What was served when meshd ended is served again. Whether there was something.
async fn restore(source: &Source) -> Result<bool, Failure> {
    let Source {
        rollout, status, ..
    } = source;
    let name = source.name();
    if let Some(suspended) = rollout.suspended() {
        tracing::warn!(source = name, reason = suspended.reason, message = %suspended.message, "git is not followed");
        status.suspend(Some(suspended));
    }
    let Some((revision, digest)) = rollout.restore().await? else {
        return Ok(false);
    };
    tracing::info!(source = name, %revision, %digest, "restored");
    status.restored(&revision, digest);
    rollout.place().begun();
    Ok(true)
}

/// Why a first pass leaves nothing to hope for.
fn fatal(outcome: Result<Outcome, Trouble>) -> Option<String> {
    match outcome {
        Ok(_) => None,
        // An operator can say that git is to be followed while meshd runs.
        Err(trouble) if trouble.kind == Kind::Suspended => None,
        // A commit can be mended while meshd runs; a repository that is not there is most likely a mistake on the
        // command line.
        Err(Trouble {
            kind: Kind::Stalled | Kind::Waiting(_),
            revision: Some(_),
            ..
        }) => None,
        Err(trouble) => Some(trouble.message),
    }
}
