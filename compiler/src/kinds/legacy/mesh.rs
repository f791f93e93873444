//! What a Mesh once held, and now is a resource of its own (language 8.2).
//!
//! Never more than one form a field: the field as a whole moved. What is for all proxies gets a name that loses to the names of
//! other policies, as the Mesh lost to them.

mod backend;

use serde_json::{Value, json};

use super::{Form, Forms, Home, Place};
use crate::diag::Change;
use crate::yaml;

use backend::{logging, metrics, mtls, tracing};

/// What became of a field.
enum Moved {
    /// Nothing: it can go.
    Away {
        why: &'static str,
        /// Does the mesh do the same without it?
        same: bool,
    },
    /// Documents of these kinds, each with its spec.
    To {
        documents: Vec<(&'static str, Value)>,
        /// What else changes.
        and: &'static str,
    },
    /// Somebody has to say more. What to do, and why nobody can do it by program.
    Open(String, &'static str),
}

/// The forms of a Mesh.
pub(super) fn find(mesh: &Place<'_>, home: &Home<'_>, forms: &mut Forms) {
    type Successor = fn(&Place<'_>) -> Moved;
    let fields: [(&str, Successor); 8] = [
        ("mtls", mtls),
        ("tracing", tracing),
        ("logging", logging),
        ("metrics", metrics),
        ("networking", networking),
        ("routing", routing),
        ("constraints", |_| Moved::Away {
            why: "who may join is said by tokens, and what may stand in a repository by its reviews",
            same: false,
        }),
        ("meshServices", |_| Moved::Away {
            why: "MeshServices are always used, and nothing else is",
            same: true,
        }),
    ];
    for (name, successor) in fields {
        if let Some(field) = mesh.field(name) {
            forms.add(form(&field, name, successor(&field), home));
        }
    }
}

fn form(field: &Place<'_>, name: &str, moved: Moved, home: &Home<'_>) -> Form {
    let at = field.at.clone();
    let remove = vec![Change::Remove(at.clone())];
    match moved {
        Moved::Away { why, same } => {
            let form = Form::field(at, name, format!("remove it: {why}"));
            match same {
                true => form.safely(remove),
                false => form.unsafely(remove),
            }
        }
        Moved::To { documents, and } => {
            let told: Vec<String> = documents
                .iter()
                .map(|(kind, spec)| told(kind, spec))
                .collect();
            let help = format!("use {}{and}", told.join(", and "));
            let documents = documents.into_iter().map(|(kind, mut spec)| {
                // An identity has a selector of its own.
                if let (Some(spec), true) = (spec.as_object_mut(), kind != "MeshIdentity") {
                    spec.insert("targetRef".to_owned(), json!({ "kind": "Mesh" }));
                }
                let name = format!("{}-all-{}", kebab(kind), home.mesh());
                home.document(kind, &name, spec)
            });
            let documents = documents.collect();
            Form::field(at, name, help).moving(documents, remove, false, home)
        }
        Moved::Open(help, why) => Form::field(at, name, help).left_to_you(why),
    }
}

/// ``a MeshTLS with `rules: [{default: {mode: Strict}}]` ``.
fn told(kind: &str, spec: &Value) -> String {
    let fields = spec.as_object().into_iter().flatten();
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("{name}: {}", yaml::flow(value)))
        .collect();
    format!("a {kind} with `{}`", fields.join(", "))
}

/// `MeshTLS` is `mesh-tls`, as in the names of default policies.
fn kebab(kind: &str) -> String {
    let mut name = String::new();
    let mut before = 'A';
    for c in kind.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
        before = c;
    }
    name
}

fn networking(networking: &Place<'_>) -> Moved {
    let outbound = networking.field("outbound");
    let passthrough = outbound.and_then(|outbound| outbound.scalar("passthrough"));
    match passthrough.as_deref() {
        Some("false") => Moved::To {
            documents: vec![(
                "MeshPassthrough",
                json!({ "default": { "passthroughMode": "None" } }),
            )],
            and: "",
        },
        _ => Moved::Away {
            why: "everything passes through by default, a MeshPassthrough changes that",
            same: true,
        },
    }
}

fn routing(routing: &Place<'_>) -> Moved {
    let local = routing.scalar("localityAwareLoadBalancing");
    match local.as_deref() {
        Some("false") => Moved::To {
            documents: vec![(
                "MeshLoadBalancingStrategy",
                json!({ "to": [{
                    "targetRef": { "kind": "Mesh" },
                    "default": { "localityAwareness": { "disabled": true } },
                }] }),
            )],
            and: "",
        },
        _ => Moved::Away {
            why: "traffic stays in its zone by default, a MeshLoadBalancingStrategy changes that",
            // It went everywhere unless this said otherwise.
            same: local.as_deref() == Some("true"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::kebab;

    #[test]
    fn kinds_are_part_of_names() {
        let table = [
            ("MeshTLS", "mesh-tls"),
            ("MeshAccessLog", "mesh-access-log"),
            ("MeshLoadBalancingStrategy", "mesh-load-balancing-strategy"),
        ];
        for (kind, expected) in table {
            assert_eq!(kebab(kind), expected);
        }
    }
}
