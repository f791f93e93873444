//! What the server asks meshd: who may come in, what he shall hold, and what became of it.
//!
//! Never implemented here: meshd knows the tokens, the keys and the bundle.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use mesh_bundle::{Digest, Key, Kri};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;

use crate::message::{Certificate, Denied, Enrolled, Enrollment, Hello, ProxyName};
use crate::publisher::Wanted;
use crate::traffic::Traffic;

/// The part of meshd that a server answers for.
pub trait Authority: Send + Sync + 'static {
    /// Trades a join token for a control certificate. Called without any proof but the token.
    fn enroll(
        &self,
        request: Enrollment,
        remote: SocketAddr,
    ) -> impl Future<Output = Result<Enrolled, Denied>> + Send;

    /// Who holds this chain (leaf first), which TLS has verified. Asked again at least once a minute on a live session,
    /// which ends as soon as it denies; [`Denied::Unavailable`] refuses a new session, and leaves a live one alone.
    ///
    /// # Errors
    /// The certificate is not a control certificate, or it is revoked.
    fn admit(&self, peer: &[CertificateDer<'_>]) -> Result<ProxyName, Denied>;

    /// What a proxy shall hold, as it changes. `None`: there is no such Dataplane, the session is refused; a sender
    /// that is dropped ends it. `None` inside: nothing to deliver yet.
    fn wanted(&self, proxy: &ProxyName) -> Option<watch::Receiver<Option<Arc<Wanted>>>>;

    /// Issues a certificate whose name comes from the bundle, never from the request; that of a control certificate from
    /// the one that the peer of the session has shown.
    fn issue(
        &self,
        proxy: &ProxyName,
        peer: &[CertificateDer<'_>],
        issuer: Option<&Kri>,
        csr: &[u8],
    ) -> impl Future<Output = Result<Certificate, Denied>> + Send;

    /// What happened on a session. Called in order for one session; must not wait.
    fn report(&self, proxy: &ProxyName, report: Report);
}

/// What happened on a session. Sessions have numbers, because a new one is connected before the one that it replaces
/// is disconnected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Admitted.
    Connected {
        /// Grows with every session of this process.
        session: u64,
        /// What the proxy said of itself.
        hello: Hello,
    },
    /// The proxy holds what was wanted.
    Acked {
        /// The session.
        session: u64,
        /// Of what it holds.
        root: Digest,
        /// That it came with.
        revision: String,
    },
    /// The proxy holds what it held before.
    Nacked {
        /// The session.
        session: u64,
        /// Of what it refused.
        root: Digest,
        /// That it came with.
        revision: String,
        /// The resource; `None`: the change as a whole.
        key: Option<Key>,
        /// JSON pointer into the resource.
        pointer: String,
        /// In words.
        reason: String,
    },
    /// How the proxy is.
    Status {
        /// The session.
        session: u64,
        /// Listeners are open and certificates held.
        ready: bool,
        /// About to stop.
        draining: bool,
        /// Section names of inbounds whose workload does not answer.
        unhealthy: BTreeSet<String>,
    },
    /// What went through the proxy, as it says: any numbers. Only where it was asked for.
    Traffic {
        /// The session.
        session: u64,
        /// The numbers.
        traffic: Box<Traffic>,
    },
    /// The last report of a session.
    Disconnected {
        /// The session.
        session: u64,
    },
}
