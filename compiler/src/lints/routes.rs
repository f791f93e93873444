//! Routes that are never tried.
//!
//! Never compares expressions: only what certainly matches everything, or the same, hides a route.

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::json::Json;
use crate::kinds::{Resource, Spec};
use crate::lower::route::{hidden, read_matches};

pub(super) fn check(resource: &Resource, diagnostics: &mut Diagnostics) {
    let Spec::MeshHttpRoute = &resource.spec else {
        return;
    };
    let items = resource.body.get("to").and_then(Json::as_array);
    for (index, item) in items.into_iter().flatten().enumerate() {
        let at = Pointer::default().field("to").index(index).field("rules");
        let rules = item.get("rules").and_then(Json::as_array);
        let mut entries = Vec::new();
        for (index, rule) in rules.into_iter().flatten().enumerate() {
            let at = at.index(index).field("matches");
            for (index, matches) in read_matches(rule.get("matches")).into_iter().enumerate() {
                entries.push((resource.meta.within(&at.index(index)), matches));
            }
        }
        for (hidden, hider) in hidden(&entries) {
            report(hidden, hider, diagnostics);
        }
    }
}

fn report(hidden: Location, hider: Location, diagnostics: &mut Diagnostics) {
    let message = "no request ever gets here: all that match go to a route that is tried before";
    let mut diagnostic = Diagnostic::new(Code::SHADOWED_RULE, hidden, message);
    diagnostic.related(hider, "this is tried before, and matches all of them");
    diagnostic.help(
        "a match with a path is tried before one without; give this one a path too, or remove it",
    );
    diagnostics.push(diagnostic);
}
