//! The wire format, generated from `schemas/proto/delivery.proto`.
//!
//! Never used beyond [`crate::wire`] and the two drivers: what it holds is unchecked.

#![expect(
    unreachable_pub,
    unused_qualifications,
    clippy::doc_markdown,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

include!("gen/delivery.rs");

/// The value never shows.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// The token never shows.
impl std::fmt::Debug for EnrollRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrollRequest").finish_non_exhaustive()
    }
}
