//! How long the harness waits before it says that something does not happen.
//!
//! Never a pause: what is waited for ends the wait.

use std::time::Duration;

/// Long enough for a loaded machine, short enough that a hang is told.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The outcome of `future`, which must come before [`PATIENCE`] ends.
///
/// # Panics
/// When it does not, saying `what` was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
