//! `meshc` as people call it: arguments in, text and an exit code out.
//!
//! Never decides anything about a document: that is the compiler. Exit codes: 0 clean, 1 findings, 2 meshc could not do its
//! work.

mod blame_edge;
mod build;
mod check;
mod completions;
mod config;
mod diff;
mod explain;
mod file;
mod findings;
mod fmt;
mod form;
mod format;
mod graph;
mod help;
mod init;
mod inspect;
mod lsp;
mod man;
mod new;
mod open;
mod output;
mod report;
mod rewrite;
mod rules;
mod schema;
mod settings;
mod since;
mod snapshot;
mod template;
mod test;
mod version;
mod watch;
mod worktree;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches as _, Parser, Subcommand};

use findings::FindingsArgs;
use output::Output;
use settings::SettingsArgs;

/// Checks and compiles repositories of mesh configuration.
#[derive(Debug, Parser)]
#[command(name = "meshc", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what is wrong with a repository of mesh documents.
    Check(check::Check),
    /// Write documents in one way: indentation, order of the first keys, quotes, blank lines.
    ///
    /// Documents of other tools and JSON stay as they are. What cannot be written anew for certain (anchors, tags, templates)
    /// stays too, and is named.
    Fmt(fmt::Fmt),
    /// Compile a repository to a bundle.
    Build(build::Build),
    /// Show what proxies will do, and which line says so.
    Inspect(inspect::Inspect),
    /// Say what a change means: who can reach what, which values change, whose configuration it is.
    Diff(diff::Diff),
    /// Say which commit opened the way from one workload to another, or closed it.
    BlameEdge(blame_edge::BlameEdge),
    /// Ask the tests of a repository: who may reach what, where requests go.
    Test(test::Test),
    /// Hold what a repository compiles to in texts that are reviewed with it.
    Snapshot(snapshot::Snapshot),
    /// Say why a request is allowed, denied or routed so; or what a code such as `dangling-ref` means.
    Explain(explain::Explain),
    /// Draw who may call whom.
    Graph(graph::Graph),
    /// Make a repository to begin with, pipelines included.
    Init(init::Init),
    /// Write the YAML of a service, a permission, a route and the like.
    New(new::New),
    /// Answer editors over standard input and output (Language Server Protocol).
    Lsp(lsp::Lsp),
    /// Show the settings that count, and who said them.
    Config(config::Config),
    /// List every code with what it weighs, and whether it can be mended.
    Rules(rules::Rules),
    /// Print the JSON Schema of documents, or of one kind.
    Schema(schema::Schema),
    /// Print what a shell needs to complete commands.
    Completions(completions::Completions),
    /// Print or write the manual pages.
    Man(man::Man),
    /// Say what this program is, and what it makes.
    Version(version::Version),
}

/// What is compiled, and how findings are shown.
#[derive(Debug, Args)]
struct Common {
    /// The directory that holds the documents; or one file, which is then judged on its own.
    #[arg(default_value = ".", index = 1)]
    path: PathBuf,

    #[command(flatten)]
    findings: FindingsArgs,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Clean,
    Findings,
}

/// Runs `meshc`.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = help::command().try_get_matches_from(arguments);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell when this fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut output = Output::default();
    let outcome = match &cli.command {
        Command::Check(check) => check.run(&mut output),
        Command::Fmt(fmt) => fmt.run(&mut output),
        Command::Build(build) => build.run(&mut output),
        Command::Inspect(inspect) => inspect.run(&mut output),
        Command::Diff(diff) => diff.run(&mut output),
        Command::BlameEdge(blame) => blame.run(&mut output),
        Command::Test(test) => test.run(&mut output),
        Command::Snapshot(snapshot) => snapshot.run(&mut output),
        Command::Explain(explain) => explain.run(&mut output),
        Command::Graph(graph) => graph.run(&mut output),
        Command::Init(init) => init.run(&mut output),
        Command::New(new) => new.run(&mut output),
        Command::Lsp(lsp) => lsp.run(&mut output),
        Command::Config(config) => config.run(&mut output),
        Command::Rules(rules) => rules.run(&mut output),
        Command::Schema(schema) => schema.run(&mut output),
        Command::Completions(completions) => completions.run(&mut output),
        Command::Man(man) => man.run(&mut output),
        Command::Version(version) => version.run(&mut output),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(trouble) => {
            output.complain(&format!("error: {trouble:#}\n"));
            ExitCode::from(2)
        }
    }
}
