//! What the language is, for people and editors: schemas, and a page for every kind, made of the same types and comments
//! as the compiler itself.
//!
//! Never says what a kind does not say of itself; where something is missing, the doc comment of its type is the place.

mod body;
mod document;
mod field;
mod page;
mod remark;
mod union;

use crate::kinds::{Body, KINDS, KindInfo, Scope};

pub(crate) use document::READ_ONLY;
pub use document::schemas;
pub use field::Field;
pub use union::union;

pub(crate) use remark::Remark;

/// What there is to know of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindReference {
    /// As documents write it.
    pub name: &'static str,
    /// In KRIs.
    pub short: &'static str,
    /// What it is for.
    pub purpose: String,
    /// It belongs to a mesh.
    pub of_mesh: bool,
    /// Its fields stand under `spec` in both formats.
    pub has_spec: bool,
    /// On Kubernetes only in the namespace of the control plane.
    pub system_only: bool,
    /// It attaches behaviour: the kinds that its `targetRef` may name, none where it is no policy.
    pub top: &'static [&'static str],
    /// The kinds that `targetRef` of an item of `to` may name.
    pub to: Vec<String>,
    /// Which of `to`, `rules` and `default` it has, for a policy.
    pub items: Vec<&'static str>,
    /// All fields of its body, in the order of their paths.
    pub fields: Vec<Field>,
    /// A document that compiles.
    pub example: &'static str,
}

/// Every kind, sorted by name.
#[must_use]
pub fn reference() -> Vec<KindReference> {
    let mut all: Vec<KindReference> = KINDS.iter().map(|kind| KindReference::of(kind)).collect();
    all.sort_by_key(|kind| kind.name);
    all
}

impl KindReference {
    fn of(kind: &KindInfo) -> Self {
        let body = body::of(kind);
        let purpose = body.get("description").and_then(serde_json::Value::as_str);
        let fields = field::fields(kind, &body);
        let has = |item: &&'static str| {
            let path = format!("spec.{item}");
            let inside = |field: &Field| {
                let rest = field.path.strip_prefix(&path);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            kind.is_policy && fields.iter().any(inside)
        };
        Self {
            name: kind.name,
            short: kind.short,
            purpose: Remark::read(purpose.unwrap_or_default()).text,
            of_mesh: kind.scope == Scope::Mesh,
            has_spec: kind.body == Body::Spec,
            system_only: kind.system_only,
            top: if kind.is_policy {
                &["Mesh", "Dataplane"]
            } else {
                &[]
            },
            to: kind.to.iter().map(ToString::to_string).collect(),
            items: ["to", "rules", "default"].into_iter().filter(has).collect(),
            example: kind.example,
            fields,
        }
    }
}
