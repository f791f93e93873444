//! Policies that tell peers apart by their identity, where nobody has one or not that one.
//!
//! Never about a workload that there is not: it may join with a token.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::json::Json;
use crate::kinds::{Resource, Spec};
use crate::policy::target::{Target, TargetKind};
use crate::repository::MeshView;
use crate::service::Instance;
use crate::similar::{listed, nearest};

/// Who there is.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    /// There are proxies, and none of them can have an identity.
    nobody: bool,
    /// Every trust domain that somebody can be of; `None`: not known from here, or nobody has an identity.
    trust_domains: Option<BTreeSet<String>>,
}

impl Known {
    pub(super) fn of(mesh: &MeshView) -> Self {
        let serves = |instance: Instance<'_>| instance.inbounds().next().is_some();
        Self {
            // A proxy that joins later may have an identity, where there is one at all.
            nobody: mesh.identities.is_empty() && mesh.instances().any(serves),
            trust_domains: trust_domains(mesh),
        }
    }
}

pub(super) fn check(
    mesh: &MeshView,
    known: &Known,
    resource: &Resource,
    diagnostics: &mut Diagnostics,
) {
    if resource.meta.virtual_document {
        return;
    }
    let ids = spiffe_ids(resource);
    let first = match &resource.spec {
        // A permission has a code of its own.
        Spec::MeshTrafficPermission => None,
        Spec::MeshTls(spec) if !spec.rules.is_empty() => Some(Pointer::default()),
        _ => ids.first().map(|(at, _)| at.clone()),
    };
    if let Some(at) = first {
        let target = Target::read(resource.body.get("targetRef"));
        let everybody = target.kind == TargetKind::Mesh || target.labels.is_empty();
        let plain = match everybody {
            true => known.nobody,
            false => are_plain(mesh, &target),
        };
        if plain {
            without(resource, &at, diagnostics);
        }
    }
    if let Some(known) = &known.trust_domains {
        for (at, id) in &ids {
            strange(resource, at, id, known, diagnostics);
        }
    }
}

/// Has nobody of those that are selected an identity, and is there somebody?
fn are_plain(mesh: &MeshView, target: &Target) -> bool {
    let carries =
        |instance: &Instance<'_>| crate::policy::carries(&instance.meta.labels, &target.labels);
    let candidates = mesh.carrying(&target.labels);
    let mut found = candidates.filter(carries).peekable();
    let identified = |instance: Instance<'_>| {
        let mut identities = mesh.identities.iter();
        identities.any(|identity| identity.selects(instance.meta))
    };
    found.peek().is_some() && !found.any(identified)
}

fn without(resource: &Resource, at: &Pointer, diagnostics: &mut Diagnostics) {
    let message = match &resource.spec {
        Spec::MeshTls(_) => format!(
            "`{}` has no effect: no MeshIdentity selects the proxies that it is about, so they speak plaintext",
            resource.meta.kri.name()
        ),
        _ => "no connection ever matches: without a MeshIdentity the proxies see no certificate"
            .to_owned(),
    };
    let at = resource.meta.within(at);
    let mut diagnostic = Diagnostic::new(Code::WITHOUT_IDENTITY, at, message);
    diagnostic.help("add a MeshIdentity that selects them, see `meshc explain without-identity`");
    diagnostics.push(diagnostic);
}

fn trust_domains(mesh: &MeshView) -> Option<BTreeSet<String>> {
    // An identity of no zone makes a trust domain of its own in each.
    let anywhere = mesh
        .identities
        .iter()
        .any(|one| one.meta.kri.zone().is_empty());
    if mesh.identities.is_empty() || anywhere {
        return None;
    }
    let own = mesh
        .identities
        .iter()
        .map(|one| one.trust_domain.to_string());
    let trusted = mesh.trusts();
    let trusted = trusted.filter_map(|(_, trust)| trust.trust_domain.clone());
    Some(own.chain(trusted).collect())
}

fn strange(
    resource: &Resource,
    at: &Pointer,
    id: &str,
    known: &BTreeSet<String>,
    diagnostics: &mut Diagnostics,
) {
    let domain = id.strip_prefix("spiffe://").unwrap_or_default();
    let domain = domain.split('/').next().unwrap_or_default();
    if domain.is_empty() || known.contains(domain) {
        return;
    }
    let message = format!(
        "nobody is of the trust domain `{domain}`: no MeshIdentity and no MeshTrust names it"
    );
    let at = resource.meta.within(at);
    let mut diagnostic = Diagnostic::new(Code::SELECTS_NOTHING, at, message);
    let names = known.iter().map(String::as_str);
    diagnostic.help(match nearest(domain, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known is {}", listed(names, "and")),
    });
    diagnostics.push(diagnostic);
}

/// The SPIFFE IDs that the rules of a policy compare with, with their places.
fn spiffe_ids(resource: &Resource) -> Vec<(Pointer, &str)> {
    let mut found = Vec::new();
    for (index, rule) in list(resource.body.get("rules")).enumerate() {
        let at = Pointer::default().field("rules").index(index);
        let conf = rule.get("default");
        let places = ["deny", "allow", "allowWithShadowDeny"].map(|name| {
            let entries = conf.and_then(|conf| conf.get(name));
            (at.field("default").field(name), entries)
        });
        let matches = (at.field("matches"), rule.get("matches"));
        for (at, matches) in places.into_iter().chain([matches]) {
            for (index, one) in list(matches).enumerate() {
                let id = one.get("spiffeID").and_then(|id| id.get("value"));
                let at = at.index(index).field("spiffeID").field("value");
                found.extend(id.and_then(Json::as_str).map(|id| (at, id)));
            }
        }
    }
    found
}

fn list(value: Option<&Json>) -> impl Iterator<Item = &Json> {
    value.and_then(Json::as_array).into_iter().flatten()
}
