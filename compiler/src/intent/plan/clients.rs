//! Who a test is about: workloads by their labels, or everybody whom a match can ever be about.
//!
//! Never leaves anybody out: an identity that no workload has today is in a class that rules cannot tell apart.

use mesh_bundle::SpiffeId;
use mesh_bundle::resource::SpiffeMatch;

use crate::flow::callers::Caller;
use crate::kinds::client_match::{SpiffeIdMatch, SpiffeIdMatchType};
use crate::kinds::mesh_test::{ClientKind, Clients};
use crate::policy::carries;

use super::{Client, Planner};

/// Examples that are tried for a class of which a part is excepted. Each exception can take one of them away.
const MOST_EXAMPLES: usize = 1_000;

impl Planner<'_> {
    /// The clients that are selected; or why there are none.
    pub(super) fn clients(&self, from: &Clients) -> Result<Vec<Client>, String> {
        let except: Vec<SpiffeMatch> = from.except.iter().filter_map(read).collect();
        let clients: Vec<Client> = match from.kind {
            Some(ClientKind::Dataplane) => self.workloads(from, &except),
            Some(ClientKind::SpiffeId) => {
                let wanted = from.spiffe_id.as_ref().and_then(read);
                let callers = wanted.map(|wanted| self.matching(&wanted));
                self.but(callers.unwrap_or_default(), &except)
            }
            Some(ClientKind::Plaintext) => vec![Client::Caller(Caller::Plain)],
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

    fn workloads(&self, from: &Clients, except: &[SpiffeMatch]) -> Vec<Client> {
        let selected = self
            .mesh
            .carrying(&from.labels)
            .filter(|instance| carries(&instance.meta.labels, &from.labels));
        let kept = selected.filter(|instance| {
            let node = self.flows.node(&instance.meta.kri);
            let identity = node.and_then(|node| node.identity());
            identity.is_none_or(|identity| !any(except, &identity.spiffe_id))
        });
        kept.map(|instance| Client::Proxy(instance.meta.kri.clone()))
            .collect()
    }

    /// All classes that hold somebody who matches.
    fn matching(&self, wanted: &SpiffeMatch) -> Vec<Caller> {
        let prefix = match wanted {
            SpiffeMatch::Exact(id) => return vec![Caller::Named(id.clone())],
            SpiffeMatch::Prefix(prefix) => prefix,
        };
        let inside = self.everybody.iter().filter(|caller| match caller {
            Caller::Named(id) => wanted.matches(id),
            // Others of the class may be outside: those inside are the class that is made below.
            Caller::Under { prefix, .. } => wanted.matches(prefix),
            Caller::Plain | Caller::Other { .. } => false,
        });
        let mut inside: Vec<Caller> = inside.cloned().collect();
        let whole =
            |caller: &Caller| matches!(caller, Caller::Under { prefix: own, .. } if own == prefix);
        if !inside.iter().any(whole) {
            let example = self.example(prefix.as_str(), prefix, &[]);
            inside.extend(example.map(|example| Caller::Under {
                prefix: prefix.clone(),
                example,
            }));
        }
        inside
    }

    /// These but for the excepted.
    fn but(&self, callers: Vec<Caller>, except: &[SpiffeMatch]) -> Vec<Client> {
        let left = callers.into_iter().filter_map(|caller| match caller {
            Caller::Plain => Some(caller),
            Caller::Named(ref id) => (!any(except, id)).then_some(caller),
            Caller::Under {
                ref prefix,
                ref example,
            } => {
                if any_whole(except, prefix) {
                    return None;
                }
                if !any(except, example) {
                    return Some(caller);
                }
                let example = self.example(prefix.as_str(), prefix, except)?;
                let prefix = prefix.clone();
                Some(Caller::Under { prefix, example })
            }
            Caller::Other {
                ref domain,
                ref example,
            } => {
                if !any(except, example) {
                    return Some(caller);
                }
                let text = format!("spiffe://{}", domain.as_str());
                let whole: SpiffeId = text.parse().ok()?;
                if any_whole(except, &whole) {
                    return None;
                }
                let example = self.example(&text, &whole, except)?;
                let domain = domain.clone();
                Some(Caller::Other { domain, example })
            }
        });
        left.map(Client::Caller).collect()
    }

    /// An identity that begins so, and that neither a rule with more text nor an exception is about.
    fn example(&self, text: &str, prefix: &SpiffeId, except: &[SpiffeMatch]) -> Option<SpiffeId> {
        let told = |id: &SpiffeId| {
            self.everybody.iter().any(|caller| match caller {
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
            .find(|id| !told(id) && !any(except, id))
    }
}

fn read(written: &SpiffeIdMatch) -> Option<SpiffeMatch> {
    let id: SpiffeId = written.value.as_ref()?.parse().ok()?;
    Some(match written.how? {
        SpiffeIdMatchType::Exact => SpiffeMatch::Exact(id),
        SpiffeIdMatchType::Prefix => SpiffeMatch::Prefix(id),
    })
}

fn any(matches: &[SpiffeMatch], id: &SpiffeId) -> bool {
    matches.iter().any(|one| one.matches(id))
}

/// Is everybody excepted who begins so?
fn any_whole(except: &[SpiffeMatch], prefix: &SpiffeId) -> bool {
    except.iter().any(|one| match one {
        SpiffeMatch::Exact(_) => false,
        SpiffeMatch::Prefix(_) => one.matches(prefix),
    })
}
