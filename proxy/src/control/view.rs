//! What the control side shows of itself: to the admin endpoint, to the boot order, to tests.
//!
//! Never a secret: keys are not in here.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::{Digest, SpiffeId};

use crate::world::World;

/// How the proxy is.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// What is applied.
    pub(crate) applied: Option<Applied>,
    /// A session with meshd is open.
    pub(crate) connected: bool,
    /// Why it is not, or why the last configuration was not applied.
    pub(crate) trouble: Option<String>,
    /// The end is near: no new traffic.
    pub(crate) draining: bool,
    /// meshd was told so.
    pub(crate) farewell: bool,
    /// Section names of inbounds whose workload does not answer, see [`crate::workload`].
    pub(crate) unhealthy: BTreeSet<String>,
    /// When the control certificate ends, seconds since 1970.
    pub(crate) control_not_after: Option<u64>,
}

/// The world that traffic is decided by.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) world: Arc<World>,
}

impl Applied {
    pub(super) fn new(world: World) -> Self {
        let world = Arc::new(world);
        Self { world }
    }

    pub(crate) fn root(&self) -> Digest {
        self.world.root
    }

    pub(crate) fn spiffe_id(&self) -> Option<&SpiffeId> {
        self.world.svid.as_ref().map(|svid| &svid.spiffe_id)
    }

    pub(crate) fn certificate_not_after(&self) -> Option<u64> {
        self.world.svid.as_ref().map(|svid| svid.not_after)
    }
}

impl View {
    /// Why no traffic should be sent here; `None`: it should.
    pub(crate) fn unready(&self, now: u64) -> Option<&'static str> {
        let Some(applied) = &self.applied else {
            return Some("no configuration is applied yet");
        };
        if self.draining {
            return Some("draining");
        }
        let world = &applied.world;
        if world.config.proxy.identity.is_some() && world.svid.is_none() {
            return Some("there is no certificate yet");
        }
        let ended = applied.certificate_not_after().is_some_and(|end| now > end);
        ended.then_some("the certificate has ended")
    }
}
