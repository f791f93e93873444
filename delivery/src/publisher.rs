//! meshd's half of a session: what one proxy is wanted to hold, and which messages get it there.
//!
//! Never does I/O, and never queues more than one change: what is wanted meanwhile replaces what was wanted before.
//!
//! The order of what it says, for one wanted world: its secrets, endpoints of every cluster that the world names, then the change
//! itself, then, once that is acknowledged, the withdrawal of endpoints that nothing names any more. A proxy therefore
//! knows where to send traffic before it is told to, and for as long as it may.

mod change;
mod endpoints;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::{Digest, Manifest};

use crate::message::{Secrets, TRAFFIC, ToProxy};
use change::Change;
use endpoints::Told;

pub use wanted::{Unpublishable, Wanted};

/// One session, as meshd sees it. Give it [what is wanted](Publisher::want) and what the proxy answers, send what
/// [`Publisher::next_message`] says.
#[derive(Debug)]
pub struct Publisher {
    wanted: Option<Arc<Wanted>>,
    /// The world whose endpoints were told last.
    told: Option<Arc<Wanted>>,
    held: Held,
    change: Option<Change>,
    /// Not sent again until something else is wanted.
    refused: Option<Digest>,
    endpoints: Told,
    /// Told last. A proxy that has been told nothing may hold those of an earlier session.
    secrets: Option<Arc<Secrets>>,
    measures: Measures,
}

/// What the proxy was told of its traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measures {
    /// Nothing, as it would not understand it.
    Never,
    /// To tell it so often; `None`: nothing yet.
    Told(Option<Duration>),
}

/// What the proxy holds.
#[derive(Debug)]
enum Held {
    Nothing,
    /// It said so, and nobody knows what is in there.
    Unknown(Digest),
    Known(Digest, Arc<Manifest>),
}

/// The proxy answered what it was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy answers a change to {root} that waits for no answer")]
pub struct Unasked {
    /// What it answered.
    pub root: Digest,
}

/// The proxy told what it was not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy tells its traffic, and nobody has asked")]
pub struct Unmeasured;

impl Publisher {
    /// A session whose Hello named `root`. `known` is what an earlier session of this proxy acknowledged last: where the
    /// two agree, the first change is a difference.
    #[must_use]
    pub fn new(root: Option<Digest>, known: Option<(Digest, Arc<Manifest>)>) -> Self {
        let held = match (root, known) {
            (None, _) => Held::Nothing,
            (Some(root), Some((digest, manifest))) if root == digest => Held::Known(root, manifest),
            (Some(root), _) => Held::Unknown(root),
        };
        Self {
            wanted: None,
            told: None,
            held,
            change: None,
            refused: None,
            endpoints: Told::default(),
            secrets: None,
            measures: Measures::Never,
        }
    }

    /// A session of a proxy that can do more than the first version of the protocol asks for.
    #[must_use]
    pub fn with(mut self, capabilities: &BTreeSet<String>) -> Self {
        if capabilities.contains(TRAFFIC) {
            self.measures = Measures::Told(None);
        }
        self
    }

    /// From now on this is wanted, whatever was before.
    pub fn want(&mut self, wanted: Arc<Wanted>) {
        if self.refused != Some(wanted.root()) {
            self.refused = None;
        }
        if matches!(self.held, Held::Unknown(root) if root == wanted.root()) {
            self.held = Held::Known(wanted.root(), wanted.manifest().clone());
        }
        self.wanted = Some(wanted);
    }

    /// The next message, or `None` until something is wanted or answered.
    pub fn next_message(&mut self) -> Option<ToProxy> {
        if let Some(message) = self.endpoints.next() {
            return Some(ToProxy::Endpoints(message));
        }
        if let Some(update) = self.change.as_mut().and_then(Change::next) {
            return Some(ToProxy::Update(update));
        }
        let wanted = self.wanted.clone()?;
        if let Some(secrets) = self.new_secrets(&wanted) {
            return Some(ToProxy::Secrets(secrets));
        }
        if let Some(every) = self.new_measure(&wanted) {
            return Some(ToProxy::Measure { every });
        }
        let told = self.told.as_ref();
        // Every cluster of this root is told. Were newer endpoints told first each time, the change might never be.
        let prepared = told.is_some_and(|told| told.root() == wanted.root());
        if prepared && self.starts(&wanted) {
            return self.begin(wanted);
        }
        if !told.is_some_and(|told| Arc::ptr_eq(told, &wanted)) {
            self.endpoints.tell(wanted.shared_endpoints());
            self.told = Some(wanted);
            // Not deeper than once more: this world is told now.
            return self.next_message();
        }
        if self.is_settled() {
            return self.endpoints.withdraw().map(ToProxy::Endpoints);
        }
        None
    }

    /// The proxy applied what it was sent. Returns the revision that it came with.
    ///
    /// # Errors
    /// It was sent nothing that ends at this root, or not all of it.
    pub fn acked(&mut self, root: Digest) -> Result<String, Unasked> {
        let change = self.answered(root)?;
        self.held = Held::Known(change.root, change.manifest);
        Ok(change.revision)
    }

    /// The proxy refused what it was sent, and holds what it held. Returns the revision that it came with.
    ///
    /// # Errors
    /// It was sent nothing that ends at this root, or not all of it.
    pub fn nacked(&mut self, root: Digest) -> Result<String, Unasked> {
        let change = self.answered(root)?;
        let newest = self.wanted.as_ref().map(|wanted| wanted.root());
        self.refused = (newest == Some(root)).then_some(root);
        Ok(change.revision)
    }

    /// The proxy told its traffic.
    ///
    /// # Errors
    /// It was never asked for it on this session.
    pub fn measured(&self) -> Result<(), Unmeasured> {
        match self.measures {
            // What it told before it heard that it need not any more may still come.
            Measures::Told(Some(_)) => Ok(()),
            Measures::Told(None) | Measures::Never => Err(Unmeasured),
        }
    }

    /// A whole change is sent, and the proxy has not answered.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        self.change.as_ref().is_some_and(Change::is_sent)
    }

    /// The proxy holds the newest configuration that is wanted.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let wanted = self.wanted.as_ref().map(|wanted| wanted.root());
        self.change.is_none() && wanted.is_some() && self.held_root() == wanted
    }

    /// What the proxy acknowledged last, for the session after this one.
    #[must_use]
    pub fn acknowledged(&self) -> Option<(Digest, Arc<Manifest>)> {
        match &self.held {
            Held::Known(root, manifest) => Some((*root, manifest.clone())),
            Held::Nothing | Held::Unknown(_) => None,
        }
    }

    /// Where nothing was needed so far and nothing is, there is nothing to say: a proxy forgets by itself what its
    /// configuration does not refer to.
    fn new_secrets(&mut self, wanted: &Wanted) -> Option<Secrets> {
        let secrets = wanted.secrets();
        let same = match &self.secrets {
            Some(told) => told == secrets,
            None => secrets.0.is_empty(),
        };
        if same {
            return None;
        }
        self.secrets = Some(Arc::clone(secrets));
        Some((**secrets).clone())
    }

    fn new_measure(&mut self, wanted: &Wanted) -> Option<Duration> {
        let Measures::Told(told) = self.measures else {
            return None;
        };
        let every = wanted.measured();
        if told.unwrap_or_default() == every {
            return None;
        }
        self.measures = Measures::Told(Some(every));
        Some(every)
    }

    fn held_root(&self) -> Option<Digest> {
        match self.held {
            Held::Nothing => None,
            Held::Unknown(root) | Held::Known(root, _) => Some(root),
        }
    }

    fn starts(&self, wanted: &Wanted) -> bool {
        let root = Some(wanted.root());
        self.change.is_none() && self.held_root() != root && self.refused != root
    }

    fn begin(&mut self, wanted: Arc<Wanted>) -> Option<ToProxy> {
        let base = match &self.held {
            Held::Known(_, manifest) => Some(manifest.as_ref()),
            Held::Nothing | Held::Unknown(_) => None,
        };
        let change = self.change.insert(Change::new(base, wanted));
        change.next().map(ToProxy::Update)
    }

    fn answered(&mut self, root: Digest) -> Result<Change, Unasked> {
        self.change
            .take_if(|change| change.root == root && change.is_sent())
            .ok_or(Unasked { root })
    }
}
