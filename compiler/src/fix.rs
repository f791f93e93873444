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
    let mut count = 0;
    let mut files = BTreeMap::new();
    for (path, fixes) in by_file {
        let text = checked.sources.text(path).unwrap_or_default();
        let mut chosen = apart(fixes);
        let mut new = applied(text, &chosen);
        if broken(&new) > broken(text) {
            // One of them, or two together: only those that do no harm alone and beside the others.
            new = text.to_owned();
            let mut kept: Vec<Vec<Edit>> = Vec::new();
            for fix in std::mem::take(&mut chosen).into_iter().take(100) {
                kept.push(fix);
                let attempt = applied(text, &kept);
                match broken(&attempt) > broken(text) {
                    true => drop(kept.pop()),
                    false => new = attempt,
                }
            }
            chosen = kept;
        }
        if new != text {
            count += chosen.len();
            files.insert(path.to_owned(), new);
        }
    }
    (count, files)
}

/// The fixes, in their order, that do not overlap one before.
fn apart(fixes: Vec<Vec<Edit>>) -> Vec<Vec<Edit>> {
    let mut taken: BTreeSet<(usize, usize)> = BTreeSet::new();
    let mut chosen = Vec::new();
    for fix in fixes {
        let free = |edit: &Edit| {
            let (start, end) = (edit.span.start, edit.span.end);
            let before = taken.range(..=(start, usize::MAX)).next_back();
            let after = taken.range((start, 0)..).next();
            // What touches is not applied in one round either: two insertions at one place would be one line.
            before.is_none_or(|(_, taken)| *taken < start || (*taken == start && end > start))
                && after.is_none_or(|(taken, _)| *taken > end || (*taken == end && end > start))
        };
        if fix.iter().all(free) {
            taken.extend(fix.iter().map(|edit| (edit.span.start, edit.span.end)));
            chosen.push(fix);
        }
    }
    chosen
}

fn applied(text: &str, fixes: &[Vec<Edit>]) -> String {
    let mut edits: Vec<&Edit> = fixes.iter().flatten().collect();
    edits.sort();
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
