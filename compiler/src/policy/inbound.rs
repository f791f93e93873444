//! What is effective for the traffic that an inbound receives (language 4.10).
//!
//! Never invents a base: one exists only where a rule without matches does.

use mesh_bundle::resource::{PeerMatch, SpiffeMatch};

use crate::diag::{Location, Pointer};
use crate::json::Json;

use super::applies::Subject;
use super::merge::Merged;
use super::order::Strength;
use super::{Source, Table};

/// One match of one rule of `rules`.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    /// Index into [`Table::policies`].
    pub(crate) policy: usize,
    pub(crate) strength: Strength,
    /// `None`: every connection.
    pub(crate) peer: Option<PeerMatch>,
    pub(crate) conf: Json,
    /// Where `conf` is written.
    pub(crate) at: Location,
}

/// The rules that hold for one inbound: the most specific match first, of equal ones the weakest policy first.
#[derive(Debug, Clone)]
pub(crate) struct Inbound<'a> {
    table: &'a Table,
    pub(crate) rules: Vec<&'a Rule>,
}

impl Table {
    /// The rules of the policies that apply to an inbound of a proxy.
    pub(crate) fn inbound(&self, subject: &Subject<'_>, section: &str) -> Inbound<'_> {
        let holds = |rule: &&Rule| {
            let policy = self.policies.get(rule.policy);
            policy.is_some_and(|policy| policy.applies_to_inbound(subject, section))
        };
        let mut found = Vec::new();
        let labels = Some(&subject.meta.labels);
        self.by_target.candidates(labels, &mut found);
        found.sort_unstable();
        let rules = found.into_iter().filter_map(|rule| self.rules.get(rule));
        Inbound::new(self, rules.filter(holds))
    }

    /// The rules of all policies, whatever they apply to.
    #[cfg(test)]
    pub(crate) fn every_rule(&self) -> Inbound<'_> {
        Inbound::new(self, self.rules.iter())
    }
}

impl<'a> Inbound<'a> {
    /// Of rules from the weakest policy to the strongest.
    fn new(table: &'a Table, rules: impl Iterator<Item = &'a Rule>) -> Self {
        let mut rules: Vec<&Rule> = rules.collect();
        rules.sort_by_key(|rule| breadth(rule.peer.as_ref()));
        Self { table, rules }
    }

    /// What holds for every peer.
    pub(crate) fn base(&self) -> Merged {
        let everybody = self.rules.iter().filter(|rule| rule.peer.is_none());
        self.fold(&everybody.copied().collect::<Vec<_>>())
    }

    /// What holds for the peers of a match: the base, and every rule that is about all of them, the broadest first.
    pub(crate) fn lookup(&self, peer: &PeerMatch) -> Merged {
        let holds = |rule: &&&Rule| rule.peer.as_ref().is_none_or(|own| subsumes(own, peer));
        let mut rules: Vec<&Rule> = self.rules.iter().filter(holds).copied().collect();
        // Stable: of equally broad rules the stronger stays last.
        rules.sort_by_key(|rule| std::cmp::Reverse(order(rule.peer.as_ref())));
        self.fold(&rules)
    }

    /// The distinct matches, in the order in which they are tried.
    pub(crate) fn peers(&self) -> Vec<&'a PeerMatch> {
        let mut peers: Vec<&PeerMatch> = Vec::new();
        for peer in self.rules.iter().filter_map(|rule| rule.peer.as_ref()) {
            if !peers.contains(&peer) {
                peers.push(peer);
            }
        }
        peers.sort_by_key(|peer| order(Some(peer)));
        peers
    }

    /// Who wrote the value at `relative` of a rule's conf.
    pub(crate) fn source(&self, rule: &Rule, relative: &Pointer) -> Option<Source> {
        self.table
            .source(rule.policy, &rule.strength, &rule.at, relative)
    }

    /// Merges confs, weakest first.
    pub(crate) fn fold(&self, rules: &[&Rule]) -> Merged {
        let mut merged = Merged::default();
        for rule in rules {
            merged.layer(&rule.conf, &|relative: &Pointer| {
                self.source(rule, relative)
            });
        }
        merged
    }
}

/// Reads a match that has passed its kind's checks; `None` for one without any condition.
pub(crate) fn read_match(value: &Json) -> Option<PeerMatch> {
    let spiffe = value.get("spiffeID").filter(|value| !value.is_null());
    let sni = value.get("sni").filter(|value| !value.is_null());
    let spiffe_id = match spiffe {
        None => None,
        Some(spiffe) => {
            let id = spiffe.get("value")?.as_str()?.parse().ok()?;
            Some(match spiffe.get("type")?.as_str()? {
                "Prefix" => SpiffeMatch::Prefix(id),
                _ => SpiffeMatch::Exact(id),
            })
        }
    };
    let sni = match sni {
        None => None,
        Some(sni) => Some(sni.get("value")?.as_str()?.to_ascii_lowercase()),
    };
    (spiffe_id.is_some() || sni.is_some()).then_some(PeerMatch { spiffe_id, sni })
}

/// The classes of language 4.10, the most specific first.
fn breadth(peer: Option<&PeerMatch>) -> u8 {
    let Some(PeerMatch { spiffe_id, sni }) = peer else {
        return 5;
    };
    match (spiffe_id, sni) {
        (Some(SpiffeMatch::Exact(_)), Some(_)) => 0,
        (Some(SpiffeMatch::Exact(_)), None) => 1,
        (Some(SpiffeMatch::Prefix(_)), Some(_)) => 2,
        (Some(SpiffeMatch::Prefix(_)), None) => 3,
        (None, _) => 4,
    }
}

/// The order of trying: by class, and the longer prefix first.
fn order(peer: Option<&PeerMatch>) -> (u8, std::cmp::Reverse<usize>) {
    let length = match peer.and_then(|peer| peer.spiffe_id.as_ref()) {
        Some(SpiffeMatch::Prefix(prefix)) => prefix.as_str().len(),
        _ => 0,
    };
    (breadth(peer), std::cmp::Reverse(length))
}

/// Is everybody whom `narrow` is about one of those whom `broad` is about?
pub(crate) fn subsumes(broad: &PeerMatch, narrow: &PeerMatch) -> bool {
    let identity = match (&broad.spiffe_id, &narrow.spiffe_id) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(SpiffeMatch::Exact(a)), Some(SpiffeMatch::Exact(b))) => a == b,
        (Some(SpiffeMatch::Exact(_)), Some(SpiffeMatch::Prefix(_))) => false,
        (Some(prefix), Some(SpiffeMatch::Exact(id) | SpiffeMatch::Prefix(id))) => {
            prefix.matches(id)
        }
    };
    identity && (broad.sni.is_none() || broad.sni == narrow.sni)
}
