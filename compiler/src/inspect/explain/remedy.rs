//! What would change an answer.
//!
//! Never says what has not been tried: each change is made in memory, compiled, and asked the same question.

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::decide::{Admission, Verdict};
use mesh_bundle::{Bundle, Kri, Origin};

use crate::Compiler;
use crate::compose;
use crate::edit::{Without, without};
use crate::flow::{Arrival, Entrance, Flows, NoFlow, Reach};
use crate::inspect::words;
use crate::model::Settings;
use crate::service::{Selector, WORKLOAD};
use crate::source::Sources;
use crate::world::{Overlay, World};

use super::{Answer, Explainer, Outcome, arrivals, at_the_door};

/// More changes than this at once are no small change.
const MOST_CHANGES: usize = 8;
/// What a document is called that is not there.
const FILE: &str = "what-meshc-explain-proposes.yaml";

/// A change, and what becomes of the request with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Something is taken out.
    Without {
        /// What begins at these lines.
        lines: Vec<Origin>,
        outcome: Outcome,
    },
    /// A document is added, and maybe something taken out.
    Document {
        yaml: String,
        lines: Vec<Origin>,
        outcome: Outcome,
    },
    /// What nobody can try.
    Words(String),
}

/// Repositories that are almost like the one at hand.
pub(super) struct Hypotheses<'a> {
    world: Overlay<&'a (dyn World + Sync)>,
    settings: &'a Settings,
    sources: &'a Sources,
    compiler: Compiler,
}

/// What the servers say, and why.
#[derive(Debug, Default)]
struct Heard {
    reach: Option<Reach>,
    permitted: BTreeSet<Origin>,
    denied: BTreeSet<Origin>,
    /// Servers that no rule tells to let the client in.
    unlisted: BTreeSet<Kri>,
    /// Something is refused, or let in, that no permission is asked about.
    unasked: bool,
}

impl Heard {
    fn of(bundle: &Bundle, answer: &Answer, request: &crate::flow::Asked) -> Self {
        let flows = Flows::new(bundle);
        let mut heard = Self::default();
        let id = answer.identity.as_ref();
        match answer.clients.first() {
            Some(client) => match flows.follow(client, &answer.port, request) {
                Ok(flow) => {
                    heard.reach = Some(flow.reach());
                    arrivals(&flow).for_each(|arrival| heard.note(arrival));
                }
                Err(NoFlow::NoOutbound { .. }) => heard.reach = Some(Reach::No),
                Err(_) => {}
            },
            None => {
                let said = at_the_door(&flows, id, &answer.port);
                heard.reach = Some(Reach::of(said.iter().map(Arrival::reach)));
                said.iter().for_each(|arrival| heard.note(arrival));
            }
        }
        heard
    }

    fn note(&mut self, arrival: &Arrival<'_>) {
        let Entrance::Asked(Admission::Asked(verdict)) = &arrival.entrance else {
            self.unasked = true;
            return;
        };
        match verdict {
            Verdict::Permit { origin: None } => self.unasked = true,
            Verdict::Permit {
                origin: Some(origin),
            }
            | Verdict::ShadowDeny { origin } => {
                self.permitted.insert((*origin).clone());
            }
            Verdict::Deny { origin } => {
                let mut rules = arrival.rules.iter();
                match rules.any(|listed| listed.rule.origin == **origin) {
                    true => self.denied.insert((*origin).clone()),
                    false => self.unlisted.insert(arrival.server.node.kri.clone()),
                };
            }
        }
    }
}

impl<'a> Hypotheses<'a> {
    pub(super) fn new(
        (compiler, world): (Compiler, &'a (dyn World + Sync)),
        settings: &'a Settings,
        sources: &'a Sources,
    ) -> Self {
        Self {
            world: Overlay::new(world),
            settings,
            sources,
            compiler,
        }
    }

    /// The changes that would turn an answer round.
    pub(super) fn remedies(&mut self, answer: &Answer, explainer: &Explainer<'_>) -> Vec<Remedy> {
        self.world.files = BTreeMap::new();
        let heard = Heard::of(explainer.flows.bundle(), answer, &explainer.request);
        match answer.outcome {
            Outcome::Allowed | Outcome::Partly if !heard.permitted.is_empty() => {
                let mut remedies = Vec::new();
                if answer.outcome == Outcome::Partly {
                    remedies.extend(self.letting_in(answer, explainer, &heard));
                }
                remedies.extend(self.shutting_out(answer, explainer, heard));
                remedies
            }
            Outcome::Denied | Outcome::Partly => {
                self.letting_in(answer, explainer, &heard).into_iter().collect()
            }
            Outcome::NoWay => vec![Remedy::Words(format!(
                "an outbound to {} in the client's Dataplane (`networking.outbound`), or a proxy that captures traffic",
                words::port(&answer.port)
            ))],
            Outcome::Allowed => vec![Remedy::Words(
                "no rule lets it in, so none can be taken away: where servers have no identity, or take plaintext, permissions are not asked".to_owned(),
            )],
            Outcome::Redirected => Vec::new(),
        }
    }

    /// The lines without which nothing is let in.
    fn shutting_out(
        &mut self,
        answer: &Answer,
        explainer: &Explainer<'_>,
        heard: Heard,
    ) -> Option<Remedy> {
        self.world.files = BTreeMap::new();
        let (mut heard, mut lines) = (heard, BTreeSet::new());
        while lines.len() < MOST_CHANGES && !heard.permitted.is_empty() {
            let more: Vec<Origin> = heard.permitted.difference(&lines).cloned().collect();
            let mut changed = false;
            for origin in more {
                let bundle = self.take_out(&origin)?;
                heard = Heard::of(&bundle, answer, &explainer.request);
                lines.insert(origin);
                changed = true;
                if heard.reach == Some(Reach::No) {
                    return Some(Remedy::Without {
                        lines: lines.into_iter().collect(),
                        outcome: Outcome::Denied,
                    });
                }
            }
            if !changed {
                return None;
            }
        }
        None
    }

    /// The denials without which, and the permission with which everything is let in.
    fn letting_in(
        &mut self,
        answer: &Answer,
        explainer: &Explainer<'_>,
        heard: &Heard,
    ) -> Option<Remedy> {
        self.world.files = BTreeMap::new();
        if heard.unasked && heard.denied.is_empty() && heard.unlisted.is_empty() {
            return Some(Remedy::Words(
                "no permission is asked: see above what refuses it before".to_owned(),
            ));
        }
        let Some(id) = &answer.identity else {
            return Some(Remedy::Words(
                "an identity for the client: a MeshIdentity that selects it".to_owned(),
            ));
        };
        let mut lines: Vec<Origin> = Vec::new();
        let mut yaml = String::new();
        let mut denied = heard.denied.clone();
        let mut unlisted = heard.unlisted.clone();
        for _ in 0..MOST_CHANGES {
            let mut bundle = None;
            for origin in &denied {
                bundle = Some(self.take_out(origin)?);
                lines.push(origin.clone());
            }
            if bundle.is_none() {
                if unlisted.is_empty() || !yaml.is_empty() {
                    return None;
                }
                yaml = permission(answer, explainer, &unlisted, id.as_str())?;
                let bytes = yaml.clone().into_bytes();
                self.world.files.insert(FILE.to_owned(), bytes);
                bundle = self.compiled();
            }
            let heard = Heard::of(&bundle?, answer, &explainer.request);
            if heard.reach == Some(Reach::Yes) {
                let outcome = Outcome::Allowed;
                return Some(match yaml.is_empty() {
                    true => Remedy::Without { lines, outcome },
                    false => Remedy::Document {
                        yaml,
                        lines,
                        outcome,
                    },
                });
            }
            (denied, unlisted) = (heard.denied, heard.unlisted);
        }
        None
    }

    /// Takes out what begins at a line, and compiles what is left. `None`: there is nothing that could go.
    fn take_out(&mut self, origin: &Origin) -> Option<Bundle> {
        let known = self.world.files.get(&origin.file).cloned();
        let text = match &known {
            Some(bytes) => String::from_utf8(bytes.clone()).ok()?,
            None => self.sources.text(&origin.file)?.to_owned(),
        };
        let Without { there, around } = without(&text, origin.line);
        // The whole thing that begins there: of a rule not only what it says first.
        for text in there.into_iter().rev().chain(around) {
            self.world
                .files
                .insert(origin.file.clone(), text.into_bytes());
            if let Some(bundle) = self.compiled() {
                return Some(bundle);
            }
        }
        match known {
            Some(bytes) => self.world.files.insert(origin.file.clone(), bytes),
            None => self.world.files.remove(&origin.file),
        };
        None
    }

    fn compiled(&mut self) -> Option<Bundle> {
        let compiled = self.compiler.compile(&self.world, self.settings);
        (!compiled.diagnostics.has_errors()).then_some(compiled.bundle)
    }
}

/// The smallest permission that lets a client in: for the proxies behind the service where they are all that refuse it, else
/// for the first that does.
fn permission(
    answer: &Answer,
    explainer: &Explainer<'_>,
    unlisted: &BTreeSet<Kri>,
    id: &str,
) -> Option<String> {
    let asked = &explainer.names.asked;
    let (mesh, service) = asked.service(answer.port.as_str()).ok()?;
    let members: BTreeSet<&Kri> = mesh.members(service).map(|one| &one.meta.kri).collect();
    let refusing = asked.proxy(unlisted.first()?.as_str()).ok()?;
    let labels = &refusing.instance.meta.labels;
    let selector = match &service.selector {
        Selector::Labels(labels) if unlisted.iter().all(|kri| members.contains(kri)) => {
            Some(labels)
        }
        _ => None,
    };
    let pairs: Vec<(&str, &str)> = match selector {
        Some(labels) => labels
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect(),
        None => {
            let named = ["app", WORKLOAD, crate::policy::target::DISPLAY_NAME];
            let mut pairs = named
                .iter()
                .filter_map(|key| Some((*key, labels.get(*key)?.as_str())));
            vec![pairs.next()?]
        }
    };
    let called = match pairs.as_slice() {
        [("app", app)] => (*app).to_owned(),
        _ => service.meta.kri.name().to_owned(),
    };
    let taken = |name: &str| {
        let mut documents = mesh.of_kind("mtp").iter();
        documents.any(|document| document.meta.kri.name() == name)
    };
    let numbered = (2..100).map(|number| format!("{called}-clients-{number}"));
    let mut free = std::iter::once(format!("{called}-clients")).chain(numbered);
    let name = free.find(|name| !taken(name))?;
    Some(compose::permission(
        answer.port.mesh(),
        &name,
        &pairs,
        &[id.to_owned()],
    ))
}
