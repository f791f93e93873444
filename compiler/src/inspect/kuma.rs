//! The inspect paths of Kuma's API, answered from a repository (language 12): what Kuma says of the same documents.
//!
//! Never asks a server, and never answers with what only Envoy has. The rules that hold are Kuma's where the repository
//! was read with [`Compat::Kuma`](crate::model::Compat).

mod dataplanes;
mod hostnames;
mod layout;
mod path;
mod policies;
mod routes;
mod rules;
mod stored;

use std::collections::BTreeMap;

use mesh_bundle::Kri;
use serde_json::{Value, json};

use crate::analysis::Analysis;
use crate::kinds::{KINDS, KindInfo, Resource, Spec};
use crate::repository::MeshView;
use crate::similar::nearest;
use crate::source::Node;

use super::asked::{Asked, Proxy};
use path::{Page, Path, Question};

/// What Kuma would send.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// Why there is no answer, not even Kuma's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    /// No inspect path looks like this.
    #[error("`{path}` is no inspect path of Kuma's API{}", super::hint(.near.as_deref()))]
    NoPath {
        /// What was asked.
        path: String,
        /// The part that was probably meant.
        near: Option<String>,
    },
    /// The configuration of a proxy that we do not have.
    #[error(
        "`_config` is about the configuration of Envoy, which is not made here: `_layout`, `_rules` and `_policies` tell what it would be made of"
    )]
    Envoy,
}

impl Answer {
    /// As it is printed.
    #[must_use]
    pub fn text(&self) -> String {
        super::json::text(&self.body)
    }

    /// Is it what was asked for, not a refusal?
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == 200
    }

    /// What a refusal says.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str);
        let words = || {
            format!(
                "{} {}: {}",
                self.status,
                text("title").unwrap_or_default(),
                text("detail").unwrap_or_default()
            )
        };
        (!self.is_ok()).then(words)
    }
}

/// A refusal of Kuma's.
#[derive(Debug)]
struct Refusal {
    status: u16,
    title: String,
    detail: String,
}

impl Refusal {
    fn not_found(title: impl Into<String>) -> Self {
        Self {
            status: 404,
            title: title.into(),
            detail: "Not found".to_owned(),
        }
    }

    fn bad_request(detail: &str) -> Self {
        Self {
            status: 400,
            title: "Bad Request".to_owned(),
            detail: format!("bad request: {detail}"),
        }
    }
}

/// Answers a path such as `/meshes/default/dataplanes/web-1/_policies`.
///
/// # Errors
/// See [`NotAnswered`]; what Kuma refuses is an [`Answer`] with Kuma's status.
pub fn answer(analysis: &Analysis, path: &str) -> Result<Answer, NotAnswered> {
    let asked = Path::parse(path)?;
    let meshes = &analysis.meshes;
    let documents = meshes.iter().flat_map(|view| &view.documents);
    let documents = documents.filter(|document| document.meta.kri.mesh() == asked.mesh);
    let documents = documents.map(|document| (&document.meta.kri, document.as_ref()));
    let api = Api {
        asked: Asked { analysis, meshes },
        mesh: &asked.mesh,
        documents: documents.collect(),
        written: stored::written(&analysis.compiled.sources),
    };
    Ok(match api.answer(&asked) {
        Ok(body) => Answer { status: 200, body },
        Err(Refusal {
            status,
            title,
            detail,
        }) => Answer {
            status,
            body: json!({
                "type": "/std-errors", "status": status, "title": title, "detail": detail, "details": detail,
            }),
        },
    })
}

/// One mesh, as the API sees it.
struct Api<'a> {
    asked: Asked<'a>,
    mesh: &'a str,
    /// Those of the mesh, by KRI.
    documents: BTreeMap<&'a Kri, &'a Resource>,
    /// What stands in each file, document by document.
    written: BTreeMap<&'a str, Vec<Option<Node>>>,
}

impl<'a> Api<'a> {
    fn answer(&self, path: &Path) -> Result<Value, Refusal> {
        let name = path.name.as_str();
        match &path.question {
            Question::Layout => Ok(layout::layout(self, &self.proxy(name)?)),
            Question::Rules => Ok(rules::rules(self, &self.proxy(name)?)),
            Question::ProxyPolicies => Ok(policies::of_proxy(&self.proxy(name)?)),
            Question::InboundPolicies(inbound) => {
                let inbound = path::kri(inbound)?;
                policies::of_inbound(&self.proxy(name)?, &inbound)
            }
            Question::OutboundPolicies(outbound) => {
                let outbound = path::kri(outbound)?;
                Ok(policies::of_outbound(&self.proxy(name)?, &outbound))
            }
            Question::Routes(outbound) => {
                let outbound = path::kri(outbound)?;
                Ok(routes::of_outbound(&self.proxy(name)?, &outbound))
            }
            Question::RoutePolicies(outbound, route) => {
                let (outbound, route) = (path::kri(outbound)?, path::kri(route)?);
                Ok(policies::of_route(&self.proxy(name)?, &outbound, &route))
            }
            Question::Hostnames(kind) => hostnames::hostnames(self, kind, name),
            Question::Members(page) => dataplanes::of_service(self, name, page),
            Question::Selected(kind, page) => dataplanes::of_policy(self, kind, name, page),
            Question::Unsupported(parameter) => Err(Refusal::bad_request(&format!(
                "unsupported value for query parameter '{parameter}'"
            ))),
        }
    }

    /// The mesh, where a document declares it or is in it.
    fn mesh(&self) -> Result<Option<&'a MeshView>, Refusal> {
        let mut views = self.asked.views();
        let view = views.find(|view| {
            view.documents
                .iter()
                .any(|document| document.meta.kri.mesh() == self.mesh)
        });
        let mut documents = self.asked.analysis.resources.iter();
        let declared = documents.any(|document| {
            matches!(document.spec, Spec::Mesh(_)) && document.meta.kri.name() == self.mesh
        });
        match declared || self.mesh == "default" {
            true => Ok(view),
            false => Err(Refusal::not_found("Failed to retrieve Mesh")),
        }
    }

    fn proxy(&self, name: &str) -> Result<Proxy<'a>, Refusal> {
        let view = self.mesh()?;
        let proxy = view.and_then(|view| {
            let mut instances = view.instances();
            let instance = instances.find(|instance| self.goes_by(instance.meta, name))?;
            Some(self.asked.of(view, instance))
        });
        proxy.ok_or_else(|| Refusal::not_found("Could not retrieve Dataplane"))
    }
}

/// The name of a kind in paths: `meshtimeouts`.
fn collection(kind: &KindInfo) -> String {
    let name = kind.name.to_lowercase();
    match name.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if name.ends_with('s') => format!("{name}es"),
        None => format!("{name}s"),
    }
}

/// The policy kind of a path.
fn policy_kind(collection: &str) -> Result<&'static KindInfo, NotAnswered> {
    let kinds = KINDS.iter().copied().filter(|kind| kind.is_policy);
    let names: Vec<(String, &KindInfo)> =
        kinds.map(|kind| (self::collection(kind), kind)).collect();
    match names.iter().find(|(name, _)| name == collection) {
        Some((_, kind)) => Ok(kind),
        None => Err(NotAnswered::NoPath {
            path: collection.to_owned(),
            near: nearest(collection, names.iter().map(|(name, _)| name.as_str()))
                .map(str::to_owned),
        }),
    }
}

/// An object with one field more, where there is something to say.
fn with(mut object: Value, name: &str, value: Option<Value>) -> Value {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(name.to_owned(), value);
    }
    object
}

/// A part of a list, with what is left of it.
fn paged(items: Vec<Value>, page: &Page) -> Value {
    let total = items.len();
    let shown: Vec<Value> = items
        .into_iter()
        .skip(page.offset)
        .take(page.size)
        .collect();
    let end = page.offset + shown.len();
    let next = (end < total).then(|| json!(page.next(end)));
    with(json!({"items": shown, "total": total}), "next", next)
}
