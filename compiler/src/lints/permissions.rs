//! Permissions that have no effect, or whose absence has one.
//!
//! Never an error: deny by default is a legitimate choice.

use std::collections::BTreeMap;

use mesh_bundle::resource::TlsMode;
use mesh_bundle::{Key, Kri, Resource};

use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::identity::{Identity, winner};
use crate::policy::applies::{Selection, Subject};
use crate::policy::target::TargetKind;
use crate::repository::MeshView;
use crate::service::Instance;

use super::{Compared, several};

/// A label of a `MeshIdentity`: that nobody is permitted anything is wanted.
const WANTED: &str = "meshc/allow-deny-all";

/// Of a permission that counts.
pub(super) fn check(compared: Compared<'_>, policy: Selection<'_>, diagnostics: &mut Diagnostics) {
    let reached = inbounds(compared.mesh, policy);
    without_identity(compared, policy, &reached, diagnostics);
    permissive(compared, policy, &reached, diagnostics);
}

/// The inbounds that a policy is about.
fn inbounds<'a>(mesh: &'a MeshView, policy: Selection<'_>) -> Vec<(Instance<'a>, String)> {
    let mut found = Vec::new();
    let everybody = BTreeMap::new();
    let wanted = match policy.target.kind {
        TargetKind::Mesh => &everybody,
        _ => &policy.target.labels,
    };
    for instance in mesh.carrying(wanted) {
        let sections = instance.sections();
        let subject = Subject {
            meta: instance.meta,
            sections: &sections,
        };
        let reached = sections
            .iter()
            .filter(|section| policy.applies_to_inbound(&subject, section));
        found.extend(reached.map(|section| (instance, section.clone())));
    }
    found
}

fn without_identity(
    compared: Compared<'_>,
    policy: Selection<'_>,
    reached: &[(Instance<'_>, String)],
    diagnostics: &mut Diagnostics,
) {
    let identified = |(instance, _): &(Instance<'_>, String)| compared.has_identity(*instance);
    let Some((first, _)) = reached.first().filter(|_| !reached.iter().any(identified)) else {
        return;
    };
    let message = format!(
        "`{}` has no effect: no MeshIdentity selects `{}`, and without an identity everybody may call it",
        policy.meta.kri.name(),
        first.meta.kri.name()
    );
    let at = policy.meta.at.clone();
    let mut diagnostic = Diagnostic::new(Code::PERMISSION_WITHOUT_IDENTITY, at, message);
    diagnostic.related(first.meta.at.clone(), "one of the proxies that it is about");
    diagnostic.help(
        "add a MeshIdentity that selects them, see `meshc explain permission-without-identity`",
    );
    diagnostics.push(diagnostic);
}

fn permissive(
    compared: Compared<'_>,
    policy: Selection<'_>,
    reached: &[(Instance<'_>, String)],
    diagnostics: &mut Diagnostics,
) {
    let open = reached.iter().find_map(|(instance, section)| {
        let made = compared.policy(*instance, section)?;
        let origin = made.tls.origin.as_ref()?;
        (made.tls.value == TlsMode::Permissive).then_some((instance, section, origin))
    });
    let Some((instance, section, origin)) = open else {
        return;
    };
    let message = format!(
        "`{}` does not hold for plaintext clients of the inbound `{section}` of `{}`, which is permissive",
        policy.meta.kri.name(),
        instance.meta.kri.name()
    );
    let at = policy.meta.at.clone();
    let mut diagnostic = Diagnostic::new(Code::PERMISSIVE_PERMISSION, at, message);
    let modes = &compared.mesh.policies.tls.policies;
    let mode = modes.iter().find(|mode| mode.meta.kri == origin.resource);
    if let Some(mode) = mode {
        diagnostic.related(mode.meta.at.clone(), "this makes it permissive");
    }
    diagnostic.help("once all clients have an identity, set `mode: Strict`");
    diagnostics.push(diagnostic);
}

/// The inbounds of a proxy that nobody may call, as indices: those with an identity and without a permission.
pub(crate) fn closed<'a>(
    instance: Instance<'_>,
    given: impl Fn(&Key) -> Option<&'a Resource>,
) -> Vec<usize> {
    let closed = |section: String| match given(&Key::InboundPolicy(section)) {
        Some(Resource::InboundPolicy(policy)) => {
            policy.permissions.as_ref().is_some_and(|permissions| {
                permissions.allow.is_empty() && permissions.allow_with_shadow_deny.is_empty()
            })
        }
        _ => false,
    };
    let inbounds = instance
        .inbounds()
        .filter(|(_, inbound)| closed(inbound.section()));
    inbounds.map(|(index, _)| index).collect()
}

pub(super) fn denies_all(compared: Compared<'_>, diagnostics: &mut Diagnostics) {
    type Closed<'a> = (&'a Identity, Vec<(Instance<'a>, usize)>);
    let mesh = compared.mesh;
    let mut closed: BTreeMap<&Kri, Closed<'_>> = BTreeMap::new();
    for given in compared
        .given
        .iter()
        .filter(|given| !given.closed.is_empty())
    {
        let Some(instance) = Instance::of(&given.dataplane) else {
            continue;
        };
        let Some(identity) = winner(&mesh.identities, instance.meta) else {
            continue;
        };
        let (_, list) = closed
            .entry(&identity.meta.kri)
            .or_insert((identity, Vec::new()));
        list.extend(given.closed.iter().map(|index| (instance, *index)));
    }
    for (identity, closed) in closed.into_values() {
        let wanted = identity
            .meta
            .labels
            .get(WANTED)
            .is_some_and(|value| value == "true");
        let Some((first, index)) = closed.first().filter(|_| !wanted) else {
            continue;
        };
        let (first, dataplane) = (first.inbound_at(*index), first.meta.kri.name());
        let name = |(instance, index): &(Instance<'_>, usize)| {
            let mut inbounds = instance.inbounds();
            let inbound = inbounds.find(|(found, _)| found == index);
            let section = inbound.map(|(_, inbound)| inbound.section());
            let (section, dataplane) = (section.unwrap_or_default(), instance.meta.kri.name());
            format!("inbound `{section}` of `{dataplane}`")
        };
        let message = format!(
            "nobody may call {}: `{}` gives an identity, so all is denied that no MeshTrafficPermission allows",
            several(&closed, name),
            identity.meta.kri.name()
        );
        let at = identity.meta.at.clone();
        let mut diagnostic = Diagnostic::new(Code::DENIES_ALL, at, message);
        diagnostic.related(first, "the first of these inbounds");
        diagnostic.help(format!(
            "allow those who may: a MeshTrafficPermission with `targetRef: {{kind: Dataplane, labels: {{kuma.io/display-name: {dataplane}}}}}` and \
             `allow: [{{spiffeID: {{type: Prefix, value: spiffe://{}}}}}]` for everybody of this trust domain; if it is meant so, label the MeshIdentity `{WANTED}: \"true\"`",
            identity.trust_domain
        ));
        diagnostics.push(diagnostic);
    }
}
