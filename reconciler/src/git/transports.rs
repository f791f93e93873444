//! The transports of our own, made known to libgit2.
//!
//! Never more than once, and never while something is being fetched.

use std::sync::Once;

use super::{https, ssh};

/// On first use.
#[expect(
    unsafe_code,
    reason = "libgit2's list of transports has no lock; see the safety comment"
)]
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the list must not change while another thread makes a transport. A remote is only made by a `Source`,
        // whose `open` has run this to its end before, or is the local transport of a `Source` that was opened by the
        // same thread of meshd's start-up.
        let registered = unsafe {
            let https = git2::transport::register("https", https::transport);
            https.and_then(|()| git2::transport::register("ssh", ssh::transport))
        };
        if let Err(error) = registered {
            tracing::error!(%error, "remote repositories cannot be read");
        }
    });
}
