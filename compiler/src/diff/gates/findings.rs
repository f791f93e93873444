//! Broken gates as findings, so that every program that takes those of `meshc check` takes these too.
//!
//! Never points at a line that is gone: who reads the finding has what is there now.

use std::sync::Arc;

use super::{Place, Verdict};
use crate::diag::{Diagnostic, Diagnostics, Location};
use crate::source::{SourceFile, Sources};
use crate::world::ConfigFile;

/// One finding for each broken gate, at the line that breaks it; where none is left, at the line of the gate. `settings` is
/// the file that says what a change may do, `after` what there is now. With them, the files in which they are.
#[must_use]
pub fn findings(
    verdict: &Verdict,
    settings: &ConfigFile,
    after: &Sources,
) -> (Diagnostics, Sources) {
    let text = String::from_utf8_lossy(&settings.bytes);
    let file = SourceFile::of_toml(&text);
    let mut sources = Sources::of(vec![(settings.path.as_str().into(), Arc::new(file))]);
    let mut found = Diagnostics::default();
    for broken in &verdict.broken {
        let rule = sources.on_line(&broken.rule.file, broken.rule.line);
        let rule = rule.unwrap_or_else(|| Location::of_file(&broken.rule.file));
        let causes = broken.causes.iter();
        let mut causes = causes.filter_map(|place| there(place, after));
        let at = causes.next();
        let mut finding = Diagnostic::new(
            broken.gate.code(),
            at.clone().unwrap_or_else(|| rule.clone()),
            &broken.message,
        );
        finding.help(&broken.help);
        for cause in causes.filter(|cause| Some(cause) != at.as_ref()) {
            finding.related(cause, "so does this line");
        }
        if at.is_some() {
            finding.related(rule, "the gate");
        }
        let places = std::iter::once(&finding.at);
        let places = places.chain(finding.related.iter().map(|(at, _)| at));
        for place in places {
            sources.share(after, &place.file);
        }
        found.push(finding);
    }
    found.sort(&sources);
    (found, sources)
}

/// What stands on a line now; of a line that is gone, what is left of the document that it was in.
fn there(place: &Place, now: &Sources) -> Option<Location> {
    let on = now.on_line(&place.file, place.line);
    let Some(wanted) = &place.resource else {
        return on;
    };
    on.filter(|at| now.resource(at) == Some(wanted))
        .or_else(|| now.written(wanted))
}
