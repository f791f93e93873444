//! Policies about what leaves the mesh, for proxies whose workloads reach everything else without them.
//!
//! Never said while there is no proxy at all: those that register later may capture.

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::policy::applies::Subject;
use crate::repository::MeshView;
use crate::service::Instance;

pub(super) fn check(mesh: &MeshView, diagnostics: &mut Diagnostics) {
    let policies = &mesh.policies.passthrough.policies;
    if policies.is_empty() || mesh.dataplanes.is_empty() {
        return;
    }
    let capturing: Vec<(Instance<'_>, Vec<String>)> = mesh
        .instances()
        .filter(|instance| instance.captures_outbound())
        .map(|instance| (instance, instance.sections()))
        .collect();
    for policy in policies {
        let applies = |(instance, sections): &(Instance<'_>, Vec<String>)| {
            let meta = instance.meta;
            policy.applies(&Subject { meta, sections })
        };
        if capturing.iter().any(applies) {
            continue;
        }
        let at = policy.meta.within(&Pointer::default());
        let message = format!(
            "`{}` is about no proxy that captures the traffic of its workload",
            policy.meta.kri.name()
        );
        let mut diagnostic = Diagnostic::new(Code::NO_EFFECT, at, message);
        diagnostic.help("only what is captured can be kept in: `networking.transparentProxying`");
        diagnostics.push(diagnostic);
    }
}
