//! From the name of a kind to what is known of it, or to why it cannot be.
//!
//! Never refuses a kind without a word about what to do instead.

use super::reader::Reader;
use crate::diag::Pointer;
use crate::kinds::legacy::Home;
use crate::kinds::{self, KindInfo};

/// The kind of this name. Reports why there is none.
pub(super) fn find(reader: &mut Reader<'_>, name: &str, at: &Pointer) -> Option<&'static KindInfo> {
    let kind = kinds::find(name);
    if kind.is_none() {
        let refusal = kinds::unknown::refusal(name, reader.root);
        reader
            .error(refusal.code, at, refusal.message)
            .help(refusal.help);
    }
    // The policy that takes its place is attached in the same way.
    if name == "MeshProxyPatch" {
        let home = Home::unknown(reader.settings);
        let body = Pointer::default().field("spec");
        let forms = kinds::legacy::find(name, reader.root, &body, &home);
        reader.legacy(&forms);
    }
    kind
}
