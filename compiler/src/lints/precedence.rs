//! Values that only the names of their policies decide between.
//!
//! Never about policies for the whole mesh: there a name is what one orders them by.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic, Diagnostics, Location};

use super::Compared;

pub(super) fn check(compared: Compared<'_>, diagnostics: &mut Diagnostics) {
    let ties = compared.given.iter().flat_map(|given| &given.ties);
    let ties: BTreeSet<&(Location, Location)> = ties.collect();
    for (winner, loser) in ties {
        let message = "another policy sets this for the same proxy, and wins by its name alone";
        let mut diagnostic = Diagnostic::new(Code::EQUAL_PRECEDENCE, loser.clone(), message);
        diagnostic.related(winner.clone(), "this is effective where both apply");
        diagnostic.help("the number of labels does not count; let the selectors exclude each other, or set it in one place");
        diagnostics.push(diagnostic);
    }
}
