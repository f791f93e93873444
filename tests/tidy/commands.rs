//! Commands in the documents name subcommands and flags that exist.
//!
//! Never runs the commands themselves; it asks each program for its help. Those that need no servers are run by
//! `tests/guide.rs`, what the others do is for the end-to-end tests.

use super::assert_tidy;
use super::tree::{File, files, has_word, top};

/// A command of ours, as a document shows it.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    program: String,
    words: Vec<String>,
}

/// Commands in fenced `sh` blocks whose program is ours; `cargo xtask` counts as a program.
fn shown(file: &File) -> Vec<Shown> {
    let mut fenced = false;
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(file.text.lines()) {
        let line = line.trim();
        if let Some(language) = line.strip_prefix("```") {
            fenced = language.split(' ').next() == Some("sh");
            continue;
        }
        if !fenced {
            continue;
        }
        let (start, mut text) = open.take().unwrap_or((number, String::new()));
        let line = line.split(" #").next().unwrap_or_default();
        if let Some(begun) = line.strip_suffix('\\') {
            text.push_str(begun);
            open = Some((start, text));
            continue;
        }
        text.push_str(line);
        found.extend(
            text.split(['|', ';', '&', '(', ')'])
                .filter_map(|part| command(start, part)),
        );
    }
    found
}

fn command(line: usize, text: &str) -> Option<Shown> {
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'', '$']));
    let mut words = words.skip_while(|word| word.contains('=') || *word == "sudo");
    let program = words.next()?.rsplit('/').next()?.to_owned();
    let words: Vec<String> = words.map(str::to_owned).collect();
    match program.as_str() {
        "meshc" | "meshd" | "mesh-proxy" | "cargo" => Some(Shown {
            line,
            program,
            words,
        }),
        _ => None,
    }
}

/// `help` gives a program's help for a subcommand, or nothing when it has no such subcommand.
fn complaints(file: &File, help: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for Shown {
        line,
        program,
        words,
    } in shown(file)
    {
        let mut complain =
            |what: &str| complaints.push(format!("{}:{line}: `{program}` {what}", file.path));
        let Some(subcommand) = words.first() else {
            continue;
        };
        let (subcommand, rest) = match (program.as_str(), words.get(1)) {
            ("cargo", Some(task)) if subcommand == "xtask" => (task, words.get(2..)),
            ("cargo", _) => continue,
            _ => (subcommand, words.get(1..)),
        };
        let Some(text) = help(&program, subcommand) else {
            complain(&format!("has no `{subcommand}`"));
            continue;
        };
        // A verb may have verbs of its own: `meshc config show`.
        let inner = rest.and_then(<[String]>::first);
        let inner = inner.filter(|_| text.contains("Commands:"));
        let inner = inner.and_then(|word| help(&program, &format!("{subcommand} {word}")));
        let text = text + &inner.unwrap_or_default();
        for word in rest.unwrap_or_default() {
            let flag = word.split('=').next().unwrap_or(word);
            if flag.starts_with("--") && !has_flag(&text, flag) {
                complain(&format!("{subcommand} has no `{flag}`"));
            }
        }
    }
    complaints
}

fn has_flag(help: &str, flag: &str) -> bool {
    help.lines()
        .any(|line| has_word(line, flag) && !line.contains(&format!("{flag}-")))
}

fn ask(program: &str, subcommand: &str) -> Option<String> {
    if program == "cargo" {
        let source =
            std::fs::read_to_string(top().join("xtask/src/main.rs")).expect("xtask's source");
        return source
            .contains(&format!("[\"{subcommand}\""))
            .then_some(source);
    }
    let output = std::process::Command::new(mesh_tests::binary(program))
        .args(subcommand.split(' '))
        .arg("--help")
        .output()
        .expect("a program of ours starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

#[test]
fn documents_show_commands_that_exist() {
    let documents = files(&["md"]);
    let ours = documents
        .iter()
        .filter(|file| !file.path.contains('/') || file.path.starts_with("docs/guide/"));
    let found: Vec<String> = ours.flat_map(|file| complaints(file, ask)).collect();
    assert_tidy(&found);
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    let help = |program: &str, subcommand: &str| {
        (program == "meshd" && subcommand == "run").then(|| "  --repo <PATH>\n".to_owned())
    };
    let complain = |line: &str| {
        complaints(
            &File::new("README.md", &format!("```sh\n{line}\n```\n")),
            help,
        )
    };
    assert_eq!(complain("target/debug/meshd run --repo x").len(), 0);
    assert_eq!(
        complain("A=b meshd run \\\n  --rep x # why\n"),
        ["README.md:2: `meshd` run has no `--rep`"]
    );
    assert_eq!(
        complain("true && meshd jump"),
        ["README.md:2: `meshd` has no `jump`"]
    );
    assert_eq!(complain("ls --all").len(), 0);
    assert_eq!(complain("cargo xtask fly").len(), 1);
}
