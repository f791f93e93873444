//! The set-up commands of the README: `cargo xtask demo`, `cargo xtask test`, `cargo xtask gen`, `cargo xtask bench`.
//!
//! Never does what a plain cargo command would not do: it checks what the machine lacks, then calls cargo.

mod bench;
mod figures;
mod needs;

use std::path::Path;
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [--keep]    build everything, run the example shop as a mesh of real processes, prove six claims
                   --keep leaves the mesh running and says how to look around
  test [--fast]    every test, including those with real processes; --fast leaves the latter out
  gen              rewrite what is generated and committed: schemas, protocol types, pages of the kinds, snapshots
  bench compile [SIZE...]
                   what `meshc check` costs for generated repositories of 1,000, 10,000 and 50,000 resources
  bench proxy [ROW...] [--repeat N] [--seconds N] [--resting N] [--against BINARY] [--no-peers]
                   what two proxies cost for each request, beside Envoy, nginx and HAProxy in the same run
  bench delivery [SIZE...] [kong] [--repeat N]
                   what meshd costs and how soon a change is everywhere, with fleets of 100, 1,000 and 10,000 simulated
                   proxies, and Kong's scenarios
  bench lsp [SIZE] how long `meshc lsp` takes after a keystroke, in a generated repository of 10,000 resources
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let outcome = match args.as_slice() {
        ["demo"] => demo(&[]),
        ["demo", "--keep"] => demo(&["--keep"]),
        ["test"] => test(true),
        ["test", "--fast"] => test(false),
        ["gen"] => generate(),
        ["bench", "compile", sizes @ ..] => bench::compile(sizes),
        ["bench", "proxy", words @ ..] => bench::proxy::proxy(words),
        ["bench", "delivery", words @ ..] => bench::delivery::delivery(words),
        ["bench", "lsp"] => bench::keystroke(None),
        ["bench", "lsp", size] => bench::keystroke(Some(size)),
        ["help" | "--help" | "-h"] => {
            tell(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            complain(&format!("{trouble}\n"));
            ExitCode::FAILURE
        }
    }
}

fn demo(args: &[&str]) -> Result<(), String> {
    needs::check()?;
    build()?;
    let mut command = cargo(&["run", "--quiet", "--locked", "--package", "mesh-tests"]);
    command.args(["--bin", "mesh-demo", "--"]).args(args);
    run(command)
}

fn test(processes: bool) -> Result<(), String> {
    needs::check()?;
    // The tests with real processes start the binaries of this very build.
    build()?;
    let figures = figures::fresh()?;
    let outcome = tests(processes, &figures);
    figures::tell(&figures);
    outcome
}

fn tests(processes: bool, figures: &Path) -> Result<(), String> {
    if processes {
        let everything = ["test", "--locked", "--workspace", "--no-fail-fast"];
        return run(counted(cargo(&everything), figures));
    }
    let others = ["test", "--locked", "--workspace", "--exclude", "mesh-tests"];
    run(counted(cargo(&others), figures))?;
    let ours = ["test", "--locked", "--package", "mesh-tests"];
    let mut fast = counted(cargo(&ours), figures);
    fast.args(["--lib", "--bins", "--test", "fast"]);
    run(fast)
}

/// Generators are tests which compare with what is committed, and write instead when they are told to.
fn generate() -> Result<(), String> {
    needs::check()?;
    let mut generated = cargo(&["test", "--locked", "--workspace", "generated"]);
    generated.env("MESH_GENERATE", "1");
    run(generated)?;
    let mut snapshots = cargo(&["test", "--locked", "--package", "mesh-tests"]);
    snapshots.args(["--test", "fast", "golden"]);
    snapshots.env("MESH_GENERATE", "1");
    snapshots.env("INSTA_UPDATE", "always");
    run(snapshots)
}

fn build() -> Result<(), String> {
    run(cargo(&["build", "--locked", "--workspace", "--bins"]))
}

/// Tests that compare and never write, except their figures.
fn counted(mut command: Command, figures: &Path) -> Command {
    command.env("MESH_FIGURES", figures);
    command.env("INSTA_UPDATE", "no");
    command.env_remove("MESH_GENERATE");
    command
}

/// The cargo which runs us, so that a toolchain override holds for what we call too.
fn cargo(args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.args(args);
    command
}

fn run(mut command: Command) -> Result<(), String> {
    let shown = needs::spelled(&command);
    let status = command
        .status()
        .map_err(|error| format!("error: `{shown}` did not start: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("error: `{shown}` failed ({status})"))
    }
}

fn tell(text: &str) {
    use std::io::Write;
    // Nobody is left to tell when stdout is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn complain(text: &str) {
    use std::io::Write;
    // Nobody is left to tell when stderr is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
