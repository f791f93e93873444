//! Anybody at the door of the servers.
//!
//! Never asks how the client came there: whoever has an identity can bring any request.

use mesh_bundle::Kri;
use mesh_bundle::decide::Peer;

use crate::flow::callers::Caller;
use crate::flow::{Arrival, Reach, Server};

use super::{Judge, fits, named};

impl Judge<'_, '_> {
    pub(super) fn ask_servers(&mut self, caller: &Caller, port: &Kri) {
        let peer = caller.peer();
        let servers = self.flows.servers(port);
        if self.is_plainly_right(servers, peer.as_ref()) {
            return;
        }
        let arrivals = servers
            .iter()
            .map(|server| self.flows.arrival(server, peer.as_ref()));
        let arrivals: Vec<Arrival<'_>> = arrivals.collect();
        let who = format!("`{caller}`");
        self.access(&who, port, &arrivals);
        self.rate(&who, port, &arrivals);
        let timeout = &self.test.wanted.timeout;
        if let Some(http) = &timeout.http {
            for arrival in &arrivals {
                let server = format!("`{}` towards {who}", arrival.server.node.kri.name());
                let request = http.request_timeout.map(|span| span.0);
                self.limit(&server, "requestTimeout", request, arrival.limits.request);
                let idle = http.stream_idle_timeout.map(|span| span.0);
                self.limit(
                    &server,
                    "streamIdleTimeout",
                    idle,
                    arrival.limits.stream_idle,
                );
            }
        }
        if let Some(wanted) = self.test.wanted.encrypted {
            self.needs_tls(wanted, port);
        }
    }

    /// Is there nothing to tell, and nothing to note? So it is with most questions of a test that holds, and they are many:
    /// a test about everybody asks about each identity.
    fn is_plainly_right(&self, servers: &[Server<'_>], peer: Option<&Peer<'_>>) -> bool {
        let Some(access) = self.test.wanted.only_access() else {
            return false;
        };
        if self.touched.is_some() || servers.is_empty() {
            return false;
        }
        // Instances of one service mostly say the same to everybody.
        let alike = |one: &Server<'_>, other: &Server<'_>| {
            let trust = |server: &Server<'_>| server.node.trust().map(std::ptr::from_ref);
            one.digest == other.digest && trust(one) == trust(other)
        };
        servers.chunk_by(alike).all(|alike| {
            let healthy = alike.iter().any(|server| server.endpoint.healthy);
            let mut first = alike.iter().take(1);
            first.all(|server| fits(access, healthy, self.flows.entrance(server, peer).reach()))
        })
    }

    /// Do the servers refuse whoever comes without mesh TLS?
    fn needs_tls(&mut self, wanted: bool, port: &Kri) {
        for server in self.flows.servers(port) {
            let plain = self.flows.arrival(server, None);
            let mode = server.policy.tls.origin.as_ref();
            self.decided(mode);
            if (plain.reach() == Reach::No) != wanted {
                let server = &server.node.kri.name();
                let takes = if wanted { "takes" } else { "does not take" };
                let message = format!("`{server}` {takes} plaintext at {}", named(port));
                return self.fail(message, mode.cloned().into_iter().collect());
            }
        }
    }
}
