//! What `meshd.toml` says about the world outside: the repository, and who may knock.
//!
//! Never takes a setting that is not heeded.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::listening::{address, listen};
use super::{Failure, told, until};
use crate::commit_status::{self, Statements};
use crate::event::Events;
use crate::git::SourceConfig;
use crate::hooks::{Doorbell, Hooks};
use crate::notification;
use crate::settings::Settings;
use crate::state::StateDir;

/// Ready to be used.
pub(super) struct Outside {
    /// One for each source.
    pub(super) followed: Vec<Followed>,
    pub(super) helpers: Helpers,
}

/// One repository.
pub(super) struct Followed {
    pub(super) source: SourceConfig,
    pub(super) bell: Arc<Doorbell>,
    /// Where the outcome of commits is handed in, if anybody is told.
    pub(super) statements: Option<Arc<Statements>>,
}

/// What works beside the passes.
#[derive(Default)]
pub(super) struct Helpers {
    hooks: Option<(Arc<Hooks>, TcpListener)>,
    /// Who tells others.
    tellers: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Helpers {
    /// Puts everybody to work. Returns where webhooks are taken, if anywhere.
    pub(super) fn begin(
        self,
        tasks: &mut JoinSet<()>,
        stop: &watch::Sender<bool>,
    ) -> Result<Option<SocketAddr>, Failure> {
        for teller in self.tellers {
            tasks.spawn(until(teller, stop.subscribe()));
        }
        let Some((hooks, listener)) = self.hooks else {
            return Ok(None);
        };
        let webhooks = address(&listener)?;
        tracing::info!(%webhooks, "webhooks are taken");
        tasks.spawn(told("webhooks", hooks.serve(listener, stop.subscribe())));
        Ok(Some(webhooks))
    }
}

impl Outside {
    pub(super) async fn open(
        settings: &Settings,
        state: &StateDir,
        events: &Arc<Events>,
    ) -> Result<Self, Failure> {
        let mut helpers = Helpers::default();
        for to in &settings.notify {
            let teller = notification::tell(Arc::clone(events), to.clone());
            helpers.tellers.push(Box::pin(teller));
        }
        let mut followed = Vec::new();
        for source in &settings.sources {
            let statements = source.report.clone().map(|wanted| {
                let statements = Arc::new(Statements::default());
                let (name, told) = (source.name.clone(), Arc::clone(&statements));
                let teller = commit_status::write(name, wanted, told, Arc::clone(events));
                helpers.tellers.push(Box::pin(teller));
                statements
            });
            let cache = state.path("git").join(source.name.as_str());
            let source = source.clone();
            followed.push(Followed {
                source: SourceConfig { source, cache },
                bell: Arc::new(Doorbell::default()),
                statements,
            });
        }
        if let Some(webhook) = &settings.webhook {
            let listener = listen(webhook.listen).await?;
            let wake = followed.iter();
            let wake = wake.map(|it| (&it.source.source, Arc::clone(&it.bell)));
            let known = Hooks::new(wake, Arc::clone(events));
            helpers.hooks = Some((known, listener));
        }
        Ok(Self { followed, helpers })
    }
}
