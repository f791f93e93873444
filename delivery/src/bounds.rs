//! How large a thing on the wire may be. What exceeds its bound is refused before it is kept.
//!
//! Never a setting: both ends must agree, so a number here is part of the protocol.

/// Of one message to a proxy: one oversized resource alone, or a large set of endpoints.
pub const TO_PROXY: usize = 4 << 20;
/// Of one message to meshd: the largest is an enrolment with a document.
pub const FROM_PROXY: usize = 128 << 10;
/// Of one resource: what fits into a message beside its key.
pub const RESOURCE: usize = TO_PROXY - (64 << 10);
/// Of one configuration, so that a broken meshd cannot fill a proxy's memory.
pub const CONFIGURATION: usize = 64 << 20;
/// Resources of one configuration, for the same reason.
pub const RESOURCES: usize = 200_000;
/// Endpoints in one message, and clusters that a proxy keeps endpoints of.
pub const ENDPOINTS: usize = 50_000;
/// Secrets of one proxy: all of them fit into one message.
pub const SECRETS: usize = 1_024;
/// Of all of them together.
pub const SECRET_BYTES: usize = 2 << 20;

/// What a frame is filled up to: larger writes stay attached to a connection as buffers.
pub(crate) const FRAME: usize = 16 << 10;
/// What an endpoint message is filled up to. A set up to here arrives whole.
pub(crate) const ENDPOINTS_FRAME: usize = 1 << 20;

pub(crate) const TOKEN: usize = 4 << 10;
pub(crate) const CSR: usize = 8 << 10;
pub(crate) const DOCUMENT: usize = 64 << 10;
pub(crate) const CERTIFICATE: usize = 16 << 10;
pub(crate) const CHAIN: usize = 8;
pub(crate) const ANCHORS: usize = 16;
/// A Dataplane's name is a DNS label or a few; so is a zone.
pub(crate) const NAME: usize = 253;
/// Labels of one endpoint, and the length of each half of one.
pub(crate) const LABELS: usize = 64;
pub(crate) const LABEL: usize = 512;
/// Inbounds of one Dataplane.
pub(crate) const INBOUNDS: usize = 1_024;
pub(crate) const VERSION: usize = 128;
pub(crate) const REVISION: usize = 256;
pub(crate) const KRI: usize = 1024;
/// A KRI behind the longest prefix.
pub(crate) const KEY: usize = KRI + 32;
pub(crate) const POINTER: usize = 1024;
pub(crate) const REASON: usize = 4 << 10;
/// Names of capabilities: a proxy of some later day.
pub(crate) const CAPABILITIES: usize = 64;
/// Of each count in one report of traffic: no proxy serves so much between two of them.
pub(crate) const COUNT: u64 = 100_000_000;
