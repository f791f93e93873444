//! Decisions as pure functions over immutable, compiled tables: the same code in `meshc` and in `mesh-proxy`.
//!
//! Never waits, counts, reads a clock or rolls dice: what varies is an argument. Every answer carries the origin that
//! caused it.
//!
//! In the order in which a request meets them: [`normalise`] its path, [`permit`] its peer, [`limits`] for that peer,
//! [`RouteTable::select`] a route, [`rewrite_path`] or [`location`], and [`choose`] who serves it.

mod path;
mod peer;
mod permit;
mod rewrite;
mod route;
mod split;
mod text;
mod timeout;

pub use path::{BadPath, NormalPath, normalise};
pub use peer::Peer;
pub use permit::{Verdict, permit};
pub use rewrite::{location, rewrite_path};
pub use route::{BadPattern, CompiledRoute, Request, RouteTable};
pub use split::{Choice, choose};
pub use text::check_pattern;
pub use timeout::{Limits, limits};
