//! How long the client waits for what.
//!
//! Never a setting of the operator: these are what makes a dead meshd noticed within half a minute. Tests are less patient.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Patience {
    /// For the socket.
    pub(crate) connect: Duration,
    /// For TLS, and for HTTP/2 to begin: meshd may be busy with thousands.
    pub(crate) handshake: Duration,
    /// For meshd to answer a call: it may have to sign.
    pub(crate) answer: Duration,
    /// Between two pings.
    pub(crate) ping: Duration,
    /// For the answer to a ping: a slow link has to carry 16 KiB first.
    pub(crate) pong: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(5),
            handshake: seconds(10),
            answer: seconds(15),
            ping: seconds(10),
            pong: seconds(20),
        }
    }
}
