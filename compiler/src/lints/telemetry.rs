//! References of logs, metrics and traces to collectors that are not there.
//!
//! Never looks at anything else of a backend: that is checked with its kind.

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer, Severity};
use crate::json::Json;
use crate::kinds::telemetry_ref::TelemetryRef;
use crate::kinds::{Resource, Spec};
use crate::repository::MeshView;

pub(super) fn check(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    match &resource.spec {
        Spec::MeshAccessLog | Spec::MeshMetric | Spec::MeshTrace => {
            document(mesh, resource, diagnostics);
        }
        Spec::MeshOpenTelemetryBackend(spec) if spec.is_nowhere() => {
            let at = resource.meta.within(&Pointer::default());
            let message = format!(
                "`{}` has no address, and proxies are not to look for one",
                resource.meta.kri.name()
            );
            let mut diagnostic = Diagnostic::new(Code::NO_EFFECT, at, message);
            diagnostic.help("write `endpoint: {address: <host>}`");
            diagnostics.push(diagnostic);
        }
        _ => {}
    }
}

/// Every conf of a document, with its place.
pub(super) fn confs(body: &Json) -> Vec<(Pointer, &Json)> {
    let at = Pointer::default();
    let mut confs = Vec::new();
    confs.extend(body.get("default").map(|conf| (at.field("default"), conf)));
    for list in ["to", "rules"] {
        let items = body.get(list).and_then(Json::as_array);
        for (index, item) in items.into_iter().flatten().enumerate() {
            let conf = item.get("default");
            let at = at.field(list).index(index).field("default");
            confs.extend(conf.map(|conf| (at, conf)));
        }
    }
    confs
}

fn document(mesh: &MeshView, resource: &Resource, diagnostics: &mut Diagnostics) {
    for (at, conf) in confs(&resource.body) {
        let backends = conf.get("backends").and_then(Json::as_array);
        for (index, backend) in backends.into_iter().flatten().enumerate() {
            let telemetry = backend.get("openTelemetry");
            let Some(reference) = telemetry.and_then(|telemetry| telemetry.get("backendRef"))
            else {
                continue;
            };
            let Some(reference) = reference.read::<TelemetryRef>() else {
                continue;
            };
            let at = at.field("backends").index(index);
            let at = at.field("openTelemetry").field("backendRef");
            let at = resource.meta.within(&at);
            let (remark, severity) = match mesh.collectors.resolve(&reference) {
                Err(unresolved) => (Some(unresolved), Severity::Error),
                // One of them is taken, so telemetry flows.
                Ok((_, remark)) => (remark, Severity::Warning),
            };
            diagnostics.list.extend(remark.map(|remark| Diagnostic {
                severity,
                ..remark.at(at)
            }));
        }
    }
}
