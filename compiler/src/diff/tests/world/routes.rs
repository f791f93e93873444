//! Documents with routes, for requests or, where a port speaks nothing else, for connections.
//!
//! Never a route that nobody could write.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::SERVICES;

/// A `MeshHTTPRoute`.
#[derive(Debug, Clone)]
pub(in crate::diff) struct Routes {
    /// Is it about what only `web` sends?
    pub(in crate::diff) of_web: bool,
    /// To `api`, or to `db`.
    pub(in crate::diff) to: usize,
    pub(in crate::diff) rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
pub(in crate::diff) struct Rule {
    pub(in crate::diff) matches: BTreeSet<usize>,
    /// Of `api` and of `db`; a backend that is not there has none.
    pub(in crate::diff) weights: [Option<u32>; 2],
    pub(in crate::diff) filter: usize,
}

const MATCHES: [&str; 9] = [
    "{path: {type: PathPrefix, value: /a}}",
    "{path: {type: Exact, value: /a/b}, method: GET}",
    "{method: POST}",
    "{path: {type: PathPrefix, value: /}, headers: [{name: x-beta, value: '1'}]}",
    "{path: {type: RegularExpression, value: '/a/.*'}}",
    "{path: {type: PathPrefix, value: /}}",
    "{path: {type: Exact, value: /a}, queryParams: [{type: Exact, name: v, value: '2'}]}",
    "{path: {type: PathPrefix, value: /a}, method: POST}",
    "{path: {type: PathPrefix, value: /}, headers: [{name: x-gamma, value: '1'}]}",
];
/// What is done beside sending; the last but one instead of it.
const FILTERS: [&str; 5] = [
    "",
    "filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-a, value: '1'}]}}], ",
    "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}], ",
    "filters: [{type: RequestRedirect, requestRedirect: {statusCode: 302, hostname: elsewhere}}], ",
    "filters: [{type: RequestMirror, requestMirror: {percentage: 10, backendRef: {kind: MeshService, labels: {kuma.io/display-name: db}, port: 80}}}], ",
];

fn rule() -> impl Strategy<Value = Rule> {
    let weights = prop::array::uniform2(prop::option::weighted(0.8, 0_u32..4));
    let matches = prop::collection::btree_set(0..MATCHES.len(), 1..3);
    let filter = prop_oneof![4 => Just(0), 1 => 1..FILTERS.len()];
    (matches, weights, filter).prop_map(|(matches, weights, filter)| {
        // What replaces a prefix needs one to replace.
        let prefixed = matches.iter().all(|which| [0, 3, 5, 7, 8].contains(which));
        Rule {
            matches,
            weights,
            filter: if filter == 2 && !prefixed { 0 } else { filter },
        }
    })
}

pub(super) fn routes() -> impl Strategy<Value = Routes> {
    let rules = prop::collection::vec(rule(), 1..4);
    let to = prop::bool::weighted(0.3).prop_map(usize::from);
    (any::<bool>(), to, rules).prop_map(|(of_web, to, rules)| Routes { of_web, to, rules })
}

impl Routes {
    pub(super) fn document(&self, place: usize, is_tcp: bool) -> String {
        if is_tcp && self.to == 1 {
            return self.connections(place);
        }
        let rule = |rule: &Rule| {
            // Requests go nowhere where connections are spoken.
            let mut rule = rule.clone();
            if is_tcp {
                rule.weights[1] = None;
                rule.filter = if rule.filter == 4 { 0 } else { rule.filter };
            }
            let matches: Vec<_> = rule.matches.iter().map(|which| MATCHES[*which]).collect();
            let backends = match rule.filter {
                3 => String::new(),
                _ => backends(rule.weights),
            };
            format!(
                "        - {{matches: [{}], default: {{{}{backends}}}}}\n",
                matches.join(", "),
                FILTERS[rule.filter],
            )
        };
        let rules: String = self.rules.iter().map(rule).collect();
        self.whole("MeshHTTPRoute", place, &rules)
    }

    /// The split of its first rule, for connections.
    fn connections(&self, place: usize) -> String {
        let split = self.rules[0].weights.map(|own| own.or(Some(1)));
        let rules = format!("        - {{default: {{{}}}}}\n", backends(split));
        self.whole("MeshTCPRoute", place, &rules)
    }

    fn whole(&self, kind: &str, place: usize, rules: &str) -> String {
        let whose = match self.of_web {
            true => "  targetRef: {kind: Dataplane, labels: {app: web}}\n",
            false => "",
        };
        let to = SERVICES[self.to];
        format!(
            "type: {kind}\nname: routes-{place}\nspec:\n{whose}  to:\n    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: {to}}}}}\n      rules:\n{rules}"
        )
    }
}

fn backends(weights: [Option<u32>; 2]) -> String {
    let backend = |(name, weight): (&str, Option<u32>)| {
        let weight = weight?;
        Some(format!(
            "{{kind: MeshService, labels: {{kuma.io/display-name: {name}}}, port: 80, weight: {weight}}}"
        ))
    };
    let backends = SERVICES.into_iter().zip(weights);
    let backends: Vec<_> = backends.filter_map(backend).collect();
    match backends.is_empty() {
        true => String::new(),
        false => format!("backendRefs: [{}]", backends.join(", ")),
    }
}
