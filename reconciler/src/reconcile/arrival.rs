//! Has a commit arrived at every proxy that is connected? Asked where the forge is to be told that, and not only that it is published.
//!
//! Never of a commit that is not served any more: the forge hears of the one that is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Ctx, Outcome, Trouble};
use crate::commit_status::{Statement, Statements};
use crate::registry::{Registry, Seen, Standing};
use crate::rollout::Rollout;

/// Acknowledgements of a fleet are looked at a few times, not one by one.
const BREATH: Duration = Duration::from_millis(100);

impl Ctx {
    /// The outcome beside the commit, at the forge.
    pub(super) fn state(&self, outcome: &Result<Outcome, Trouble>) {
        let said = Statement::of(outcome);
        let (Some(statements), Some(said)) = (&self.statements, said) else {
            return;
        };
        let report = self.config.source.report.as_ref();
        match outcome {
            Ok(outcome) if report.is_some_and(|report| report.acknowledged) => {
                statements.say(said.on_its_way());
                let seen = (Arc::clone(&self.registry), Arc::clone(&self.rollout));
                let told = tell(seen, outcome.revision.clone(), Arc::clone(statements));
                // It ends when the commit has arrived, or is served no more.
                tokio::spawn(told);
            }
            _ => statements.say(said),
        }
    }
}

/// Waits until every connected proxy has answered to this commit, and says so.
async fn tell(
    (registry, rollout): (Arc<Registry>, Arc<Rollout>),
    revision: String,
    statements: Arc<Statements>,
) {
    let begin = Instant::now();
    let mut changed = registry.watch();
    loop {
        let served = rollout.served();
        if served.is_none_or(|(served, _)| served != revision) {
            return;
        }
        if let Some(said) = said(
            &registry.proxies(Some(rollout.place().name()), Instant::now()),
            &revision,
            begin.elapsed(),
        ) {
            return statements.say(said);
        }
        if changed.changed().await.is_err() {
            return;
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// What is to be said; `None`: somebody has not answered yet.
fn said(proxies: &[Seen], revision: &str, after: Duration) -> Option<Statement> {
    let count = |standing| {
        let those = proxies.iter().filter(|seen| seen.standing == standing);
        those.count()
    };
    let (held, refused) = (count(Standing::Acked), count(Standing::Nacked));
    if count(Standing::Pending) > 0 {
        return None;
    }
    let connected = held + refused;
    let after = after.as_secs_f64();
    Some(match refused {
        0 => Statement::arrived(
            revision,
            &format!("held by all {connected} connected proxies after {after:.1} s"),
        ),
        _ => Statement::refused(
            revision,
            &format!("refused by {refused} of {connected} connected proxies"),
        ),
    })
}
