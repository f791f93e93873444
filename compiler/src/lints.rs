//! What is wrong between resources: each finding once, at the document that causes it.
//!
//! Never changes what is compiled.

mod references;

use crate::diag::Diagnostics;
use crate::repository::MeshView;

/// All findings of one mesh.
pub(crate) fn check(mesh: &MeshView<'_>, diagnostics: &mut Diagnostics) {
    references::check(mesh, diagnostics);
}
