//! References of routes and outbounds that lead nowhere, or not to one place.
//!
//! Never follows what items of `to` refer to: that is reported where policies are read.

use crate::diag::Diagnostics;
use crate::repository::MeshView;

pub(super) fn check(mesh: &MeshView<'_>, diagnostics: &mut Diagnostics) {
    let catalogue = mesh.catalogue();
    for instance in &mesh.instances {
        let outbounds = instance.networking().map_or([].as_slice(), |n| &n.outbound);
        for (index, outbound) in outbounds.iter().enumerate() {
            let Some(backend) = &outbound.backend_ref else {
                continue;
            };
            if let Err(unresolved) = catalogue.outbound(backend, instance.meta) {
                let mut at = instance.outbound_at(index);
                at.pointer = at.pointer.field("backendRef");
                diagnostics.push(unresolved.at(at));
            }
        }
    }
}
