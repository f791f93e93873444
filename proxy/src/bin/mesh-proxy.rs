//! The binary `mesh-proxy`.

use std::process::ExitCode;

/// Of what a request costs outside of the kernel, a fifth was glibc's allocator (BENCHMARKS.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mesh_proxy::main()
}
