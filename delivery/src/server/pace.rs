//! How long the server waits for what.
//!
//! Never a setting of the operator: these hold a peer to the protocol. Tests hold it tighter.

use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Pace {
    /// TLS.
    pub(crate) handshake: Duration,
    /// From TLS to an admitted session, or to the end of an enrolment.
    pub(crate) stranger: Duration,
    /// From the start of a session to its hello.
    pub(crate) hello: Duration,
    /// For meshd to judge an enrolment or to sign.
    pub(crate) authority: Duration,
    /// Between two looks at whether a peer is still admitted and still takes what it is sent. Revocation holds within
    /// a minute, so that two looks and the end of a session must fit.
    pub(crate) look: Duration,
    /// For a proxy to take a message.
    pub(crate) take: Duration,
    /// For a proxy to answer a change: it has to receive the rest, over whatever link, and to build tables of it.
    pub(crate) answer: Duration,
    /// For a connection to end once it is told to.
    pub(crate) farewell: Duration,
    /// Between HTTP/2 pings, and until one must be answered: on a slow link it waits behind a frame or two.
    pub(crate) ping: (Duration, Duration),
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            handshake: seconds(5),
            stranger: seconds(15),
            hello: seconds(10),
            authority: seconds(10),
            look: seconds(20),
            take: seconds(60),
            answer: seconds(120),
            farewell: seconds(5),
            ping: (seconds(20), seconds(40)),
        }
    }
}
