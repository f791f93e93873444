//! What meshd needs to know before anybody can join: keys and issuers of tokens, signers elsewhere, the secret of sealed keys.
//!
//! Never starts with a part of it: what the settings name must be readable.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::{Failure, until};
use crate::authority::Gate;
use crate::ca::Seal;
use crate::drift::Drift;
use crate::event::Events;
use crate::expiry::Expiry;
use crate::oidc::Issuers;
use crate::registry::Now;
use crate::revocation::Revocations;
use crate::rotation::Rotation;
use crate::secret;
use crate::settings::Settings;
use crate::signer::Signers;
use crate::state::StateDir;
use crate::token::{self, Tokens};

/// Between two looks at what is revoked; with the look of the delivery server it makes less than a minute.
const REVOCATIONS_EVERY: Duration = Duration::from_secs(10);

/// Who may join, and who signs.
pub(super) struct Identity(
    pub(super) Arc<Tokens>,
    pub(super) Arc<Issuers>,
    pub(super) Signers,
);

impl Identity {
    pub(super) async fn open(settings: &Settings, state: &Arc<StateDir>) -> Result<Self, Failure> {
        token::open(state)?;
        let keys: Vec<PathBuf> = settings.identity.token_keys.clone();
        let tokens = Tokens::new(Arc::clone(state), keys);
        tokens.look()?;
        let issuers = Issuers::new(&settings.identity.issuer).map_err(Failure::System)?;
        let signers = Signers::new(&settings.signers).map_err(Failure::System)?;
        signers.look().await;
        Ok(Self(Arc::new(tokens), Arc::new(issuers), signers))
    }
}

/// The state directory, whose keys are sealed where the settings say so.
pub(super) fn state(root: &Path, settings: &Settings) -> Result<StateDir, Failure> {
    let secret: Option<Zeroizing<String>> = match &settings.ca.seal_file {
        Some(file) => Some(secret::read(file).map_err(Failure::System)?),
        None => None,
    };
    Ok(StateDir::open(root)?.sealed_by(secret.map(Seal::new)))
}

/// What is looked after for as long as meshd runs: what is revoked, what signers are trusted by, what ends soon.
pub(super) fn watch(
    tasks: &mut JoinSet<()>,
    gate: &Arc<Gate>,
    (state, events): (&Arc<StateDir>, &Arc<Events>),
    signers: Signers,
    stop: &watch::Sender<bool>,
) {
    tasks.spawn(look_for_revocations(
        Arc::clone(gate),
        Arc::clone(state),
        stop.subscribe(),
    ));
    tasks.spawn(until(signers.keep_looking(), stop.subscribe()));
    let (registry, ends) = (Arc::clone(&gate.registry), gate.control.not_after());
    let told = Expiry::default().watch(registry, ends, Arc::clone(events));
    tasks.spawn(until(told, stop.subscribe()));
    let registry = Arc::clone(&gate.registry);
    let told = Drift::default().watch(registry, Arc::clone(events));
    tasks.spawn(until(told, stop.subscribe()));
    let registry = Arc::clone(&gate.registry);
    let told = Rotation::default().watch(registry, Arc::clone(events));
    tasks.spawn(until(told, stop.subscribe()));
}

async fn look_for_revocations(
    gate: Arc<Gate>,
    state: Arc<StateDir>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(REVOCATIONS_EVERY) => {}
            () = gate.again.notified() => {}
        }
        revoke(&gate, &state).await;
    }
}

pub(super) async fn revoke(gate: &Arc<Gate>, state: &Arc<StateDir>) {
    for source in gate.sources.each() {
        source.rollout.settle_outgrown(Now::read().unix).await;
    }
    let (state, asked) = (Arc::clone(state), Arc::clone(gate));
    let read = tokio::task::spawn_blocking(move || {
        let now = Now::read().unix;
        asked
            .end_revoked_tokens(now)
            .map_err(|error| error.to_string())?;
        Revocations::read(&state, now)
    });
    match read.await.map_err(|error| error.to_string()).flatten() {
        Ok(revocations) => gate.revoke(revocations).await,
        Err(error) => tracing::error!(error, "what is revoked cannot be read"),
    }
}
