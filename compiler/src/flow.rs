//! What becomes of a request or a connection on its way between two workloads: who is asked, which rule decides it, what
//! limits it, each with its line.
//!
//! Never decides: every answer is one of `mesh_bundle::decide`, which the proxies ask too. Never knows who is alive: it
//! answers for a mesh in which everybody who is declared is there.
//!
//! [`Flows`] indexes a bundle once. [`Flows::follow`] follows one request from a proxy to the inbounds that may serve it,
//! [`Flows::arrival`] asks one inbound about anybody. [`classes`] and [`callers`] are what there is to ask about: so many
//! requests and identities that every rule is told apart from every other, and no more.

mod arrival;
mod asked;
pub mod callers;
pub mod classes;
mod index;
mod outbound;
mod witness;

use mesh_bundle::decide::{BadPath, BadPattern};
use mesh_bundle::resource::{
    Cluster, Destination, HttpRoute, Outbound, RequestRetry, Retry, TcpRoute, Timeouts,
    WeightedBackend,
};
use mesh_bundle::{Digest, Kri, Origin};

pub use arrival::{Arrival, Entrance, Listed, PermissionList};
pub use asked::Asked;
pub use index::{Flows, Node, Server};

/// What becomes of one request or connection.
#[derive(Debug, Clone)]
pub struct Flow<'b> {
    /// Whose workload sends it.
    pub client: Node<'b>,
    /// The listener that it is sent to.
    pub outbound: &'b Outbound,
    /// Where that leads.
    pub destination: &'b Destination,
    /// Equal destinations have equal digests.
    pub digest: Digest,
    /// Which rule it takes.
    pub route: Route<'b>,
    /// What that rule does with it.
    pub fate: Fate<'b>,
}

/// The rule that a request or connection takes.
#[derive(Debug, Clone)]
pub enum Route<'b> {
    /// By request.
    Http {
        /// Its place in the order of trying.
        position: usize,
        /// The rule.
        taken: &'b HttpRoute,
        /// Rules that are tried before it, and why they are not about this request.
        passed: Vec<(&'b HttpRoute, Mismatch)>,
        /// Rules that are about it too, and come too late.
        late: Vec<&'b HttpRoute>,
    },
    /// By connection.
    Tcp {
        /// The only rule.
        taken: &'b TcpRoute,
    },
}

/// The first part of a match that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// Another method.
    Method,
    /// Another path.
    Path,
    /// This header.
    Header(String),
    /// This query parameter.
    Parameter(String),
}

/// What a rule does.
#[derive(Debug, Clone)]
pub enum Fate<'b> {
    /// Answered by the client's own proxy.
    Redirected {
        /// 3xx.
        status: u16,
        /// Where to.
        location: String,
    },
    /// Sent to one of these, each in proportion to its weight. Empty: answered with an error.
    Split(Vec<Share<'b>>),
}

/// One part of a split.
#[derive(Debug, Clone)]
pub struct Share<'b> {
    /// The reference.
    pub backend: &'b WeightedBackend,
    /// Of how many parts its weight is a share; never zero.
    pub of: u64,
    /// Where it ends.
    pub end: End<'b>,
}

/// Where a part of the traffic ends.
#[derive(Debug, Clone)]
pub enum End<'b> {
    /// The reference leads nowhere: 500, or a closed connection.
    Unresolved,
    /// Outside of the mesh.
    Outside {
        /// With the addresses.
        cluster: &'b Cluster,
    },
    /// At proxies of the mesh.
    Mesh {
        /// What is known of them as a whole.
        cluster: &'b Cluster,
        /// By mTLS, or as plaintext.
        tls: bool,
        /// What each of them says. Empty: nobody is there, 503.
        arrivals: Vec<Arrival<'b>>,
    },
}

/// How much of the traffic is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// None of it.
    No,
    /// Some of it: other servers, or other parts of a split, refuse it.
    Partly,
    /// All of it.
    Yes,
}

/// Why nothing becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoFlow {
    /// The bundle has no such proxy.
    #[error("there is no proxy `{0}`")]
    NoProxy(Box<Kri>),
    /// Its workload has no listener that leads there.
    #[error("`{}` has no outbound to `{port}`", client.name())]
    NoOutbound {
        /// Who.
        client: Box<Kri>,
        /// Where to.
        port: Box<Kri>,
    },
    /// A path that every proxy refuses with 400.
    #[error("{0}")]
    BadPath(BadPath),
    /// The bundle has an expression that is none; it was not made by this compiler.
    #[error("{0}")]
    BadPattern(BadPattern),
}

impl Reach {
    /// Of traffic that falls on several places, each with what becomes of it there.
    pub fn of(places: impl IntoIterator<Item = Self>) -> Self {
        let mut places = places.into_iter();
        let Some(first) = places.next() else {
            return Self::No;
        };
        match places.all(|place| place == first) {
            true => first,
            false => Self::Partly,
        }
    }
}

impl<'b> Flow<'b> {
    /// How much of it is served. A redirect is an answer, and nothing is reached by it.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match &self.fate {
            Fate::Redirected { .. } => Reach::No,
            Fate::Split(shares) => {
                let taken = shares.iter().filter(|share| share.backend.weight > 0);
                Reach::of(taken.map(|share| share.end.reach()))
            }
        }
    }

    /// The limits of the client's proxy that hold for it.
    #[must_use]
    pub fn timeouts(&self) -> &'b Timeouts {
        match self.route {
            Route::Http { taken, .. } => taken.timeouts(self.destination),
            Route::Tcp { .. } => &self.destination.timeouts,
        }
    }

    /// What of it is sent again, where it is a request.
    #[must_use]
    pub fn retry(&self) -> Option<&'b RequestRetry> {
        match self.route {
            Route::Http { taken, .. } => taken.retry(self.destination),
            Route::Tcp { .. } => None,
        }
    }

    /// How often it is tried to connect, where it is a connection.
    #[must_use]
    pub fn attempts(&self) -> Option<&'b mesh_bundle::resource::ConnectionRetry> {
        match (&self.route, &self.destination.retry) {
            (Route::Tcp { .. }, Some(Retry::Connections(retry))) => Some(retry),
            _ => None,
        }
    }

    /// The rule, or the service document for the implied one.
    #[must_use]
    pub fn origin(&self) -> &'b Origin {
        match self.route {
            Route::Http { taken, .. } => &taken.origin,
            Route::Tcp { taken } => &taken.origin,
        }
    }
}

impl End<'_> {
    /// How much of what is sent there is served.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Unresolved => Reach::No,
            // What the servers outside do with it, no bundle knows.
            Self::Outside { cluster } => match &cluster.external {
                Some(external) if !external.endpoints.is_empty() => Reach::Yes,
                _ => Reach::No,
            },
            Self::Mesh { arrivals, .. } => {
                let taking = arrivals
                    .iter()
                    .filter(|arrival| arrival.server.endpoint.healthy);
                Reach::of(taking.map(Arrival::reach))
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
