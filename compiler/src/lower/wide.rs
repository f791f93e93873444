//! What is effective for a proxy as a whole: metrics, traces, and what may leave the mesh (language 4.11).
//!
//! Never gives a proxy a resource that no policy asks for: without one, a feature is as it is built in.

use mesh_bundle::{Key, Resource};

use crate::policy::Table;
use crate::policy::merge::Merged;

use super::Lowering;
use super::leaf::Leaves;
use super::shared::{Parts, WideIngredients};
use super::{metrics, passthrough, tracing};

/// Adds what is effective for the proxy as a whole.
pub(super) fn lower(of: Lowering<'_>, parts: &mut Parts<'_>) {
    let policies = &of.mesh.policies;
    let numbers = policies.metric.whole_numbers(&of.subject);
    let address = metrics::address(of, policies.metric.numbered(&numbers));
    let metrics = WideIngredients {
        key: Key::Metrics,
        items: numbers,
        address,
    };
    give(of, &policies.metric, metrics, parts, metrics::metrics);
    let tracing = ingredients(of, Key::Tracing, &policies.trace);
    give(of, &policies.trace, tracing, parts, tracing::tracing);
    if of.instance.captures_outbound() {
        let leaving = ingredients(of, Key::Passthrough, &policies.passthrough);
        let table = &policies.passthrough;
        give(of, table, leaving, parts, passthrough::passthrough);
    }
}

fn ingredients(of: Lowering<'_>, key: Key, table: &Table) -> WideIngredients {
    WideIngredients {
        key,
        items: table.whole_numbers(&of.subject),
        address: None,
    }
}

/// Gives the proxy what `make` makes of a merged conf, or what another proxy with the same ingredients has.
fn give(
    of: Lowering<'_>,
    table: &Table,
    ingredients: WideIngredients,
    parts: &mut Parts<'_>,
    make: fn(Lowering<'_>, &Merged, Leaves<'_>, Option<&str>) -> Resource,
) {
    let key = ingredients.key.clone();
    let known = parts.shared.wide.get(&ingredients);
    let made = known.or_else(|| {
        let merged = table.fold_wholes(&ingredients.items)?;
        let mut notes = parts.shared.notes();
        let leaves = Leaves {
            merged: &merged,
            lines: of.lines,
            notes: &mut notes,
            place: "",
        };
        let resource = make(of, &merged, leaves, ingredients.address.as_deref());
        let made = parts.shared.make(resource, notes, Vec::new())?;
        parts.shared.wide.insert(ingredients, made.clone());
        Some(made)
    });
    if let Some(made) = made {
        parts.give(key, &made);
    }
}
