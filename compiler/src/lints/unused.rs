//! What nothing uses: collectors without a reference, hashes without a balancer that looks at them.
//!
//! Never about services: a workload outside of the repository may call one.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::json::Json;
use crate::kinds::mesh_load_balancing_strategy::{BalancerType, MeshLoadBalancingStrategy};
use crate::kinds::telemetry_ref::TelemetryRef;
use crate::kinds::{Resource, Spec};
use crate::repository::MeshView;

pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    collectors(mesh, diagnostics);
    hashes(mesh, diagnostics);
}

fn unused(resource: &Resource, at: &Pointer, message: String) -> Diagnostic {
    Diagnostic::new(Code::UNUSED_RESOURCE, resource.meta.within(at), message)
}

fn collectors(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    let all = mesh.of_kind("motb").iter();
    let all = all.filter(|resource| match &resource.spec {
        // One that nobody can find has been reported.
        Spec::MeshOpenTelemetryBackend(spec) => !spec.is_nowhere(),
        _ => false,
    });
    let all: Vec<&Arc<Resource>> = all.collect();
    if all.is_empty() {
        return;
    }
    let mut used = BTreeSet::new();
    let referring = ["mal", "mm", "mtr"].into_iter();
    for resource in referring.flat_map(|kind| mesh.of_kind(kind)) {
        for (_, conf) in super::telemetry::confs(&resource.body) {
            let backends = conf.get("backends").and_then(Json::as_array);
            let references = backends.into_iter().flatten();
            let references =
                references.filter_map(|one| one.get("openTelemetry")?.get("backendRef"));
            for reference in references {
                let Some(reference) = reference.read::<TelemetryRef>() else {
                    continue;
                };
                // Which one is meant is not known where none or several fit, and has been asked.
                let Ok((collector, None)) = mesh.collectors.resolve(&reference) else {
                    return;
                };
                used.insert(collector.kri.clone());
            }
        }
    }
    for resource in all {
        if !used.contains(&resource.meta.kri) {
            let message = format!(
                "no MeshAccessLog, MeshMetric or MeshTrace refers to `{}`",
                resource.meta.kri.name()
            );
            let mut diagnostic = unused(resource, &Pointer::default(), message);
            diagnostic.help("refer to it by its labels in a `backendRef`, or remove it");
            diagnostics.push(diagnostic);
        }
    }
}

fn hashes(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    let all = mesh
        .of_kind("mlbs")
        .iter()
        .filter_map(|resource| match &resource.spec {
            Spec::MeshLoadBalancingStrategy(spec) => Some((resource.as_ref(), spec)),
            _ => None,
        });
    let all: Vec<(&Resource, &MeshLoadBalancingStrategy)> = all.collect();
    let mut hashing = all.iter().flat_map(|(_, spec)| spec.hashing());
    // Confs are merged: what one says another may use.
    if hashing
        .clone()
        .any(|(_, balancer, policies)| balancer && policies)
    {
        return;
    }
    let balanced = hashing.clone().any(|(_, balancer, _)| balancer);
    let hashed = hashing.any(|(_, _, policies)| policies);
    for (resource, spec) in all {
        for (index, balancer, policies) in spec.hashing() {
            let at = Pointer::default().field("to").index(index).field("default");
            let (at, message, help) = if policies && !balanced {
                (
                    at.field("hashPolicies"),
                    "no balancer looks at a hash, so this has no effect",
                    "write `loadBalancer: {type: RingHash}`, or `Maglev`",
                )
            } else if balancer && !hashed {
                (
                    at.field("loadBalancer"),
                    "there is nothing to make a hash of, so instances are chosen at random",
                    "write `hashPolicies`, such as `[{type: Header, header: {name: x-user}}]`",
                )
            } else {
                continue;
            };
            let mut diagnostic = unused(resource, &at, message.to_owned());
            diagnostic.help(help);
            diagnostics.push(diagnostic);
        }
    }
}

impl MeshLoadBalancingStrategy {
    /// For each item: is instance chosen by a hash, and is there something to make one of?
    fn hashing(&self) -> impl Iterator<Item = (usize, bool, bool)> + Clone {
        self.to.iter().enumerate().map(|(index, to)| {
            let conf = to.default.as_ref();
            let balancer = conf.and_then(|conf| conf.load_balancer.as_ref()?.kind);
            let balancer = matches!(
                balancer,
                Some(BalancerType::RingHash | BalancerType::Maglev)
            );
            let policies = conf.and_then(|conf| conf.hash_policies.as_ref());
            (
                index,
                balancer,
                policies.is_some_and(|policies| !policies.is_empty()),
            )
        })
    }
}
