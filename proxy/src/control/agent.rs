//! Certificates of an agent: waited for when a configuration needs one, taken over when another comes.
//!
//! Never keeps a configuration waiting for longer than it allows, and never takes away what is in use because the agent says
//! nothing, or something else.

use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::Key;
use mesh_bundle::resource::WorkloadIdentity;
use mesh_delivery::client::ClientError;
use tokio::time::{Instant, sleep_until};

use super::Control;
use super::plane::Plane;
use super::session::Running;
use crate::configuration::{Configuration, rejected_at};
use crate::identity::Credential;
use crate::workload_api::Agent;

/// Where a configuration sets no limit: as meshd has for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a configuration waits for the agent; `None`: it has none.
pub(super) fn patience(identity: &WorkloadIdentity) -> Option<Duration> {
    let agent = identity.agent.as_ref()?;
    Some(agent.timeout.limit().unwrap_or(PATIENCE))
}

impl<P: Plane> Control<P> {
    /// Begins to ask the agent, unless that has begun.
    pub(super) fn ask_agent(&mut self) -> &mut Agent {
        let socket = &self.settings.agent;
        self.agent
            .get_or_insert_with(|| Agent::start(socket.clone()))
    }

    /// Resolves when the agent says something new; never, where there is none.
    pub(super) fn agent_news(&self) -> impl Future<Output = ()> + Send + use<P> {
        let news = self.agent.as_ref().map(Agent::news);
        async move {
            match news {
                Some(news) => news.await,
                None => std::future::pending().await,
            }
        }
    }

    /// For a configuration from disk, without which nothing is served: also without a certificate something may be.
    pub(super) async fn wait_for_agent(
        &mut self,
        configuration: &Configuration,
    ) -> Option<Arc<Credential>> {
        let identity = configuration.identity()?;
        let until = Instant::now() + patience(identity)?;
        loop {
            let agent = self.ask_agent();
            agent.has_news();
            let reason = match agent.certificate(&identity.spiffe_id) {
                Ok(found) => return Some(found),
                Err(reason) => reason,
            };
            tokio::select! {
                () = agent.news() => {}
                () = sleep_until(until) => {
                    let id = identity.spiffe_id.as_str();
                    tracing::error!(spiffe_id = id, reason, "the SPIFFE agent gives no certificate: mTLS fails until it does");
                    return None;
                }
            }
        }
    }

    /// Waits, and takes meanwhile what the agent gives.
    pub(super) async fn rest(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        loop {
            self.follow_agent().await;
            let news = self.agent_news();
            tokio::select! {
                () = news => {}
                () = sleep_until(until) => return,
            }
        }
    }

    /// Takes over what the agent has given since this was last asked.
    pub(super) async fn follow_agent(&mut self) {
        let (Some(agent), Some(serving)) = (&mut self.agent, &self.serving) else {
            return;
        };
        let identity = serving.configuration.identity();
        let Some(identity) = identity.filter(|identity| identity.agent.is_some()) else {
            return;
        };
        if !agent.has_news() {
            return;
        }
        let id = identity.spiffe_id.clone();
        let given = match agent.certificate(&id) {
            Ok(given) => given,
            Err(reason) => {
                tracing::warn!(
                    spiffe_id = id.as_str(),
                    reason,
                    "the SPIFFE agent gives no certificate; what was given before is used until it ends"
                );
                return;
            }
        };
        let used = serving.svid.as_ref();
        if used.is_some_and(|used| used.is_same_as(&given)) {
            return;
        }
        let configuration = serving.configuration.clone();
        match self.adopt(configuration, Some(given)).await {
            Ok(()) => tracing::info!(
                spiffe_id = id.as_str(),
                "certificate of the SPIFFE agent taken over"
            ),
            Err(reason) => {
                tracing::warn!(%reason, "the certificate of the SPIFFE agent could not be put to use");
            }
        }
    }
}

impl<P: Plane> Running<'_, P> {
    /// Gives a configuration that waits for the agent what it waits for, or refuses it when its time is over.
    pub(super) async fn follow_agent(&mut self) -> Result<(), ClientError> {
        let waiting = self.waiting.as_ref().and_then(Configuration::identity);
        let Some(id) = waiting
            .filter(|identity| identity.agent.is_some())
            .map(|identity| identity.spiffe_id.clone())
        else {
            self.control.follow_agent().await;
            return Ok(());
        };
        let agent = self.control.ask_agent();
        agent.has_news();
        match agent.certificate(&id) {
            Ok(given) => match self.waiting.take() {
                Some(configuration) => self.apply(configuration, Some(given)).await,
                None => Ok(()),
            },
            Err(reason)
                if self
                    .agent_until
                    .is_some_and(|until| until <= Instant::now()) =>
            {
                let Some(configuration) = self.waiting.take() else {
                    return Ok(());
                };
                self.reopen_later();
                let reason = format!("the SPIFFE agent gives no certificate of `{id}`: {reason}");
                let rejected = rejected_at(Key::Proxy, reason);
                self.nack(configuration.received.root, rejected).await
            }
            Err(_) => Ok(()),
        }
    }
}
