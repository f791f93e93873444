//! The shortest answer: is a request served, and by which line.
//!
//! Never explains.

use mesh_bundle::{Kri, Origin};

use super::names::Clients;
use super::{Explainer, Outcome, Question, asked, at_the_door, because, decided};
use crate::Analysis;
use crate::flow::{Arrival, NoFlow, Reach};
use crate::inspect::NotShown;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who sends it; empty where no proxy is known.
    pub clients: Vec<Kri>,
    /// The service with the section name of the port.
    pub port: Kri,
    /// Is it served, at least for some of the clients or by some of the servers?
    pub is_open: bool,
    /// What decided it: of a refusal the refusing line, where there is one, else the line that allows it.
    pub because: Option<Origin>,
}

/// Is a request served?
///
/// # Errors
/// Nothing is called so, or the request is none that a proxy would look at.
pub fn edge(analysis: &Analysis, question: &Question) -> Result<Edge, NotShown> {
    asked(analysis, question, |explainer, clients, port| {
        explainer.edge(clients, port)
    })
}

impl Explainer<'_> {
    fn edge(&self, clients: Clients, port: &Kri) -> Result<Edge, NotShown> {
        let mut found = Edge {
            clients: Vec::new(),
            port: port.clone(),
            is_open: false,
            because: None,
        };
        match clients {
            Clients::Stranger(id) => {
                let arrivals = at_the_door(self.flows, Some(&id), port);
                found.is_open = Reach::of(arrivals.iter().map(Arrival::reach)) > Reach::No;
                found.because = because(&arrivals);
            }
            Clients::Proxies(proxies) => {
                found.clients = proxies.iter().cloned().collect();
                for clients in self.names.alike(proxies, port) {
                    let Some(client) = clients.first() else {
                        continue;
                    };
                    let (outcome, because) = match self.flows.follow(client, port, &self.request) {
                        Ok(flow) => decided(&flow),
                        Err(NoFlow::NoOutbound { .. }) => (Outcome::NoWay, None),
                        Err(why) => return Err(NotShown::NoAnswer(why.to_string())),
                    };
                    let is_open = matches!(outcome, Outcome::Allowed | Outcome::Partly);
                    if (is_open && !found.is_open) || found.because.is_none() {
                        found.because = because;
                    }
                    found.is_open |= is_open;
                }
            }
        }
        Ok(found)
    }
}
