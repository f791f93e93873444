//! Every file of the corpus, whole, cut off anywhere, and with pieces changed: the compiler answers, and mends it.
//!
//! Never judges the answer.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use mesh_compiler::fix::{Level, fix};
use mesh_compiler::model::Settings;
use mesh_compiler::{MemoryWorld, compile};

use super::cases::corpus;
use super::figures::record;

/// Every YAML file below a directory, sorted.
fn files(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Small numbers that look random, the same in every run (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (sides.max(1) as u64)).expect("less than sides")
    }
}

/// What takes the place of a value: everything that a reader could stumble over.
const ODD: [&str; 16] = [
    "null",
    "{}",
    "[]",
    "''",
    "-1",
    "1e400",
    "0x10",
    "true",
    "~",
    "!!binary x",
    "&a [*a]",
    "[[[[]]]]",
    "\u{0}",
    "ü",
    "99999999999999999999",
    "{a: {b: 1}}",
];

/// One change that leaves most of a document as it was.
fn changed(text: &str, dice: &mut Dice) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let line = dice.roll(lines.len());
    let Some(old) = lines.get(line).cloned() else {
        return String::new();
    };
    match dice.roll(5) {
        0 => drop(lines.remove(line)),
        1 => lines.insert(line, old),
        2 => lines[line] = old.trim_start().to_owned(),
        3 => lines[line] = format!("  {old}"),
        _ => {
            let key = old.split_once(':').map_or("x", |(key, _)| key).to_owned();
            lines[line] = format!("{key}: {}", ODD[dice.roll(ODD.len())]);
        }
    }
    lines.join("\n")
}

#[test]
fn no_input_is_too_much() {
    let Some(corpus) = corpus() else {
        return;
    };
    let files = files(&corpus);
    assert!(files.len() > 100, "{} files", files.len());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut inputs, mut panics) = (0, Vec::new());
    for path in files {
        let bytes = std::fs::read(&path).expect("bytes");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut tried = vec![bytes.clone()];
        // Cut in the middle of lines, words and characters.
        tried.extend((0..6).map(|_| bytes[..dice.roll(bytes.len())].to_vec()));
        tried.extend((0..6).map(|_| changed(&text, &mut dice).into_bytes()));
        for bytes in tried {
            inputs += 1;
            let world = MemoryWorld {
                files: BTreeMap::from([("a.yaml".to_owned(), bytes.clone())]),
            };
            // Mending compiles again and again, so every third input has to do for it.
            let mends = inputs % 3 == 0;
            let asked = || {
                let settings = Settings::default();
                match mends {
                    true => drop(fix(&world, &settings, Level::Unsafe)),
                    false => drop(compile(&world, &settings)),
                }
            };
            if catch_unwind(asked).is_err() {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                panics.push(format!("{}:\n{text}", path.display()));
            }
        }
    }
    record(
        "hostile",
        &format!("{inputs} inputs, {} panics", panics.len()),
    );
    assert!(panics.is_empty(), "{}", panics.join("\n---\n"));
}
