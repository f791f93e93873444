//! Entries of permissions that never decide: what a deny always beats, and what stands there twice.
//!
//! Never compares policies that may be about different proxies, except with a deny for the whole mesh.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::json::Json;
use crate::kinds::Resource;
use crate::policy::Policy;
use crate::policy::target::TargetKind;
use crate::repository::MeshView;

/// The denials of one policy, by what they compare with.
#[derive(Debug, Default, PartialEq)]
struct Denied {
    exact: BTreeMap<String, Location>,
    prefixes: BTreeMap<String, Location>,
}

/// What is denied to all, by zone; under the empty name in every zone.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Everywhere(BTreeMap<String, Denied>);

impl Everywhere {
    pub(super) fn of(mesh: &MeshView) -> Self {
        let mut everywhere: BTreeMap<String, Denied> = BTreeMap::new();
        let policies = mesh.policies.permission.policies.iter();
        for policy in policies.filter(|policy| is_for_all(policy)) {
            let kri = &policy.meta.kri;
            let documents = mesh.of_kind(kri.kind());
            let place = documents.binary_search_by(|document| document.meta.kri.cmp(kri));
            if let Some(document) = place.ok().and_then(|place| documents.get(place)) {
                everywhere
                    .entry(kri.zone().to_owned())
                    .or_default()
                    .read(document);
            }
        }
        Self(everywhere)
    }
}

/// Of a permission that counts.
pub(super) fn check(everywhere: &Everywhere, resource: &Resource, diagnostics: &mut Diagnostics) {
    let mut own = Denied::default();
    own.read(resource);
    for list in ["allow", "allowWithShadowDeny"] {
        for (at, entry) in entries(resource, list) {
            let zones = ["", resource.meta.kri.zone()];
            let everywhere = zones.iter().filter_map(|zone| everywhere.0.get(*zone));
            let mut denied = std::iter::once(&own).chain(everywhere);
            if let Some(by) = denied.find_map(|denied| denied.beats(entry)) {
                diagnostics.push(never(resource, &at, by));
            }
        }
    }
    for list in ["deny", "allow", "allowWithShadowDeny"] {
        repeated(resource, list, diagnostics);
    }
}

/// Is it about every inbound of its zone?
fn is_for_all(policy: &Policy) -> bool {
    let whole = policy.target.kind == TargetKind::Mesh;
    // On Kubernetes a policy may be for one namespace only.
    whole && policy.meta.kri.namespace().is_empty()
}

/// The entries of one list of all rules.
fn entries<'a>(resource: &'a Resource, list: &str) -> Vec<(Pointer, &'a Json)> {
    let rules = resource.body.get("rules").and_then(Json::as_array);
    let mut found = Vec::new();
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        let at = Pointer::default().field("rules").index(index);
        let at = at.field("default").field(list);
        let entries = rule.get("default").and_then(|conf| conf.get(list));
        let entries = entries.and_then(Json::as_array).into_iter().flatten();
        found.extend(
            entries
                .enumerate()
                .map(|(index, entry)| (at.index(index), entry)),
        );
    }
    found
}

/// How an entry compares, and with which ID; `None` where it asks for a server name too.
fn compared(entry: &Json) -> Option<(&str, &str)> {
    if entry.get("sni").is_some() {
        return None;
    }
    let id = entry.get("spiffeID")?;
    Some((id.get("type")?.as_str()?, id.get("value")?.as_str()?))
}

impl Denied {
    fn read(&mut self, resource: &Resource) {
        for (at, entry) in entries(resource, "deny") {
            let place = match compared(entry) {
                Some(("Exact", id)) => self.exact.entry(id.to_owned()),
                Some(("Prefix", id)) => self.prefixes.entry(id.to_owned()),
                _ => continue,
            };
            place.or_insert_with(|| resource.meta.within(&at));
        }
    }

    /// The denial that holds for everybody whom an entry is about.
    fn beats(&self, entry: &Json) -> Option<&Location> {
        let id = entry.get("spiffeID")?;
        let (how, id) = (id.get("type")?.as_str()?, id.get("value")?.as_str()?);
        let same = self.exact.get(id).filter(|_| how == "Exact");
        // Every beginning of the text is looked up, so that it does not matter how many denials there are. One that ends
        // inside of the trust domain is of another.
        let path = id.strip_prefix("spiffe://")?.find('/');
        let domain = path.map_or(id.len(), |path| path + "spiffe://".len());
        let ends = id
            .char_indices()
            .map(|(index, letter)| index + letter.len_utf8());
        let mut begins = ends
            .filter(|end| *end >= domain)
            .filter_map(|end| id.get(..end));
        same.or_else(|| begins.find_map(|begin| self.prefixes.get(begin)))
    }
}

fn never(resource: &Resource, at: &Pointer, by: &Location) -> Diagnostic {
    let at = resource.meta.within(at);
    let message = "this allows nobody: a deny always wins, and one holds for all of them";
    let mut diagnostic = Diagnostic::new(Code::SHADOWED_RULE, at, message);
    diagnostic.related(by.clone(), "the deny");
    diagnostic.help("remove one of the two: nothing can override a deny");
    diagnostic
}

fn repeated(resource: &Resource, list: &str, diagnostics: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for (at, entry) in entries(resource, list) {
        if !seen.insert(entry.to_value().to_string()) {
            let at = resource.meta.within(&at);
            let message = "the same entry stands above";
            let mut diagnostic = Diagnostic::new(Code::SHADOWED_RULE, at, message);
            diagnostic.help("remove it");
            diagnostics.push(diagnostic);
        }
    }
}
