//! Permissions of which the edges tell the effect already.
//!
//! Never leaves one out that has no effect on some proxy: nothing else would say that it is there.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::Kri;

use super::{Edge, Setting, Sides};
use crate::flow::callers::Caller;

/// What edges say of permissions.
struct Effects<'d> {
    sides: &'d Sides<'d>,
    /// By the policy that is the cause: who, and where to.
    edges: BTreeMap<&'d Kri, Vec<(&'d Caller, &'d Kri)>>,
    /// By port: whose inbounds are behind it, or were.
    servers: BTreeMap<&'d Kri, BTreeSet<&'d Kri>>,
}

/// Marks the settings that edges tell.
pub(super) fn mark(sides: &Sides<'_>, edges: &[Edge], settings: &mut [Setting]) {
    let mut effects = Effects {
        sides,
        edges: BTreeMap::new(),
        servers: BTreeMap::new(),
    };
    for edge in edges.iter().filter(|edge| edge.access.0 != edge.access.1) {
        if let Some(cause) = &edge.cause {
            let known = effects.edges.entry(&cause.resource).or_default();
            known.push((&edge.caller, &edge.port));
        }
        effects.servers.entry(&edge.port).or_insert_with(|| {
            let both = [&sides.before, &sides.after];
            let servers = both.into_iter().flat_map(|side| side.servers(&edge.port));
            servers.map(|server| server.node.kri).collect()
        });
    }
    for setting in settings {
        setting.is_told = effects.tell(setting);
    }
}

impl Effects<'_> {
    fn tell(&self, setting: &Setting) -> bool {
        let Some(peer) = peer(&setting.path) else {
            return false;
        };
        let origin = setting
            .after_origin
            .as_ref()
            .or(setting.before_origin.as_ref());
        let edges = origin.and_then(|origin| self.edges.get(&origin.resource));
        let about = |caller: &Caller| match peer.strip_suffix('*') {
            Some(prefix) => {
                let id = caller.identity();
                id.is_some_and(|id| id.as_str().starts_with(prefix))
            }
            None => self.sides.names.caller(caller) == peer,
        };
        let edges = edges
            .into_iter()
            .flatten()
            .filter(|(caller, _)| about(caller));
        let ports: BTreeSet<&Kri> = edges.map(|(_, port)| *port).collect();
        let servers = ports.into_iter().filter_map(|port| self.servers.get(port));
        let reached: BTreeSet<&Kri> = servers.flatten().copied().collect();
        setting.proxies.iter().all(|kri| reached.contains(kri))
    }
}

/// Whom an entry is about: `permissions.allow[web]`.
fn peer(path: &str) -> Option<&str> {
    let list = path.strip_prefix("permissions.")?;
    list.split_once('[')?.1.strip_suffix(']')
}
