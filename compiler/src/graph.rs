//! Who may call whom, as a graph: workloads, the service ports that they call, and the workloads behind those.
//!
//! Never decides anything itself: every edge is what [`Flows`] says becomes of every class of requests that the routes on
//! the way tell apart.

mod dot;
mod json;
mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::{Destination, Traffic};
use mesh_bundle::{Digest, Kri};

use crate::flow::classes::{TooMany, classes, samples};
use crate::flow::{Asked, End, Fate, Flows, Node, Reach, Share};

/// More edges than this are not drawn: nobody could read them.
const MOST_EDGES: usize = 20_000;

/// A mesh as a graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Graph {
    /// With the names of their proxies, sorted.
    pub workloads: BTreeMap<Workload, BTreeSet<String>>,
    /// Service ports with the workloads behind them; none for what is outside of the mesh, or where nobody is.
    pub ports: BTreeMap<Kri, BTreeSet<Workload>>,
    /// What becomes of what a workload sends.
    pub edges: BTreeMap<(Workload, Kri), Edge>,
}

/// Proxies that are one workload: by their identity, or where they have none by the name of their Dataplane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// Its mesh.
    pub mesh: String,
    /// What people call it.
    pub name: String,
}

/// Traffic of a workload that ends at a service port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The service ports that it calls to get there.
    pub via: BTreeSet<Kri>,
    /// How much of it is served.
    pub verdict: Reach,
    /// How it goes.
    pub transport: Transport,
    /// False: the routes on the way tell too many requests apart, and only some were asked.
    pub is_exact: bool,
    /// The least and the largest share, in percent, of the requests to one of `via` that go there.
    pub share: (u8, u8),
}

/// How traffic goes from proxy to proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Mutual TLS of the mesh.
    Mtls,
    /// Plaintext.
    Plain,
    /// By the one from some proxies of the workload, by the other from the rest.
    Mixed,
    /// Out of the mesh.
    Outside,
}

/// Why there is no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoGraph {
    /// It would be too large.
    #[error("there are more than {MOST_EDGES} edges: name a mesh or a service")]
    TooLarge,
    /// Nothing in it is asked for.
    #[error("there is no workload and no service `{0}`")]
    Nothing(String),
}

/// How a graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    /// For browsers: drawn, with titles for those who do not see it.
    Svg,
    /// For Graphviz.
    Dot,
    /// For Markdown of code hosts.
    Mermaid,
    /// For programs.
    Json,
}

impl Graph {
    /// The graph of a bundle; `about` keeps what has to do with a workload or a service of this name.
    ///
    /// # Errors
    /// See [`NoGraph`].
    pub fn new(flows: &Flows<'_>, about: Option<&str>) -> Result<Self, NoGraph> {
        let mut graph = Self::default();
        let mut known = BTreeMap::new();
        for node in flows.nodes() {
            let workload = workload(node);
            let proxies = graph.workloads.entry(workload.clone()).or_default();
            proxies.insert(node.kri.name().to_owned());
            for (_, outbound) in node.outbounds() {
                let port = &outbound.destination;
                let Some((digest, destination)) = node.destination(port) else {
                    continue;
                };
                let questions = known
                    .entry(digest)
                    .or_insert_with(|| Questions::about(flows, digest, destination));
                graph.follow(flows, (node, &workload), port, questions);
                if graph.edges.len() > MOST_EDGES && about.is_none() {
                    return Err(NoGraph::TooLarge);
                }
            }
        }
        graph.place_servers(flows);
        if let Some(name) = about {
            graph.keep(name)?;
        }
        match graph.edges.len() > MOST_EDGES {
            true => Err(NoGraph::TooLarge),
            false => Ok(graph),
        }
    }

    /// The service ports of which only some requests were asked, by their names.
    #[must_use]
    pub fn sampled(&self) -> BTreeSet<String> {
        let edges = self.edges.values().filter(|edge| !edge.is_exact);
        let ports = edges.flat_map(|edge| &edge.via);
        ports.map(|port| self.name(port)).collect()
    }

    /// As text.
    #[must_use]
    pub fn render(&self, format: GraphFormat) -> String {
        match format {
            GraphFormat::Svg => svg::render(self),
            GraphFormat::Dot => dot::render(self),
            GraphFormat::Mermaid => mermaid::render(self),
            GraphFormat::Json => json::render(self),
        }
    }

    fn follow(
        &mut self,
        flows: &Flows<'_>,
        (node, workload): (Node<'_>, &Workload),
        port: &Kri,
        questions: &Questions,
    ) {
        for asked in &questions.asked {
            let Ok(flow) = flows.follow(node.kri, port, asked) else {
                continue;
            };
            let Fate::Split(shares) = &flow.fate else {
                continue;
            };
            for share in shares.iter().filter(|share| share.backend.weight > 0) {
                if let Some(to) = &share.backend.cluster {
                    self.add((workload.clone(), to.clone()), port, share, questions);
                }
            }
        }
    }

    fn add(&mut self, ends: (Workload, Kri), via: &Kri, share: &Share<'_>, asked: &Questions) {
        let transport = match &share.end {
            End::Mesh { tls: true, .. } => Transport::Mtls,
            End::Mesh { tls: false, .. } => Transport::Plain,
            End::Outside { .. } => Transport::Outside,
            End::Unresolved => return,
        };
        let percent = u64::from(share.backend.weight) * 100 / share.of.max(1);
        let percent = u8::try_from(percent).unwrap_or(100);
        let verdict = share.end.reach();
        let edge = self.edges.entry(ends).or_insert_with(|| Edge {
            via: BTreeSet::new(),
            verdict,
            transport,
            is_exact: true,
            share: (percent, percent),
        });
        edge.is_exact &= asked.is_exact;
        edge.via.insert(via.clone());
        edge.verdict = Reach::of([edge.verdict, verdict]);
        if edge.transport != transport {
            edge.transport = Transport::Mixed;
        }
        edge.share = (edge.share.0.min(percent), edge.share.1.max(percent));
    }

    fn place_servers(&mut self, flows: &Flows<'_>) {
        for port in self.edges.keys().map(|(_, port)| port) {
            let servers = flows.servers(port).iter();
            let servers = servers.map(|server| workload(server.node));
            let known = self.ports.entry(port.clone()).or_default();
            known.extend(servers);
        }
    }

    fn keep(&mut self, name: &str) -> Result<(), NoGraph> {
        let ports = &self.ports;
        self.edges.retain(|(from, to), edge| {
            let behind = ports.get(to).into_iter().flatten();
            let mut workloads = behind.chain([from]);
            let mut services = edge.via.iter().chain([to]);
            workloads.any(|workload| workload.name == name)
                || services.any(|service| service.name() == name)
        });
        let edges = &self.edges;
        self.ports
            .retain(|port, _| edges.keys().any(|(_, to)| to == port));
        let ports = &self.ports;
        self.workloads.retain(|workload, _| {
            workload.name == name
                || edges.keys().any(|(from, _)| from == workload)
                || ports.values().any(|behind| behind.contains(workload))
        });
        match self.workloads.is_empty() {
            true => Err(NoGraph::Nothing(name.to_owned())),
            false => Ok(()),
        }
    }

    /// The name of a service port for people; with its mesh where there is more than one.
    fn name(&self, port: &Kri) -> String {
        let name = match port.section() {
            "" => port.name().to_owned(),
            section => format!("{}:{section}", port.name()),
        };
        match self.is_one_mesh() {
            true => name,
            false => format!("{}/{name}", port.mesh()),
        }
    }

    /// As [`Self::name`].
    fn workload_name(&self, workload: &Workload) -> String {
        match self.is_one_mesh() {
            true => workload.name.clone(),
            false => format!("{}/{}", workload.mesh, workload.name),
        }
    }

    fn is_one_mesh(&self) -> bool {
        let mut meshes = self.workloads.keys().map(|workload| &workload.mesh);
        let first = meshes.next();
        meshes.all(|mesh| Some(mesh) == first)
    }
}

impl Edge {
    /// What is said of it: `permitted, mTLS, 90 %`.
    fn words(&self) -> String {
        let share = match self.share {
            (100, 100) => String::new(),
            (least, most) if least == most => format!(", {most} %"),
            (least, most) => format!(", {least} to {most} %"),
        };
        let (verdict, transport) = (self.verdict_word(), self.transport.word());
        let some = if self.is_exact {
            ""
        } else {
            ", of the requests that were asked"
        };
        format!("{verdict}, {transport}{share}{some}")
    }

    fn verdict_word(&self) -> &'static str {
        match self.verdict {
            Reach::Yes => "permitted",
            Reach::Partly => "permitted in part",
            Reach::No => "refused",
        }
    }
}

impl Transport {
    fn word(self) -> &'static str {
        match self {
            Self::Mtls => "mTLS",
            Self::Plain => "plaintext",
            Self::Mixed => "mTLS or plaintext",
            Self::Outside => "out of the mesh",
        }
    }
}

fn workload(node: Node<'_>) -> Workload {
    let name = node.workload().unwrap_or(node.kri.name());
    Workload {
        mesh: node.kri.mesh().to_owned(),
        name: name.to_owned(),
    }
}

/// What is asked of a destination.
#[derive(Debug, Clone)]
struct Questions {
    asked: Vec<Asked>,
    /// One of every class of requests that its routes tell apart; otherwise, what each rule says itself.
    is_exact: bool,
}

impl Questions {
    fn about(flows: &Flows<'_>, digest: Digest, destination: &Destination) -> Self {
        let (found, is_exact) = match &destination.traffic {
            Traffic::Http { routes } if routes.len() > 1 => {
                let table = flows.routes(digest, destination).ok();
                let found = table.as_ref().map(|table| (classes(&[table]), table));
                match found {
                    Some((Ok(found), _)) => (found, true),
                    Some((Err(TooMany), table)) => (samples(&[table]), false),
                    None => (Vec::new(), true),
                }
            }
            _ => (Vec::new(), true),
        };
        let mut asked: Vec<Asked> = found.into_iter().map(|class| class.example).collect();
        if asked.is_empty() {
            asked.push(Asked::new("GET", "/"));
        }
        Self { asked, is_exact }
    }
}
