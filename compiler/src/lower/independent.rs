//! Rules of an inbound that act beside each other: faults and access logs (language 4.10).
//!
//! Never merges: every rule keeps what its own document says.

use mesh_bundle::resource::IndependentRule;
use serde_json::Value;

use crate::diag::Pointer;
use crate::json::Json;
use crate::policy::inbound::{Inbound, Rule};
use crate::repository::Lines;

use mesh_bundle::Origin;

/// The rules in the order in which they are tried. `field` of a rule's conf is its list of acts, which `read` reads with the
/// origin of each.
pub(super) fn rules<T>(
    applied: &Inbound<'_>,
    lines: Lines<'_>,
    field: &str,
    mut read: impl FnMut(&Value, Origin) -> Option<T>,
) -> Vec<IndependentRule<T>> {
    let mut numbered: Vec<&Rule> = Vec::new();
    let mut rules = Vec::new();
    for rule in &applied.rules {
        // The matches of one rule are apart here, each in its own place.
        let same = |other: &&Rule| other.policy == rule.policy && other.at == rule.at;
        let number = numbered.iter().position(same).unwrap_or_else(|| {
            numbered.push(rule);
            numbered.len() - 1
        });
        let origin = |at: &Pointer| Some(lines.source(&applied.source(rule, at)?));
        let (Some(own), Ok(number)) = (origin(&Pointer::default()), u32::try_from(number)) else {
            continue;
        };
        let list = rule.conf.get(field).and_then(Json::as_array);
        let list = list.unwrap_or_default().iter();
        let act = |(index, act): (usize, &Json)| {
            let at = Pointer::default().field(field).index(index);
            read(&act.to_value(), origin(&at)?)
        };
        let acts: Vec<T> = list.enumerate().filter_map(act).collect();
        if !acts.is_empty() {
            rules.push(IndependentRule {
                number,
                peer: rule.peer.clone(),
                acts,
                origin: own,
            });
        }
    }
    rules
}
