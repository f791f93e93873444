//! The binary `mesh-proxy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    mesh_proxy::main()
}
