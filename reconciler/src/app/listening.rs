//! Where meshd is spoken to: by proxies, and by operators over the network and on the machine itself.
//!
//! Never takes long: what is in the way of an address is told before anything else is done.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Config, Failure, system, told};
use crate::admin::{Admin, AdminToken};
use crate::control;
use crate::state::StateDir;

/// What is bound, and not accepted from yet.
pub(super) struct Listening {
    delivery: TcpListener,
    admin: TcpListener,
    control: UnixListener,
    token: AdminToken,
}

impl Listening {
    pub(super) async fn open(config: &Config, state: &StateDir) -> Result<Self, Failure> {
        let token = AdminToken::new(config.admin_token.clone());
        let listening = Self {
            delivery: listen(config.listen).await?,
            admin: listen(config.admin).await?,
            control: control::listen(state).map_err(Failure::System)?,
            token,
        };
        // One that could not be checked later is told now.
        listening.token.read().map_err(Failure::System)?;
        Ok(listening)
    }

    /// Those for proxies and for operators.
    pub(super) fn addresses(&self) -> Result<(SocketAddr, SocketAddr), Failure> {
        Ok((address(&self.delivery)?, address(&self.admin)?))
    }

    /// Answers operators: whoever may open the socket, and whoever has the token. What is left is for proxies.
    pub(super) fn answer(
        self,
        tasks: &mut JoinSet<()>,
        answers: &Arc<Admin>,
        stop: &watch::Sender<bool>,
    ) -> TcpListener {
        let local = Arc::clone(answers).control(self.control, stop.subscribe());
        tasks.spawn(told("control", local));
        let remote = Arc::clone(answers).serve(self.admin, self.token, stop.subscribe());
        tasks.spawn(told("admin", remote));
        self.delivery
    }
}

pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| Failure::Listen { address, source })
}

pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(|error| system(&error))
}
