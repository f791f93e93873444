//! Decisions as pure functions over immutable, compiled tables: the same code in `meshc` and in `mesh-proxy`.
//!
//! Never waits, counts, reads a clock or rolls dice: what varies is an argument. Every answer carries the origin that
//! caused it.
//!
//! In the order in which a request meets them: [`normalise`] its path, [`admit`] its peer, [`faults`] made on purpose,
//! the [`request_limit`] that it counts against, [`limits`] for that peer, [`RouteTable::select`] a route,
//! [`rewrite_path`] or [`location`], [`choose`] who serves it, and the [`affinity`] that it has to one instance of that. A captured
//! connection that no outbound is for may [`depart`], or not.

mod admit;
mod affinity;
mod depart;
mod fault;
mod independent;
mod latency;
mod measured;
mod path;
mod peer;
mod permit;
mod rate_limit;
mod retry;
mod retry_budget;
mod rewrite;
mod route;
mod slow_start;
mod split;
mod text;
mod timeout;

pub use admit::{Admission, admit, speaks_tls};
pub use affinity::{Affinity, NewCookie, affinity};
pub use depart::{Departure, Seen, depart};
pub use fault::{Aborted, Faults, faults};
pub use independent::applying;
pub use latency::Latency;
pub use measured::Selection;
pub use path::{BadPath, NormalPath, normalise};
pub use peer::Peer;
pub use permit::{Verdict, permit};
pub use rate_limit::{Bucket, Limited, connection_limit, request_limit};
pub use retry::{CompiledRetry, Outcome, asked_wait, is_retriable, wait};
pub use retry_budget::retries_within;
pub use rewrite::{location, rewrite_path};
pub use route::{BadPattern, CompiledRoute, Request, RouteTable};
pub use slow_start::share_of_new;
pub use split::{Choice, choose};
pub use text::{check_pattern, parameter};
pub use timeout::{Limits, limits};
