//! Telling what was refused: one log line, with what caused it, and one count.
//!
//! Never logs what a client wrote: places are names of the configuration, peers are verified identities, reasons are ours.

use std::net::SocketAddr;

use mesh_bundle::Origin;

use crate::metrics::{Direction, Metrics};
use crate::refusal::Refusal;

/// A refusal, and where it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refused<'a> {
    pub(crate) direction: Direction,
    pub(crate) refusal: Refusal,
    /// More than the refusal's label says.
    pub(crate) reason: Option<&'a str>,
    /// Where a peer that is nobody comes from.
    pub(crate) remote: Option<SocketAddr>,
    /// Who was refused; the workload itself, or a peer without a certificate, is nobody.
    pub(crate) peer: Option<&'a str>,
    /// The section name of the inbound, or the destination.
    pub(crate) place: &'a str,
    pub(crate) origin: Option<&'a Origin>,
    pub(crate) revision: &'a str,
}

impl Refused<'_> {
    pub(crate) fn tell(&self, metrics: &Metrics) {
        metrics.refused(self.direction, self.refusal);
        let inbound = (self.direction == Direction::Inbound).then_some(self.place);
        let destination = (self.direction == Direction::Outbound).then_some(self.place);
        let policy = self.origin.map(|origin| origin.resource.to_string());
        let origin = self.origin.map(ToString::to_string);
        tracing::warn!(
            refusal = self.refusal.row().label,
            reason = self.reason,
            remote = self.remote.map(tracing::field::display),
            peer = self.peer,
            inbound,
            destination,
            policy,
            origin,
            revision = self.revision,
            "refused"
        );
    }
}
