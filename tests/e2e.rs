//! Promises of the README, kept by real processes over real sockets: one file a promise.
