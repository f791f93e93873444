//! From documents to questions: which clients, which ports, and what has to hold.
//!
//! Never asks: a plan is made once, and asked of as many bundles as somebody likes.

mod clients;

use std::collections::BTreeSet;
use std::sync::Arc;

use mesh_bundle::{Duration, Kri, Origin};

use crate::Analysis;
use crate::diag::Pointer;
use crate::flow::callers::{Caller, callers};
use crate::flow::{Asked, Flows};
use crate::kinds::mesh_test::{
    Access, ClientKind, Clients, Expectation, Intent, RateExpectation, ShareExpectation,
    TestRequest,
};
use crate::kinds::mesh_timeout::TimeoutConf;
use crate::kinds::target_ref::TargetRef;
use crate::kinds::{Resource, Spec};
use crate::parallel::{self, SMALL};
use crate::policy::outbound::Towards;
use crate::policy::target::{Target, TargetKind};
use crate::repository::{Lines, MeshView};

use super::judge::Judge;
use super::{Failure, TestResult};

/// The tests of a repository.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) tests: Vec<Planned>,
}

/// One test.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) document: Kri,
    pub(super) name: String,
    pub(super) at: Origin,
    pub(super) clients: Vec<Client>,
    pub(super) ports: Vec<Kri>,
    pub(super) asked: Asked,
    pub(super) wanted: Wanted,
    /// Why it cannot be asked.
    pub(super) broken: Option<String>,
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    /// A workload, through its proxy.
    Proxy(Kri),
    /// Anybody of a class, at the door of the server.
    Caller(Arc<Caller>),
}

/// What has to hold.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) access: Option<Access>,
    pub(super) encrypted: Option<bool>,
    pub(super) route: Option<Way>,
    pub(super) timeout: TimeoutConf,
    pub(super) retries: Option<u32>,
    pub(super) rate: Option<Option<(u32, Duration)>>,
}

impl Wanted {
    /// Who may come in, where nothing else is asked.
    pub(super) fn only_access(&self) -> Option<Access> {
        let nothing_else = self.encrypted.is_none()
            && self.route.is_none()
            && self.timeout == TimeoutConf::default()
            && self.retries.is_none()
            && self.rate.is_none();
        self.access.filter(|_| nothing_else)
    }
}

/// Where a request has to go.
#[derive(Debug)]
pub(super) enum Way {
    /// Back, with this status.
    Back(u32),
    /// To these.
    To(Vec<Part>),
}

/// A part of the traffic.
#[derive(Debug)]
pub(super) struct Part {
    /// In the words of the test.
    pub(super) called: String,
    /// Any of these ports will do.
    pub(super) ports: BTreeSet<Kri>,
    pub(super) parts_per_million: u32,
}

/// Which lines the answers of a test came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Those that decided.
    pub(super) decided: BTreeSet<Origin>,
    /// Those that were about the client as well.
    pub(super) concerned: BTreeSet<Origin>,
}

impl Plan {
    pub(super) fn of(analysis: &Analysis, flows: &Flows<'_>) -> Self {
        let everybody: Vec<Arc<Caller>> = callers(&[flows]).into_iter().map(Arc::new).collect();
        let mut tests = Vec::new();
        for mesh in &analysis.meshes {
            let planner = Planner {
                mesh,
                flows,
                everybody: &everybody,
                lines: analysis.lines(),
            };
            let mut intents = Vec::new();
            for document in &mesh.documents {
                if let Spec::MeshTest(spec) = &document.spec {
                    let own = spec.tests.iter().enumerate();
                    intents.extend(own.map(|(index, intent)| (document, index, intent)));
                }
            }
            tests.extend(parallel::map(
                &intents,
                SMALL,
                |(document, index, intent)| planner.plan(document, *index, intent),
            ));
        }
        Self { tests }
    }

    /// Forgets all but the tests of which a name holds this.
    pub(super) fn keep(&mut self, text: &str) {
        self.tests
            .retain(|test| test.name.contains(text) || test.document.name().contains(text));
    }

    /// The results, and what each of the tests touched, where that is wanted.
    pub(super) fn ask(&self, flows: &Flows<'_>, recorded: bool) -> (Vec<TestResult>, Vec<Touched>) {
        let asked = parallel::map(&self.tests, SMALL, |test| {
            let (failures, touched) = test.ask(flows, recorded);
            let result = TestResult {
                document: test.document.clone(),
                name: test.name.clone(),
                at: test.at.clone(),
                questions: test.clients.len().saturating_mul(test.ports.len()),
                failures,
            };
            (result, touched)
        });
        let (results, touched): (Vec<TestResult>, Vec<Option<Touched>>) = asked.into_iter().unzip();
        (results, touched.into_iter().flatten().collect())
    }
}

impl Planned {
    /// What does not hold, and what was touched, where that is wanted.
    pub(super) fn ask(&self, flows: &Flows<'_>, recorded: bool) -> (Vec<Failure>, Option<Touched>) {
        let mut judge = Judge::new(self, flows, recorded);
        if let Some(message) = &self.broken {
            judge.fail(message.clone(), Vec::new());
            return judge.finish();
        }
        for client in &self.clients {
            for port in &self.ports {
                judge.ask(client, port);
            }
        }
        judge.finish()
    }
}

/// What plans of one mesh are made with.
struct Planner<'a> {
    mesh: &'a MeshView,
    flows: &'a Flows<'a>,
    everybody: &'a [Arc<Caller>],
    lines: Lines<'a>,
}

impl Planner<'_> {
    fn plan(&self, document: &Resource, index: usize, intent: &Intent) -> Planned {
        let at = Pointer::default().field("tests").index(index);
        let at = document.meta.within(&at);
        let from = intent.from.clone().unwrap_or_default();
        let to = intent.to.clone().unwrap_or_default();
        let (ports, no_ports) = found(self.ports(&to));
        let (clients, no_clients) = found(self.clients(&from));
        let expect = intent.expect.clone().unwrap_or_default();
        let (wanted, no_backends) = match self.wanted(&expect) {
            Ok(wanted) => (wanted, None),
            Err(why) => (Wanted::default(), Some(why)),
        };
        let name = intent.name.clone();
        Planned {
            document: document.meta.kri.clone(),
            name: name.unwrap_or_else(|| called(&from, &to, &expect)),
            at: self.lines.within(&document.meta, &at),
            clients,
            ports,
            asked: asked(intent.request.as_ref()),
            wanted,
            broken: no_ports.or(no_clients).or(no_backends),
        }
    }

    /// The ports that a reference leads to; or why it leads to none.
    fn ports(&self, to: &TargetRef) -> Result<Vec<Kri>, String> {
        let target = target(to);
        let towards = self.mesh.catalogue().towards(&target);
        let mut ports = Vec::new();
        for towards in towards.unwrap_or_default() {
            match towards {
                Towards::Port(port) => ports.push(port),
                Towards::Service(service) => {
                    let service = self.mesh.service(&service);
                    let all = service
                        .into_iter()
                        .flat_map(|service| service.ports.iter().map(|port| service.kri(port)));
                    ports.extend(all);
                }
                Towards::Mesh | Towards::Route(_) => {}
            }
        }
        match ports.is_empty() {
            true => Err(format!(
                "no port of a {} is `{}`",
                target.kind.as_str(),
                words(to)
            )),
            false => Ok(ports),
        }
    }

    fn wanted(&self, expect: &Expectation) -> Result<Wanted, String> {
        let route = match &expect.route {
            None => None,
            Some(route) => Some(match (&route.backends, route.redirect) {
                (Some(backends), _) => Way::To(
                    backends
                        .iter()
                        .map(|backend| self.part(backend))
                        .collect::<Result<_, _>>()?,
                ),
                (None, status) => Way::Back(status.unwrap_or_default()),
            }),
        };
        Ok(Wanted {
            access: expect.access,
            encrypted: expect.encrypted,
            route,
            timeout: expect.timeout.clone().unwrap_or_default(),
            retries: expect.retries,
            rate: expect.rate.as_ref().map(RateExpectation::rate),
        })
    }

    fn part(&self, backend: &ShareExpectation) -> Result<Part, String> {
        let to = TargetRef {
            kind: Some(backend.target_kind()),
            labels: backend.labels.clone(),
            section_name: backend.section_name.clone(),
        };
        let share = backend.share.as_ref();
        Ok(Part {
            called: words(&to),
            ports: self.ports(&to)?.into_iter().collect(),
            parts_per_million: share
                .and_then(|share| share.parts_per_million())
                .unwrap_or(1_000_000),
        })
    }
}

impl RateExpectation {
    /// How many in which time; `None`: as many as come.
    fn rate(&self) -> Option<(u32, Duration)> {
        Some((self.num?, self.interval?.0))
    }
}

fn found<T>(result: Result<Vec<T>, String>) -> (Vec<T>, Option<String>) {
    match result {
        Ok(found) => (found, None),
        Err(why) => (Vec::new(), Some(why)),
    }
}

fn asked(request: Option<&TestRequest>) -> Asked {
    let method = request.and_then(|request| request.method.as_deref());
    let path = request.and_then(|request| request.path.as_deref());
    let asked = Asked::new(method.unwrap_or("GET"), path.unwrap_or("/"));
    let headers = request.into_iter().flat_map(|request| &request.headers);
    headers.fold(asked, |asked, header| match (&header.name, &header.value) {
        (Some(name), Some(value)) => asked.with(name, value),
        _ => asked,
    })
}

fn target(to: &TargetRef) -> Target {
    use crate::kinds::target_ref::TargetKind as Written;
    Target {
        kind: match to.kind {
            Some(Written::MeshExternalService) => TargetKind::MeshExternalService,
            Some(Written::MeshMultiZoneService) => TargetKind::MeshMultiZoneService,
            _ => TargetKind::MeshService,
        },
        labels: to.labels.clone(),
        section: to.section_name.clone(),
        port: None,
    }
}

/// A reference in a few words: `api:http`, or its labels.
fn words(to: &TargetRef) -> String {
    let name = to.labels.get(crate::policy::target::DISPLAY_NAME);
    let labels = || {
        let pairs: Vec<String> = to
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(",")
    };
    let name = name.cloned().unwrap_or_else(labels);
    match &to.section_name {
        Some(section) => format!("{name}:{section}"),
        None => name,
    }
}

/// What a test is called that has no name.
fn called(from: &Clients, to: &TargetRef, expect: &Expectation) -> String {
    let kind = from.kind;
    let labels = || {
        let pairs: Vec<String> = from
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        pairs.join(",")
    };
    let id = from.spiffe_id.as_ref().and_then(|id| id.value.clone());
    let who = match kind {
        Some(ClientKind::Dataplane) if from.labels.is_empty() => "every workload".to_owned(),
        Some(ClientKind::Dataplane) => labels(),
        Some(ClientKind::SpiffeId) => id.unwrap_or_default(),
        Some(ClientKind::Plaintext) => "plaintext".to_owned(),
        Some(ClientKind::Anybody) | None => "anybody".to_owned(),
    };
    let what = [
        (expect.access == Some(Access::Allow), "allow"),
        (expect.access == Some(Access::Deny), "deny"),
        (expect.encrypted.is_some(), "encrypted"),
        (expect.route.is_some(), "route"),
        (expect.timeout.is_some(), "timeout"),
        (expect.retries.is_some(), "retries"),
        (expect.rate.is_some(), "rate"),
    ];
    let what: Vec<&str> = what
        .into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, word)| word)
        .collect();
    format!("{} {who} to {}", what.join(" and "), words(to))
}
