//! The program `meshc`.
//!
//! Never holds anything that the library could.

use std::process::ExitCode;

/// A check allocates much, and ends soon: this saves a quarter of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mesh_compiler::cli::run(std::env::args_os())
}
