//! What README, the guide and the examples tell people to type, typed: every command runs, and what is shown of its output
//! is its output.
//!
//! Never skips a block in silence: one that needs more than a directory says what, and is counted below.

mod page;
mod scratch;

use std::collections::BTreeMap;

use crate::tidy::tree::{files, top};

use page::{Block, Page, Work};
use scratch::Scratch;

/// Blocks that cannot be run here, by page and by what they need. Their commands are run elsewhere: servers by the
/// end-to-end tests and the demo, `--watch` by `tests/cli/watch.rs`; tasks of cargo would build everything again.
const LEFT_OUT: [(&str, &str, usize); 10] = [
    ("README.md", "cargo", 4),
    ("README.md", "servers", 2),
    ("docs/guide/capture.md", "root", 1),
    ("docs/guide/ci.md", "watch", 1),
    ("docs/guide/identity.md", "servers", 7),
    ("docs/guide/mesh-proxy.md", "servers", 2),
    ("docs/guide/meshd.md", "servers", 4),
    ("docs/guide/operate.md", "servers", 7),
    ("docs/guide/rollout.md", "servers", 3),
    ("docs/guide/several-meshds.md", "servers", 1),
];

fn pages() -> Vec<Page> {
    let documents = files(&["md"]).into_iter();
    let ours = documents.filter(|file| {
        let top = !file.path.contains('/');
        top || file.path.starts_with("docs/guide/") || file.path.starts_with("examples/")
    });
    ours.map(|file| Page::read(&file.path, &file.text))
        .collect()
}

#[test]
fn what_people_are_told_to_type_works() {
    let mut left_out: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut ran = 0;
    for page in pages().iter().filter(|page| !page.is_recorded()) {
        for block in &page.blocks {
            match &block.work {
                Work::Script { needs: Some(needs) } => {
                    let key = (page.path.clone(), needs.clone());
                    *left_out.entry(key).or_default() += 1;
                }
                Work::Script { needs: None } => {
                    ran += 1;
                    let scratch = Scratch::of_the_shop();
                    let done = scratch.run(&block.text, block.names_examples());
                    if done.code != Some(0) {
                        complaints.push(format!("{}:{}: {done:#?}", page.path, block.line));
                    }
                }
                _ => {}
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(ran > 10, "only {ran} blocks were run");
    let known: BTreeMap<_, _> = LEFT_OUT
        .iter()
        .map(|(page, needs, count)| (((*page).to_owned(), (*needs).to_owned()), *count))
        .collect();
    assert_eq!(left_out, known, "say what a block needs, and count it here");
}

#[test]
fn the_examples_of_every_help_work() {
    let mut complaints = Vec::new();
    let mut ran = 0;
    let help = Scratch::of_the_shop().run("meshc --help", false).text;
    let verbs = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let is_verb = |verb: &&str| verb.starts_with(|first: char| first.is_ascii_lowercase());
    for verb in verbs.filter(is_verb) {
        let scratch = Scratch::of_the_shop();
        let help = scratch.run(&format!("meshc {verb} --help"), false);
        let examples = help.text.lines().skip_while(|line| *line != "Examples:");
        for line in examples.skip(1).take_while(|line| !line.is_empty()) {
            let command = line.trim_start().split("   ").next().unwrap_or_default();
            // It ends with Ctrl-C: `tests/cli/watch.rs`.
            if command.ends_with("--watch") {
                continue;
            }
            ran += 1;
            let done = scratch.run(command, false);
            if done.code != Some(0) {
                complaints.push(format!("{command}: {done:#?}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(ran > 15, "only {ran} examples");
}

#[test]
fn what_is_recorded_is_what_happens() {
    let write = std::env::var_os("MESH_GENERATE").is_some();
    let mut stale = Vec::new();
    let mut recorded = 0;
    for page in pages().iter().filter(|page| page.is_recorded()) {
        let scratch = Scratch::of_the_shop();
        let text = page.recorded(|block| played(block, &scratch, &page.path));
        recorded += 1;
        if text != page.text {
            stale.push(page.path.clone());
            if write {
                std::fs::write(top().join(&page.path), text).expect("written");
            }
        }
    }
    assert!(recorded > 0, "nothing is recorded");
    assert!(
        write || stale.is_empty(),
        "run `cargo xtask gen`: {stale:?}"
    );
}

/// What stands in a block once its commands have run.
fn played(block: &Block, scratch: &Scratch, path: &str) -> String {
    match &block.work {
        Work::File(name) => {
            scratch.write(name, &block.text);
            block.text.clone()
        }
        Work::Patch => {
            scratch.write("../patch", &block.text);
            let done = scratch.run("git apply ../patch", false);
            assert_eq!(done.code, Some(0), "{path}:{}: {done:#?}", block.line);
            block.text.clone()
        }
        Work::Output(command) => {
            let done = scratch.run(command, false);
            assert_eq!(done.code, Some(0), "{path}:{}: {done:#?}", block.line);
            done.text
        }
        Work::Session => {
            let mut text = String::new();
            for command in block
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("$ "))
            {
                let (run, expected) = page::expected(command);
                let done = scratch.run(run, false);
                assert_eq!(done.code, Some(expected), "{path}: {command}: {done:#?}");
                text.push_str(&format!("$ {command}\n{}", done.text));
            }
            text
        }
        Work::Script { .. } | Work::Nothing => block.text.clone(),
    }
}
