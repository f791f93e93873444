//! The Rust types of the delivery protocol are those of `schemas/proto/delivery.proto`.
//!
//! Never leaves a mismatch alone: it compares with what is committed, or writes it under `cargo xtask gen`.

use std::path::Path;

const PROTO: &str = "delivery.proto";
const COMMITTED: &str = "delivery/src/gen/delivery.rs";

/// Bytes are shared instead of copied, the codec is ours, and there is no code for tonic's own sockets.
fn generate(top: &Path) -> String {
    let descriptors =
        protox::compile([PROTO], [top.join("schemas/proto")]).expect("a protocol that compiles");
    let out = tempfile::tempdir().expect("a directory");
    tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        // In the order of their keys, as everything is.
        .btree_map(".")
        // It holds a token.
        .skip_debug(["mesh.delivery.v1.EnrollRequest", "mesh.delivery.v1.Secret"])
        .codec_path("crate::codec::Lean")
        .emit_rerun_if_changed(false)
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code");
    let code = std::fs::read_to_string(out.path().join("mesh.delivery.v1.rs")).expect("the code");
    format!("// @generated from schemas/proto/{PROTO} by `cargo xtask gen`\n{code}")
}

#[test]
fn generated_protocol_is_the_committed_one() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the top");
    let wanted = generate(top);
    let path = top.join(COMMITTED);
    if std::env::var_os("MESH_GENERATE").is_some() {
        std::fs::write(&path, &wanted).expect("a writable repository");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{COMMITTED} is not what {PROTO} says: run `cargo xtask gen`"
    );
}
