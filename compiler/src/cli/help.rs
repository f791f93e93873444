//! The help of meshc, for somebody who sees it for the first time: verbs by what they are for, an example for each, and
//! what exit codes mean.
//!
//! Never repeats what a verb says of itself: that is read from its arguments.

use clap::{Command, CommandFactory as _};

use super::Cli;

/// Verbs by what they are for, in the order in which somebody meets them. Those in no group are shown last.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Begin", &["init", "new"]),
    (
        "Judge a change",
        &["check", "fmt", "test", "diff", "snapshot"],
    ),
    (
        "Ask",
        &["explain", "inspect", "graph", "blame-edge", "config"],
    ),
    ("Deliver", &["build"]),
];

/// What every verb promises.
const EXIT_CODES: &str = "\
Exit codes:
  0  nothing to say, or nothing at or above --fail-on
  1  findings at or above --fail-on, or differences where they were asked for
  2  meshc could not do its work: arguments, settings, input or output";

/// What people type first, in the directory of the documents.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "init",
        "meshc init my-mesh                            a repository that passes, with files for pipelines and editors",
    ),
    (
        "new",
        "meshc new service orders --port 8080          prints the YAML
meshc new permission orders --from web -o orders.yaml",
    ),
    (
        "check",
        "meshc check                                   the repository in this directory
meshc check --since main --format github      what a pull request touches, beside its lines
meshc check --report sarif=mesh.sarif         for people, and for code scanning
meshc check --fix                             mend what keeps its meaning
meshc check --watch                           again after each change
meshc check - --stdin-path web/route.yaml     what an editor has not saved yet",
    ),
    (
        "fmt",
        "meshc fmt                                     every document below this directory
meshc fmt --check                             for a pipeline: exit code 1 where a file would change
meshc fmt --diff                              what would change",
    ),
    (
        "test",
        "meshc test                                    what is meant, asked of what is written
meshc test --coverage --mutate                and what no test would notice",
    ),
    (
        "diff",
        "meshc diff                                    the work tree, and where the branch left main
meshc diff main..HEAD --format markdown       two revisions, as a comment of a pull request",
    ),
    (
        "snapshot",
        "meshc snapshot accept                         write snapshots/ as the repository compiles now
meshc snapshot check                          for a pipeline: exit code 1, with a diff, where they are stale",
    ),
    (
        "explain",
        "meshc explain dangling-ref                      a code that check printed
meshc explain 'permission;inbound=\"http\"'        what a proxy says in x-mesh-refusal
meshc explain --from web --to api GET /orders   every step of a request, with the line that says so",
    ),
    (
        "blame-edge",
        "meshc blame-edge web api                      the commit that opened the way, its author, and the line",
    ),
    (
        "inspect",
        "meshc inspect                                 every proxy, one line each
meshc inspect . web-1                         each value of one proxy, and the line that set it",
    ),
    (
        "graph",
        "meshc graph --format svg -o mesh.svg          a picture of who may call whom
meshc graph --about api --format mermaid      a part of it, for a comment",
    ),
    (
        "config",
        "meshc config show                             every setting, and who said it",
    ),
    (
        "build",
        "meshc build -o bundle.json                    what meshd serves for this commit",
    ),
    (
        "completions",
        "meshc completions bash                        also zsh, fish, powershell, elvish",
    ),
    (
        "schema",
        "meshc schema MeshTimeout                      the fields of a kind, for programs",
    ),
];

/// The command line of meshc with its help.
pub(super) fn command() -> Command {
    let mut command = Cli::command().after_help(EXIT_CODES);
    for (verb, examples) in EXAMPLES.iter().copied() {
        let examples = examples.replace('\n', "\n  ");
        let help = format!("Examples:\n  {examples}\n\n{EXIT_CODES}");
        if command.find_subcommand(verb).is_some() {
            command = command.mut_subcommand(verb, |command| command.after_long_help(help));
        }
    }
    let verbs = verbs(&command);
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{verbs}\nOptions:\n{{options}}{{after-help}}\n\n\
         `meshc help VERB` shows the arguments of a verb, with examples.\n"
    ))
}

fn verbs(command: &Command) -> String {
    let known = |name: &str| command.find_subcommand(name).is_some();
    let grouped = |name: &str| GROUPS.iter().any(|(_, verbs)| verbs.contains(&name));
    let others = command.get_subcommands().map(Command::get_name);
    let others: Vec<&str> = others.filter(|name| !grouped(name)).collect();
    let groups = GROUPS.iter().map(|(title, verbs)| {
        let verbs = verbs.iter().copied().filter(|verb| known(verb));
        (*title, verbs.collect())
    });
    let mut text = String::new();
    for (title, verbs) in groups.chain([("For programs and shells", others)]) {
        text.push_str(&format!("\n{title}:\n"));
        for verb in verbs {
            let about = command.find_subcommand(verb).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            text.push_str(&format!("  {verb:<12} {about}\n"));
        }
    }
    text
}
