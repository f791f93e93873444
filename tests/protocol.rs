//! The Rust types of protocols are those of `schemas/proto/`: our own, and what we speak of etcd's.
//!
//! Never leaves a mismatch alone: it compares with what is committed, or writes it under `cargo xtask gen`.

use std::path::Path;

/// One protocol, and where its code is.
struct Protocol {
    proto: &'static str,
    package: &'static str,
    code: &'static str,
    configure: fn(tonic_prost_build::Builder) -> tonic_prost_build::Builder,
}

const PROTOCOLS: [Protocol; 2] = [
    Protocol {
        proto: "delivery.proto",
        package: "mesh.delivery.v1",
        code: "delivery/src/gen/delivery.rs",
        // The codec is ours.
        configure: |builder| {
            builder
                // They hold secrets.
                .skip_debug(["mesh.delivery.v1.EnrollRequest", "mesh.delivery.v1.Secret"])
                .codec_path("crate::codec::Lean")
        },
    },
    Protocol {
        proto: "etcd.proto",
        package: "etcdserverpb",
        code: "reconciler/src/gen/etcd.rs",
        configure: |builder| builder.build_server(false),
    },
];

/// Bytes are shared instead of copied, and there is no code for tonic's own sockets.
fn generate(top: &Path, protocol: &Protocol) -> String {
    let proto = protocol.proto;
    let descriptors =
        protox::compile([proto], [top.join("schemas/proto")]).expect("a protocol that compiles");
    let out = tempfile::tempdir().expect("a directory");
    let builder = tonic_prost_build::configure()
        .build_transport(false)
        .bytes(".")
        // In the order of their keys, as everything is.
        .btree_map(".")
        .emit_rerun_if_changed(false)
        .out_dir(out.path());
    (protocol.configure)(builder)
        .compile_fds(descriptors)
        .expect("code");
    let code = out.path().join(format!("{}.rs", protocol.package));
    let code = std::fs::read_to_string(code).expect("the code");
    format!("// @generated from schemas/proto/{proto} by `cargo xtask gen`\n{code}")
}

#[test]
fn generated_protocols_are_the_committed_ones() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the top");
    for protocol in &PROTOCOLS {
        let wanted = generate(top, protocol);
        let path = top.join(protocol.code);
        if std::env::var_os("MESH_GENERATE").is_some() {
            std::fs::write(&path, &wanted).expect("a writable repository");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == wanted,
            "{} is not what {} says: run `cargo xtask gen`",
            protocol.code,
            protocol.proto
        );
    }
}
