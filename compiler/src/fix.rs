//! Mends what can be mended without anybody: applies the fixes of findings, round by round, until none is left.
//!
//! Never writes a file; that is for the command line. A fix that would break a document is left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::{Checked, check};
use crate::edit::{Edit, Editor};
use crate::model::Settings;
use crate::source::broken;
use crate::world::{Overlay, World};

/// Rounds after which whatever is left stays: a fix may bring another to light, but not forever.
const MOST_ROUNDS: usize = 10;

/// Which fixes are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Those after which every document means the same.
    Safe,
    /// All.
    Unsafe,
}

/// What was mended.
#[derive(Debug)]
pub struct Fixed {
    /// The new texts, by the paths of their files.
    pub files: BTreeMap<String, String>,
    /// The texts of the same files as they were.
    pub before: BTreeMap<String, String>,
    /// How many fixes were applied.
    pub applied: usize,
    /// What is found afterwards.
    pub checked: Checked,
}

/// Applies fixes to a repository, and says what is left.
#[must_use]
pub fn fix(world: &(dyn World + Sync), settings: &Settings, level: Level) -> Fixed {
    let mut changed = Overlay::new(world);
    let mut texts = BTreeMap::new();
    let mut applied = 0;
    let mut checked = check(world, settings);
    let mut before = BTreeMap::new();
    for _ in 0..MOST_ROUNDS {
        let (count, files) = round(&checked, level);
        if count == 0 {
            break;
        }
        applied += count;
        for path in files.keys() {
            let text = checked.sources.text(path).unwrap_or_default();
            before
                .entry(path.clone())
                .or_insert_with(|| text.to_owned());
        }
        let bytes = files
            .iter()
            .map(|(path, text)| (path.clone(), text.clone().into_bytes()));
        changed.files.extend(bytes);
        texts.extend(files);
        checked = check(&changed, settings);
    }
    Fixed {
        files: texts,
        before,
        applied,
        checked,
    }
}

/// The files that fixes change, each fix that does not overlap an earlier one.
fn round(checked: &Checked, level: Level) -> (usize, BTreeMap<String, String>) {
    let mut count = 0;
    let mut files = BTreeMap::new();
    // The documents that are made, by kind, mesh and name: one of a name in the whole repository.
    let mut made = BTreeMap::new();
    for (path, mut fixes) in offered(checked, level) {
        let text = checked.sources.text(path).unwrap_or_default();
        fixes.retain_mut(|fix| is_left(fix, &made));
        let mut chosen = apart(fixes);
        let mut new = applied(text, &chosen);
        if broken(&new) > broken(text) {
            (chosen, new) = harmless(text, chosen);
        }
        for edit in chosen.iter().flatten() {
            made.extend(edit.makes.clone().map(|name| (name, edit.text.clone())));
        }
        if new != text {
            count += chosen.len();
            files.insert(path.to_owned(), new);
        }
    }
    (count, files)
}

/// The edits of the fixes of each file, in the order of the findings.
fn offered(checked: &Checked, level: Level) -> BTreeMap<&str, Vec<Vec<Edit>>> {
    let mut editor = Editor::new(&checked.sources);
    let mut by_file: BTreeMap<&str, Vec<Vec<Edit>>> = BTreeMap::new();
    for finding in &checked.diagnostics.list {
        let offered = finding
            .fix
            .as_ref()
            .filter(|fix| fix.safe || level == Level::Unsafe);
        let found = offered.and_then(|fix| editor.edits(fix, &finding.at));
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            by_file.entry(&finding.at.file).or_default().push(found);
        }
    }
    by_file
}

/// Of fixes that break a text, one of them or two together: those that do no harm alone and beside the others.
fn harmless(text: &str, fixes: Vec<Vec<Edit>>) -> (Vec<Vec<Edit>>, String) {
    let mut new = text.to_owned();
    let mut kept: Vec<Vec<Edit>> = Vec::new();
    for fix in fixes.into_iter().take(100) {
        kept.push(fix);
        let attempt = applied(text, &kept);
        match broken(&attempt) > broken(text) {
            true => drop(kept.pop()),
            false => new = attempt,
        }
    }
    (kept, new)
}

/// Takes out the documents that other files got already. `false` where one says something else: the next round knows it.
fn is_left(fix: &mut Vec<Edit>, made: &BTreeMap<String, String>) -> bool {
    let known = |edit: &Edit| edit.makes.as_ref().and_then(|name| made.get(name));
    let same = |edit: &Edit| known(edit).is_none_or(|text| *text == edit.text);
    if !fix.iter().all(same) {
        return false;
    }
    fix.retain(|edit| known(edit).is_none());
    true
}

/// The fixes, in their order, that do not overlap one before.
fn apart(fixes: Vec<Vec<Edit>>) -> Vec<Vec<Edit>> {
    let mut taken: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut made: BTreeMap<String, String> = BTreeMap::new();
    let mut chosen = Vec::new();
    for fix in fixes {
        let free = |edit: &Edit| {
            if let Some(name) = &edit.makes {
                return made.get(name).is_none_or(|text| *text == edit.text);
            }
            let (start, end) = (edit.span.start, edit.span.end);
            let before = taken.range(..=(start, usize::MAX)).next_back();
            let after = taken.range((start, 0)..).next();
            // What touches is not applied in one round either: two insertions at one place would be one line, and what
            // is left of a mapping when all of its entries go is for the last of them.
            before.is_none_or(|(_, taken)| *taken < start)
                && after.is_none_or(|(taken, _)| *taken > end)
        };
        if fix.iter().all(free) {
            for edit in &fix {
                match &edit.makes {
                    Some(name) => drop(made.insert(name.clone(), edit.text.clone())),
                    None => drop(taken.insert((edit.span.start, edit.span.end))),
                }
            }
            chosen.push(fix);
        }
    }
    chosen
}

fn applied(text: &str, fixes: &[Vec<Edit>]) -> String {
    let mut edits: Vec<&Edit> = fixes.iter().flatten().collect();
    edits.sort();
    // A document that two of them make is made once.
    edits.dedup_by(|one, other| one.makes.is_some() && one == other);
    let mut new = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        new.push_str(text.get(at..edit.span.start).unwrap_or_default());
        new.push_str(&edit.text);
        at = edit.span.end;
    }
    new.push_str(text.get(at..).unwrap_or_default());
    new
}

#[cfg(test)]
mod properties;
