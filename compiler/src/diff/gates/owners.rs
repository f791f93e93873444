//! Whom the changes of a directory affect, beside those whom they may.
//!
//! Never takes the path of a file for its effect: the change is compiled with and without the files of the directory, and
//! what differs is what they do. A policy that selects others affects others, wherever it lies.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::{Concerned, Effect, effects};
use super::part::Part;
use super::{Broken, CAUSES, Change, Gate, Place, Side, Verdict};
use crate::Compiler;
use crate::config::{Gates, Owner};
use crate::diff::names::Names;
use crate::diff::{diff, words};

pub(super) fn judge(
    gates: &Gates,
    change: &Change<'_>,
    compiler: &mut Compiler,
    verdict: &mut Verdict,
) {
    if gates.owners.is_empty() {
        return;
    }
    let files = changed_files(change);
    let mut by_owner: BTreeMap<&str, (&Owner, BTreeSet<String>)> = BTreeMap::new();
    for file in &files {
        if let Some(owner) = gates.owner(&format!("{}{file}", change.directory)) {
            let known = by_owner.entry(&owner.directory);
            let (_, own) = known.or_insert_with(|| (owner, BTreeSet::new()));
            own.insert(file.clone());
        }
    }
    if by_owner.is_empty() {
        return;
    }
    let bundles = [&change.before, &change.after].map(|side| &side.compiled.bundle);
    let all = effects(bundles[0], bundles[1], change.difference);
    let affected: BTreeSet<&Concerned> = all.iter().flat_map(|effect| &effect.concerned).collect();
    for (owner, own) in by_owner.values() {
        let alone = match own.len() == files.len() {
            true => None,
            false => Some(alone(change, own, compiler)),
        };
        let found = alone.as_ref().unwrap_or(&all);
        let mut outside: BTreeMap<Place, BTreeSet<&Concerned>> = BTreeMap::new();
        for effect in found {
            // What one file takes and another gives back, the change as a whole does not do.
            let others = effect.concerned.iter();
            let others = others.filter(|each| affected.contains(each) && !each.is_of(owner));
            let others: BTreeSet<&Concerned> = others.collect();
            if !others.is_empty() {
                let place = place(effect, own, change);
                outside.entry(place).or_default().extend(others);
            }
        }
        report(gates, (owner, outside), &change.difference.names, verdict);
    }
}

/// One finding for each line, or one for all where they are many.
fn report(
    gates: &Gates,
    (owner, outside): (&Owner, BTreeMap<Place, BTreeSet<&Concerned>>),
    names: &Names,
    verdict: &mut Verdict,
) {
    let name = match owner.directory.as_str() {
        "" => "the repository",
        directory => directory,
    };
    let mut finding = |causes: Vec<Place>, others: BTreeSet<&Concerned>| {
        let others: BTreeSet<String> = others.into_iter().map(|each| each.told(names)).collect();
        verdict.broken.push(Broken {
            gate: Gate::Owners,
            message: format!(
                "a change in `{name}` affects {}, which it may not",
                words::listed(&others)
            ),
            causes,
            rule: Place {
                file: gates.file.clone(),
                line: owner.line,
                resource: None,
            },
            help: format!(
                "narrow what the line selects, move the change to where its owners look after it, or let whoever looks after the gates add to `{name}` first"
            ),
        });
    };
    if outside.len() > CAUSES {
        let causes = outside.keys().take(CAUSES).cloned().collect();
        return finding(causes, outside.into_values().flatten().collect());
    }
    for (place, others) in outside {
        finding(vec![place], others);
    }
}

/// What some files do: beside what was, without the rest of the change, and beside what is, with all of the rest. What
/// would have errors cannot be asked; where both would, the files answer for all of the change.
fn alone(change: &Change<'_>, own: &BTreeSet<String>, compiler: &mut Compiler) -> Vec<Effect> {
    let (before, after) = (change.before, change.after);
    let mut compiled = |most: Side<'_>, rest: Side<'_>| {
        let world = Part {
            most: most.world,
            rest: rest.world,
            of_rest: own,
        };
        let compiled = compiler.compile(&world, most.settings);
        (!compiled.diagnostics.has_errors()).then_some(compiled.bundle)
    };
    let mut found = Vec::new();
    if let Some(with) = compiled(before, after) {
        let was = &before.compiled.bundle;
        found.push(effects(was, &with, &diff(was, &with)));
    }
    if let Some(without) = compiled(after, before) {
        let is = &after.compiled.bundle;
        found.push(effects(&without, is, &diff(&without, is)));
    }
    if found.is_empty() {
        let (was, is) = (&before.compiled.bundle, &after.compiled.bundle);
        found.push(effects(was, is, change.difference));
    }
    found.into_iter().flatten().collect()
}

/// The line of one of the files that says so; where none does, the first that is different.
fn place(effect: &Effect, own: &BTreeSet<String>, change: &Change<'_>) -> Place {
    let mut said = effect.causes.iter();
    if let Some(origin) = said.find(|origin| own.contains(&origin.file)) {
        return Place::from(origin);
    }
    let file = own.first().cloned().unwrap_or_default();
    let text = |side: &Side<'_>| {
        side.compiled
            .sources
            .text(&file)
            .unwrap_or_default()
            .to_owned()
    };
    let (old, new) = (text(&change.before), text(&change.after));
    let same = old
        .lines()
        .zip(new.lines())
        .take_while(|(was, is)| was == is);
    let line = match new.is_empty() {
        true => 0,
        false => u32::try_from(same.count()).unwrap_or(0).saturating_add(1),
    };
    Place {
        file,
        line,
        resource: None,
    }
}

/// The files that are not as they were.
fn changed_files(change: &Change<'_>) -> BTreeSet<String> {
    let texts = |side: &Side<'_>| -> BTreeMap<String, String> {
        let files = side.compiled.sources.files();
        files
            .map(|(path, file)| (path.to_owned(), file.text().to_owned()))
            .collect()
    };
    let (old, new) = (texts(&change.before), texts(&change.after));
    let paths = old.keys().chain(new.keys());
    let changed = paths.filter(|path| old.get(*path) != new.get(*path));
    changed.cloned().collect()
}
