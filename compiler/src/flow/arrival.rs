//! What one inbound says to one peer.
//!
//! Never asks about a request: permissions are about peers (language 5.5).

use mesh_bundle::decide::{
    Admission, Limited, Limits, Peer, admit, applying, connection_limit, limits, request_limit,
};
use mesh_bundle::resource::{Fault, HttpRateLimit, IndependentRule, PermissionRule, TcpRateLimit};

use super::{Flows, Reach, Server};

/// What one inbound says.
#[derive(Debug, Clone)]
pub struct Arrival<'b> {
    /// Which one.
    pub server: Server<'b>,
    /// May it come in?
    pub entrance: Entrance<'b>,
    /// Every rule of the permissions that is about the peer, the one that decided it included.
    pub rules: Vec<Listed<'b>>,
    /// How long its requests may take.
    pub limits: Limits<'b>,
    /// How many requests.
    pub request_limit: Option<Limited<'b, HttpRateLimit>>,
    /// How many connections.
    pub connection_limit: Option<Limited<'b, TcpRateLimit>>,
    /// What is done to it on purpose.
    pub faults: Vec<&'b IndependentRule<Fault>>,
}

/// Who is served, and who is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance<'b> {
    /// The inbound has been asked.
    Asked(Admission<'b>),
    /// Nobody whom the server's proxy trusts vouches for the client.
    ClientUnknown,
    /// Nobody whom the client's proxy trusts vouches for the server, or the server is not who it should be.
    ServerUnknown,
}

/// A rule of the permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed<'b> {
    /// Where it stands.
    pub list: PermissionList,
    /// The rule.
    pub rule: &'b PermissionRule,
}

/// In the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PermissionList {
    /// `deny`.
    Deny,
    /// `allow`.
    Allow,
    /// `allowWithShadowDeny`.
    AllowWithShadowDeny,
}

impl<'b> Flows<'b> {
    /// Asks one inbound whether anybody may come in: `None` is a peer that comes without mesh TLS.
    #[must_use]
    pub fn entrance(&self, server: &Server<'b>, peer: Option<&Peer<'_>>) -> Entrance<'b> {
        match peer.and_then(|peer| peer.identity) {
            Some(id) if !server.node.believes(id) => Entrance::ClientUnknown,
            _ => Entrance::Asked(admit(server.policy, peer)),
        }
    }

    /// Asks one inbound about anybody: may it come in, and what limits it.
    #[must_use]
    pub fn arrival(&self, server: &Server<'b>, peer: Option<&Peer<'b>>) -> Arrival<'b> {
        let policy = server.policy;
        let entrance = self.entrance(server, peer);
        let nobody = Peer::default();
        let asked = peer.unwrap_or(&nobody);
        Arrival {
            server: *server,
            entrance,
            rules: rules(server, asked),
            limits: limits(policy, asked),
            request_limit: request_limit(&policy.rate_limits, asked),
            connection_limit: connection_limit(&policy.rate_limits, asked),
            faults: applying(&policy.faults, asked).collect(),
        }
    }

    /// How much of the traffic of a peer the servers of a service port would take, were it sent to them.
    #[must_use]
    pub fn access(&self, servers: &[Server<'b>], peer: Option<&Peer<'_>>) -> Reach {
        let taking = servers.iter().filter(|server| server.endpoint.healthy);
        Reach::of(taking.map(|server| self.entrance(server, peer).reach()))
    }
}

fn rules<'b>(server: &Server<'b>, peer: &Peer<'_>) -> Vec<Listed<'b>> {
    let Some(permissions) = &server.policy.permissions else {
        return Vec::new();
    };
    let lists = [
        (PermissionList::Deny, &permissions.deny),
        (PermissionList::Allow, &permissions.allow),
        (
            PermissionList::AllowWithShadowDeny,
            &permissions.allow_with_shadow_deny,
        ),
    ];
    let lists = lists.into_iter();
    let rules = lists.flat_map(|(list, rules)| rules.iter().map(move |rule| Listed { list, rule }));
    rules
        .filter(|listed| listed.rule.peer.matches(peer))
        .collect()
}

impl Arrival<'_> {
    /// Is it served?
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.entrance.reach()
    }
}

impl Entrance<'_> {
    /// Is the peer served?
    #[must_use]
    pub fn reach(&self) -> Reach {
        match self {
            Self::Asked(admission) if admission.admits() => Reach::Yes,
            _ => Reach::No,
        }
    }
}
