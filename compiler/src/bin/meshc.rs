//! The program `meshc`.
//!
//! Never holds anything that the library could.

use std::process::ExitCode;

fn main() -> ExitCode {
    mesh_compiler::cli::run(std::env::args_os())
}
