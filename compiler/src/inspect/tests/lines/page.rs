//! Pages as people read them: values, what says so, and what that beat.
//!
//! Never judges a value.

use std::collections::{BTreeMap, BTreeSet};

/// Where the right column begins, at the earliest.
pub(super) const NOTE: usize = 74;

/// A value on a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    pub(super) page: String,
    /// What it stands below, and itself.
    pub(super) path: Vec<String>,
}

/// What says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) notes: Vec<String>,
    /// The notes of what it beat.
    pub(super) beaten: BTreeSet<String>,
    /// The files of what was beaten below it: a rule that is gone leaves the same rule of those.
    pub(super) beaten_below: BTreeSet<String>,
}

pub(super) type Leaves = BTreeMap<Leaf, Said>;

/// The values of a page.
pub(super) fn read(page: &str, text: &str, leaves: &mut Leaves) {
    let mut above: Vec<String> = Vec::new();
    let mut last: Option<Leaf> = None;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (left, note) = columns(line);
        let depth = (left.len() - left.trim_start().len()) / 2;
        let words: Vec<&str> = left.split_whitespace().collect();
        let words = words.join(" ");
        if words.starts_with("instead of ") || words.starts_with("not ") {
            let beaten = last.as_ref().and_then(|leaf| leaves.get_mut(leaf));
            let beaten = &mut beaten.expect("something beat it").beaten;
            beaten.insert(note.to_owned());
            for depth in 1..above.len() {
                let leaf = Leaf {
                    page: page.to_owned(),
                    path: above[..depth].to_vec(),
                };
                let files = places(note).map(|(file, _)| file.to_owned());
                leaves.entry(leaf).or_default().beaten_below.extend(files);
            }
            continue;
        }
        above.truncate(depth);
        above.push(words);
        let leaf = Leaf {
            page: page.to_owned(),
            path: above.clone(),
        };
        leaves
            .entry(leaf.clone())
            .or_default()
            .notes
            .push(note.to_owned());
        last = Some(leaf);
    }
}

/// What is, and what says so.
pub(super) fn columns(line: &str) -> (&str, &str) {
    let gap = line
        .rfind("  ")
        .filter(|gap| *gap + 2 >= NOTE.min(line.len()) && *gap > 2);
    match gap {
        Some(gap) if line.len() > NOTE => {
            let (left, note) = line.split_at_checked(gap).expect("spaces");
            (left.trim_end(), note.trim())
        }
        _ => (line.trim_end(), ""),
    }
}

/// The files and lines of a note.
pub(super) fn places(note: &str) -> impl Iterator<Item = (&str, u32)> {
    note.split(", ").filter_map(|place| {
        let (file, line) = place.rsplit_once(':')?;
        let is_file = [".yaml", ".yml", ".json"]
            .iter()
            .any(|end| file.ends_with(end));
        Some((file, line.parse().ok().filter(|_| is_file)?))
    })
}

/// Is a value another without a line that it named?
pub(super) fn changed(before: &Said, after: Option<&Said>, place: &str) -> bool {
    let Some(after) = after else {
        return true;
    };
    if after.notes.len() < before.notes.len() {
        return true;
    }
    let come = after
        .notes
        .iter()
        .filter(|note| !before.notes.contains(note));
    let come: Vec<&String> = come.collect();
    // The same value, said by what it beat, or by nobody. Of several lines, all others stay.
    let others = |note: &str| {
        let rest = before.notes.iter().flat_map(|note| note.split(", "));
        let rest: Vec<&str> = rest.filter(|one| *one != place).collect();
        note.split(", ").all(|one| rest.contains(&one))
    };
    !come.is_empty()
        && come.iter().all(|note| {
            let mut files = places(note).map(|(file, _)| file);
            before.beaten.contains(*note)
                || others(note)
                || files.all(|file| before.beaten_below.contains(file))
        })
}
