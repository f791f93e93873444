//! What a compiled bundle is, and what it decides for one request.
//!
//! Never does I/O, reads a clock, rolls dice or starts a task: time and randomness are arguments. `meshc` and
//! `mesh-proxy` call the same functions of [`decide`], which is what makes a judgement in a pull request honest.
//!
//! * [`Bundle`] is what `meshc build` writes and meshd publishes: content-addressed [`resource::Resource`]s and, for
//!   each declared proxy, the [`Manifest`] of those it is given.
//! * [`ProxyConfig`] is one proxy's share of it, assembled and checked: answers, not policies.
//! * [`decide`] turns a [`ProxyConfig`] into tables and a request into a decision with its origin.

mod bundle;
mod canonical;
mod config;
pub mod decide;
pub mod digest;
pub mod duration;
mod key;
pub mod kri;
pub mod origin;
mod refusal;
pub mod resource;
pub mod serial;
pub mod spiffe;

pub use bundle::{
    Bundle, BundledProxy, CaSource, DeclaredEndpoint, FORMAT, Issuer, Manifest, UnreadableBundle,
    ValueSource,
};
pub use config::{Incomplete, ProxyConfig, ProxyWide};
pub use digest::Digest;
pub use duration::Duration;
pub use key::{Key, MalformedKey};
pub use kri::Kri;
pub use origin::{Origin, Sourced};
pub use refusal::{MalformedNote, REFUSAL_HEADER, RefusalNote};
pub use resource::Resource;
pub use serial::{Instance, Revoked};
pub use spiffe::{SpiffeId, TrustDomain};
