//! Over a value that a policy sets: for how many proxies it counts, what it beats, and what beats it.
//!
//! Never merges by itself: tables do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::cursor::Spot;
use super::super::meaning::Meaning;
use super::super::page::{MOST, Page};
use super::super::question::Question;
use crate::diag::{Location, Pointer};
use crate::kinds::Resource;
use crate::policy::applies::Subject;
use crate::policy::merge::Merged;
use crate::policy::{Source, Table};
use crate::service::Instance;
use crate::yaml;

/// Proxies that are looked at: nobody waits for all of a large mesh.
const MOST_PROXIES: usize = 200;

/// Kinds whose `rules` do not merge: each counts for itself.
const INDEPENDENT: [&str; 2] = ["MeshFaultInjection", "MeshTrafficPermission"];

/// What became of a value.
#[derive(Debug, Default)]
struct Found {
    /// The proxies for which it is effective, at one of their destinations or inbounds at least.
    effective: BTreeSet<String>,
    /// Those for which it is beaten.
    beaten: BTreeSet<String>,
    beats: BTreeSet<String>,
    beaten_by: BTreeSet<String>,
}

/// See above.
pub(super) fn show(question: &Question<'_>, spot: &Spot, page: &mut Page) {
    let (Some(meaning), Some(policy)) = (question.meaning(), question.resource(spot)) else {
        return;
    };
    let at = Location {
        pointer: spot.pointer.clone(),
        ..policy.meta.at.clone()
    };
    let Some(table) = conf(policy, &spot.pointer).and_then(|()| meaning.table(policy)) else {
        return;
    };
    let Some(affected) = meaning.affected(policy) else {
        return;
    };
    let mut found = Found::default();
    for instance in affected.iter().take(MOST_PROXIES) {
        for merged in merged(table, *instance, &at) {
            found.note(meaning, instance, &merged, &at);
        }
    }
    found.show(affected.len(), page);
}

/// Is the place inside of what is merged?
fn conf(policy: &Resource, pointer: &Pointer) -> Option<()> {
    let inside = pointer
        .steps
        .strip_prefix(policy.meta.body.steps.as_slice())?;
    let inside = Pointer {
        steps: inside.to_vec(),
    };
    let dotted = inside.dotted();
    let conf = dotted.starts_with("default.")
        || ["to[", "rules["]
            .iter()
            .any(|list| dotted.starts_with(list))
            && dotted.contains("].default.");
    conf.then_some(())
}

/// What is effective for a proxy wherever the document that holds a place has a say.
fn merged(table: &Table, instance: Instance<'_>, at: &Location) -> Vec<Merged> {
    let sections = instance.sections();
    let subject = Subject {
        meta: instance.meta,
        sections: &sections,
    };
    let mut all = Vec::new();
    let outbound = table.outbound(&subject);
    let items = outbound.items();
    if let Some(item) = items.iter().find(|item| holds(&item.at, at)) {
        let each = item.towards.iter().take(MOST);
        all.extend(each.map(|towards| outbound.fold(&outbound.covering(towards))));
    }
    let wholes = table.whole_numbers(&subject);
    let mut numbered = table.numbered(&wholes);
    if numbered.any(|whole| holds(&whole.at, at)) {
        all.extend(table.fold_wholes(&wholes));
    }
    if INDEPENDENT.contains(&table.kind) {
        return all;
    }
    for section in &sections {
        let inbound = table.inbound(&subject, section);
        for rule in inbound.rules.iter().filter(|rule| holds(&rule.at, at)) {
            all.push(match &rule.peer {
                Some(peer) => inbound.lookup(peer),
                None => inbound.base(),
            });
        }
    }
    all
}

/// Is the second place the first, or inside of it?
fn holds(outer: &Location, inner: &Location) -> bool {
    outer.file == inner.file
        && outer.document == inner.document
        && inner.pointer.steps.starts_with(&outer.pointer.steps)
}

impl Found {
    fn note(&mut self, meaning: &Meaning, instance: &Instance<'_>, merged: &Merged, at: &Location) {
        let name = || instance.meta.kri.name().to_owned();
        let whole = merged.to_value();
        let written = |value: Option<&Value>, by: &Source| {
            let value = value.map(yaml::flow).unwrap_or_default();
            format!("`{value}` of {}", origin(meaning, by))
        };
        for (place, setting) in &merged.settings {
            if holds(&setting.by.at, at) && !setting.by.virtual_document {
                self.effective.insert(name());
                let beaten = setting.beat.iter();
                self.beats
                    .extend(beaten.map(|beaten| written(Some(&beaten.value), &beaten.by)));
            }
            let mut beaten = setting.beat.iter();
            if beaten.any(|beaten| holds(&beaten.by.at, at)) {
                self.beaten.insert(name());
                let value = whole.pointer(&place.to_string());
                self.beaten_by.insert(written(value, &setting.by));
            }
        }
    }

    fn show(self, affected: usize, page: &mut Page) {
        let looked = affected.min(MOST_PROXIES);
        let proxies = |names: &BTreeSet<String>| match names.len() {
            count if affected > looked => {
                format!("{count} of the first {looked} of {affected} proxies")
            }
            1..=3 => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                names.join(", ")
            }
            count => format!("{count} of {affected} proxies"),
        };
        if !self.effective.is_empty() {
            let effective = page.strong("effective");
            page.add(format!("{effective} for {}", proxies(&self.effective)));
            for beaten in self.beats.iter().take(MOST) {
                page.add(format!("beats {beaten}"));
            }
        }
        if !self.beaten.is_empty() {
            let beaten = page.strong("not effective");
            page.add(format!("{beaten} for {}", proxies(&self.beaten)));
            for by in self.beaten_by.iter().take(MOST) {
                page.add(format!("beaten by {by}"));
            }
        }
        if affected == 0 {
            page.add("no proxy is affected");
        }
    }
}

fn origin(meaning: &Meaning, by: &Source) -> String {
    let origin = meaning.analysis.lines().source(by);
    match origin.line {
        0 => format!("{} {}", origin.resource.name(), origin.file),
        _ => origin.to_string(),
    }
}
