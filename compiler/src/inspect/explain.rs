//! Why a request is allowed, denied or routed as it is: each step with its line, what lost, and what would change the answer.
//!
//! Never decides: every answer is one of [`Flows`], which asks what the proxies ask. Never guesses what would change it: each
//! change has been compiled.

mod arrival;
mod edge;
mod names;
mod remedy;
mod told;
mod way;

use std::sync::Arc;

use mesh_bundle::decide::Peer;
use mesh_bundle::{Kri, Origin, SpiffeId};

use crate::flow::{Arrival, Asked as Request, End, Entrance, Fate, Flow, Flows, NoFlow, Reach};
use crate::repository::MeshView;
use crate::world::World;
use crate::{Analysis, Compiler};

use super::asked::Asked;
use super::page::Row;
use super::{Form, NotShown};

pub use edge::{Edge, edge};
use names::{Clients, Names, mesh_of};
use remedy::{Hypotheses, Remedy};

/// A question about one request or connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// A workload, a Dataplane, a service, a SPIFFE ID or a KRI.
    pub from: String,
    /// A service, its port or hostname, a workload, a Dataplane or a KRI.
    pub to: String,
    /// The name or number of the port, where the service has several.
    pub port: Option<String>,
    /// Only this mesh is looked at.
    pub mesh: Option<String>,
    /// What is asked for; without it, `GET /` stands for every request where requests are routed.
    pub request: Option<Request>,
}

/// The answer for clients that are alike.
#[derive(Debug)]
struct Answer {
    clients: Vec<Kri>,
    identity: Option<SpiffeId>,
    port: Kri,
    /// What is asked for, where requests are routed.
    request: Option<Request>,
    outcome: Outcome,
    /// What decided it.
    because: Option<Origin>,
    steps: Vec<Step>,
    remedies: Vec<Remedy>,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Allowed,
    Partly,
    Denied,
    Redirected,
    /// The client's proxy does not lead there.
    NoWay,
}

/// One step on the way.
#[derive(Debug)]
struct Step {
    name: &'static str,
    rows: Vec<Row>,
}

/// What answers are made with.
struct Explainer<'a> {
    analysis: &'a Analysis,
    names: Names<'a>,
    flows: &'a Flows<'a>,
    request: Request,
}

/// The answer to a question. `world` is what the analysis was made of, best by `compiler`: what would change the answer is
/// most of the same.
///
/// # Errors
/// Nothing is called so, or the request is none that a proxy would look at.
pub fn explain(
    analysis: &Analysis,
    (compiler, world): (Compiler, &(dyn World + Sync)),
    question: &Question,
    form: Form,
) -> Result<String, NotShown> {
    let answered = |explainer: &Explainer<'_>, clients: Clients, port: &Kri| {
        let mut answers = explainer.answers(clients, port)?;
        let (settings, sources) = (&analysis.settings, &analysis.compiled.sources);
        let mut hypotheses = Hypotheses::new((compiler, world), settings, sources);
        for answer in &mut answers {
            answer.remedies = hypotheses.remedies(answer, explainer);
        }
        Ok(match form {
            Form::Human => told::human(&answers),
            Form::Json => told::json(question, &answers),
        })
    };
    asked(analysis, question, answered)
}

/// The answer without what would change it.
#[cfg(test)]
pub(super) fn steps(analysis: &Analysis, question: &Question) -> Result<String, NotShown> {
    asked(analysis, question, |explainer, clients, port| {
        Ok(told::human(&explainer.answers(clients, port)?))
    })
}

/// Finds out what a question is about, and answers it.
fn asked<T>(
    analysis: &Analysis,
    question: &Question,
    answer: impl FnOnce(&Explainer<'_>, Clients, &Kri) -> Result<T, NotShown>,
) -> Result<T, NotShown> {
    let meshes = meshes(analysis, question)?;
    let flows = Flows::new(&analysis.compiled.bundle);
    let asked = Asked {
        analysis,
        meshes: &meshes,
    };
    let names = Names {
        asked,
        flows: &flows,
    };
    let clients = names.clients(&question.from)?;
    let port = names.port(question, &clients)?;
    let request = question.request.clone();
    let explainer = Explainer {
        analysis,
        names,
        flows: &flows,
        request: request.unwrap_or_else(|| Request::new("GET", "/")),
    };
    answer(&explainer, clients, &port)
}

/// The meshes that are looked at.
fn meshes(analysis: &Analysis, question: &Question) -> Result<Vec<Arc<MeshView>>, NotShown> {
    let mut meshes = analysis.meshes.clone();
    if let Some(mesh) = &question.mesh {
        let known = meshes.iter().filter_map(|view| mesh_of(view));
        let near = crate::similar::nearest(mesh, known).map(str::to_owned);
        meshes.retain(|view| mesh_of(view) == Some(mesh));
        if meshes.is_empty() {
            return Err(NotShown::Unknown {
                what: "mesh",
                name: mesh.clone(),
                near,
            });
        }
    }
    Ok(meshes)
}

impl Explainer<'_> {
    fn answers(&self, clients: Clients, port: &Kri) -> Result<Vec<Answer>, NotShown> {
        match clients {
            Clients::Stranger(id) => Ok(vec![self.stranger(&id, port)]),
            Clients::Proxies(proxies) => {
                let alike = self.names.alike(proxies, port).into_iter();
                alike.map(|clients| self.clients(clients, port)).collect()
            }
        }
    }

    /// Somebody of whom no proxy is known, at the door of the servers.
    fn stranger(&self, id: &SpiffeId, port: &Kri) -> Answer {
        let arrivals = at_the_door(self.flows, Some(id), port);
        let mut steps = vec![way::stranger(id)];
        steps.extend(self.arrivals(&arrivals));
        Answer {
            clients: Vec::new(),
            identity: Some(id.clone()),
            port: port.clone(),
            request: None,
            outcome: Outcome::of(Reach::of(arrivals.iter().map(Arrival::reach))),
            because: because(&arrivals),
            steps,
            remedies: Vec::new(),
        }
    }

    /// Workloads that are alike, through their proxies.
    fn clients(&self, clients: Vec<Kri>, port: &Kri) -> Result<Answer, NotShown> {
        let client = clients.first().ok_or_else(|| NotShown::Incomplete {
            name: port.name().to_owned(),
            reason: "there is no client".to_owned(),
        })?;
        let identity = self.flows.node(client).and_then(|node| node.identity());
        let identity = identity.map(|identity| identity.spiffe_id.clone());
        let mut steps: Vec<Step> = self.client(&clients).into_iter().collect();
        let (outcome, because, request) = match self.flows.follow(client, port, &self.request) {
            Ok(flow) => {
                steps.extend(self.way(&flow));
                let is_http = matches!(flow.route, crate::flow::Route::Http { .. });
                let request = is_http.then(|| self.request.clone());
                let (outcome, because) = decided(&flow);
                (outcome, because, request)
            }
            Err(NoFlow::NoOutbound { .. }) => {
                steps.push(self.no_way(client, port));
                let arrivals = at_the_door(self.flows, identity.as_ref(), port);
                steps.extend(self.arrivals(&arrivals));
                (Outcome::NoWay, None, None)
            }
            Err(why) => return Err(NotShown::NoAnswer(why.to_string())),
        };
        Ok(Answer {
            identity,
            port: port.clone(),
            request,
            outcome,
            because,
            steps,
            remedies: Vec::new(),
            clients,
        })
    }
}

impl Outcome {
    fn of(reach: Reach) -> Self {
        match reach {
            Reach::Yes => Self::Allowed,
            Reach::Partly => Self::Partly,
            Reach::No => Self::Denied,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Partly => "allowed in part",
            Self::Denied => "denied",
            Self::Redirected => "answered by the client's proxy with a redirect",
            Self::NoWay => "not sent: the client's proxy does not lead there",
        }
    }
}

/// What the servers of a port say to an identity that comes by itself.
fn at_the_door<'b>(flows: &Flows<'b>, id: Option<&'b SpiffeId>, port: &Kri) -> Vec<Arrival<'b>> {
    let peer = id.map(|id| Peer {
        identity: Some(id),
        sni: None,
    });
    let servers = flows.servers(port).iter();
    servers
        .map(|server| flows.arrival(server, peer.as_ref()))
        .collect()
}

/// What becomes of a flow, and what decided it: of a refusal the refusing line, else the line that allows it.
fn decided(flow: &Flow<'_>) -> (Outcome, Option<Origin>) {
    let shares = match &flow.fate {
        Fate::Redirected { .. } => return (Outcome::Redirected, Some(flow.origin().clone())),
        Fate::Split(shares) => shares,
    };
    let taken = || shares.iter().filter(|share| share.backend.weight > 0);
    let unresolved = taken().find(|share| matches!(share.end, End::Unresolved));
    let arrivals: Vec<Arrival<'_>> = arrivals(flow).cloned().collect();
    let because = match unresolved {
        Some(share) => Some(share.backend.origin.clone()),
        None => because(&arrivals),
    };
    (Outcome::of(flow.reach()), because)
}

/// The inbounds that get a part of a flow.
fn arrivals<'f, 'b>(flow: &'f Flow<'b>) -> impl Iterator<Item = &'f Arrival<'b>> {
    let shares = match &flow.fate {
        Fate::Redirected { .. } => [].as_slice(),
        Fate::Split(shares) => shares.as_slice(),
    };
    let taken = shares.iter().filter(|share| share.backend.weight > 0);
    let arrivals = taken.flat_map(|share| match &share.end {
        End::Mesh { arrivals, .. } => arrivals.as_slice(),
        End::Unresolved | End::Outside { .. } => [].as_slice(),
    });
    arrivals.filter(|arrival| arrival.server.endpoint.healthy)
}

fn because(arrivals: &[Arrival<'_>]) -> Option<Origin> {
    let refusing = arrivals.iter().find(|arrival| arrival.reach() == Reach::No);
    deciding(refusing.or(arrivals.first())?)
}

/// The line that decided what an inbound says.
fn deciding(arrival: &Arrival<'_>) -> Option<Origin> {
    match &arrival.entrance {
        Entrance::Asked(admission) => admission.origin().cloned(),
        Entrance::ClientUnknown | Entrance::ServerUnknown => None,
    }
}

#[cfg(test)]
mod tests;
