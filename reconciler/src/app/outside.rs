//! What `meshd.toml` says about the world outside: the repository, and who may knock.
//!
//! Never takes a setting that is not heeded.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Failure, address, listen, told};
use crate::event::Events;
use crate::git::SourceConfig;
use crate::hooks::{Doorbell, Hooks};
use crate::settings::Settings;
use crate::state::StateDir;

/// Ready to be used.
pub(super) struct Outside {
    pub(super) source: SourceConfig,
    pub(super) bell: Arc<Doorbell>,
    pub(super) helpers: Helpers,
}

/// What works beside the passes.
#[derive(Default)]
pub(super) struct Helpers {
    hooks: Option<(Arc<Hooks>, TcpListener)>,
}

impl Helpers {
    /// Puts everybody to work. Returns where webhooks are taken, if anywhere.
    pub(super) fn begin(
        self,
        tasks: &mut JoinSet<()>,
        stop: &watch::Sender<bool>,
    ) -> Result<Option<SocketAddr>, Failure> {
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
        let [source] = settings.sources.as_slice() else {
            let why = "several sources in one meshd are not supported yet: run one for each";
            return Err(Failure::System(why.to_owned()));
        };
        let bell = Arc::new(Doorbell::default());
        let mut helpers = Helpers::default();
        if let Some(webhook) = &settings.webhook {
            let listener = listen(webhook.listen).await?;
            let known = Hooks::new([(source, Arc::clone(&bell))], Arc::clone(events));
            helpers.hooks = Some((known, listener));
        }
        let source = source.clone();
        let cache = state.path("git").join(source.name.as_str());
        Ok(Self {
            source: SourceConfig { source, cache },
            bell,
            helpers,
        })
    }
}
