//! Who a test is about: workloads by their labels, or everybody whom a match can ever be about.
//!
//! Never leaves anybody out: an identity that no workload has today is in a class that rules cannot tell apart.

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::SpiffeId;
use mesh_bundle::resource::SpiffeMatch;

use crate::flow::callers::Caller;
use crate::kinds::client_match::{SpiffeIdMatch, SpiffeIdMatchType};
use crate::kinds::mesh_test::{ClientKind, Clients};
use crate::policy::carries;

use super::{Client, Planner};

/// Who is not meant.
struct Except {
    exact: BTreeSet<SpiffeId>,
    prefixes: Vec<SpiffeMatch>,
}

impl Except {
    fn of(written: &[SpiffeIdMatch]) -> Self {
        let (mut exact, mut prefixes) = (BTreeSet::new(), Vec::new());
        for one in written.iter().filter_map(read) {
            match one {
                SpiffeMatch::Exact(id) => {
                    exact.insert(id);
                }
                SpiffeMatch::Prefix(_) => prefixes.push(one),
            }
        }
        Self { exact, prefixes }
    }

    fn holds(&self, id: &SpiffeId) -> bool {
        self.exact.contains(id) || self.holds_all(id)
    }

    /// Is everybody excepted who begins so?
    fn holds_all(&self, prefix: &SpiffeId) -> bool {
        self.prefixes.iter().any(|one| one.matches(prefix))
    }
}

/// Examples that are tried for a class of which a part is excepted. Each exception can take one of them away.
const MOST_EXAMPLES: usize = 1_000;

impl Planner<'_> {
    /// The clients that are selected; or why there are none.
    pub(super) fn clients(&self, from: &Clients) -> Result<Vec<Client>, String> {
        let except = Except::of(&from.except);
        let clients: Vec<Client> = match from.kind {
            Some(ClientKind::Dataplane) => self.workloads(from, &except),
            Some(ClientKind::SpiffeId) => {
                let wanted = from.spiffe_id.as_ref().and_then(read);
                let callers = wanted.map(|wanted| self.matching(&wanted));
                self.but(callers.unwrap_or_default(), &except)
            }
            Some(ClientKind::Plaintext) => vec![Client::Caller(Arc::new(Caller::Plain))],
            Some(ClientKind::Anybody) | None => self.but(self.everybody.to_vec(), &except),
        };
        match (clients.is_empty(), from.kind) {
            (false, _) => Ok(clients),
            (true, Some(ClientKind::Dataplane)) => {
                Err("`from` selects no Dataplane of this mesh".to_owned())
            }
            (true, _) => Err("`from` selects nobody: `except` takes all away".to_owned()),
        }
    }

    fn workloads(&self, from: &Clients, except: &Except) -> Vec<Client> {
        let selected = self
            .mesh
            .carrying(&from.labels)
            .filter(|instance| carries(&instance.meta.labels, &from.labels));
        let kept = selected.filter(|instance| {
            let node = self.flows.node(&instance.meta.kri);
            let identity = node.and_then(|node| node.identity());
            identity.is_none_or(|identity| !except.holds(&identity.spiffe_id))
        });
        kept.map(|instance| Client::Proxy(instance.meta.kri.clone()))
            .collect()
    }

    /// All classes that hold somebody who matches.
    fn matching(&self, wanted: &SpiffeMatch) -> Vec<Arc<Caller>> {
        let prefix = match wanted {
            SpiffeMatch::Exact(id) => return vec![Arc::new(Caller::Named(id.clone()))],
            SpiffeMatch::Prefix(prefix) => prefix,
        };
        let inside = self
            .everybody
            .iter()
            .filter(|caller| match caller.as_ref() {
                Caller::Named(id) => wanted.matches(id),
                // Others of the class may be outside: those inside are the class that is made below.
                Caller::Under { prefix, .. } => wanted.matches(prefix),
                Caller::Plain | Caller::Other { .. } => false,
            });
        let mut inside: Vec<Arc<Caller>> = inside.cloned().collect();
        let whole = |caller: &Arc<Caller>| matches!(caller.as_ref(), Caller::Under { prefix: own, .. } if own == prefix);
        if !inside.iter().any(whole) {
            let example = self.example(prefix.as_str(), prefix, &Except::of(&[]));
            inside.extend(example.map(|example| {
                let prefix = prefix.clone();
                Arc::new(Caller::Under { prefix, example })
            }));
        }
        inside
    }

    /// These but for the excepted.
    fn but(&self, callers: Vec<Arc<Caller>>, except: &Except) -> Vec<Client> {
        let left = callers
            .into_iter()
            .filter_map(|caller| match caller.as_ref() {
                Caller::Plain => Some(caller),
                Caller::Named(id) => (!except.holds(id)).then_some(caller),
                Caller::Under { prefix, example } => {
                    if except.holds_all(prefix) {
                        return None;
                    }
                    if !except.holds(example) {
                        return Some(caller);
                    }
                    let example = self.example(prefix.as_str(), prefix, except)?;
                    let prefix = prefix.clone();
                    Some(Arc::new(Caller::Under { prefix, example }))
                }
                Caller::Other { domain, example } => {
                    if !except.holds(example) {
                        return Some(caller);
                    }
                    let text = format!("spiffe://{}", domain.as_str());
                    let whole: SpiffeId = text.parse().ok()?;
                    if except.holds_all(&whole) {
                        return None;
                    }
                    let example = self.example(&text, &whole, except)?;
                    let domain = domain.clone();
                    Some(Arc::new(Caller::Other { domain, example }))
                }
            });
        left.map(Client::Caller).collect()
    }

    /// An identity that begins so, and that neither a rule with more text nor an exception is about.
    fn example(&self, text: &str, prefix: &SpiffeId, except: &Except) -> Option<SpiffeId> {
        let told = |id: &SpiffeId| {
            self.everybody.iter().any(|caller| match caller.as_ref() {
                Caller::Named(named) => named == id,
                Caller::Under { prefix: other, .. } => {
                    other.as_str().len() > prefix.as_str().len()
                        && SpiffeMatch::Prefix(other.clone()).matches(id)
                }
                Caller::Plain | Caller::Other { .. } => false,
            })
        };
        let candidates = (0..MOST_EXAMPLES).map(|number| match number {
            0 => format!("{text}/any"),
            number => format!("{text}/{number}-any"),
        });
        candidates
            .filter_map(|candidate| candidate.parse::<SpiffeId>().ok())
            .find(|id| !told(id) && !except.holds(id))
    }
}

fn read(written: &SpiffeIdMatch) -> Option<SpiffeMatch> {
    let id: SpiffeId = written.value.as_ref()?.parse().ok()?;
    Some(match written.how? {
        SpiffeIdMatchType::Exact => SpiffeMatch::Exact(id),
        SpiffeIdMatchType::Prefix => SpiffeMatch::Prefix(id),
    })
}
