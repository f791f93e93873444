//! meshd's half of a session: what one proxy is wanted to hold, and which messages get it there.
//!
//! Never does I/O, and never queues more than one change: what is wanted meanwhile replaces what was wanted before.

mod wanted;

pub use wanted::{Unpublishable, Wanted};
