//! meshd: the reconciler as a program.
//!
//! Never does anything here: it reads the command line, and says why something failed.

use std::process::ExitCode;

use clap::Parser;
use mesh_reconciler::cli::Cli;

/// Compiling a commit again is half allocations: this halves the time, and what is held stays as it is over hundreds of
/// commits.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(code) => code,
        Err(failure) => {
            tracing::error!("{failure}");
            if !tracing::enabled!(tracing::Level::ERROR) {
                // Nobody set up logging: a command that is not `run`.
                use std::io::Write;
                let _ = writeln!(std::io::stderr(), "meshd: {failure}");
            }
            ExitCode::from(2)
        }
    }
}
