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
                // meshd's end writes its messages itself.
                .build_server(false)
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

/// What came to the first version of the delivery protocol: members of what a peer reads as a whole, and what keeps them from
/// peers that do not know them.
const ADDED: [(&str, &str, &str); 2] = [
    ("FromProxy", "traffic", "only after `measure`"),
    ("ToProxy", "measure", "capability `traffic`"),
];

/// Name, number, type and whether it is repeated, of every field of every message.
fn fields(
    directory: &Path,
    file: &str,
) -> std::collections::BTreeMap<(String, String), (i32, i32, i32, String)> {
    let set = protox::compile([file], [directory]).expect("a protocol that compiles");
    let messages = set.file.into_iter().flat_map(|file| file.message_type);
    let fields = messages.flat_map(|message| {
        let name = message.name().to_owned();
        message.field.into_iter().map(move |field| {
            let wire = (
                field.number(),
                field.r#type.unwrap_or_default(),
                field.label.unwrap_or_default(),
            );
            let (number, kind, label) = wire;
            let of = field.type_name().to_owned();
            (
                (name.clone(), field.name().to_owned()),
                (number, kind, label, of),
            )
        })
    });
    fields.collect()
}

#[test]
fn the_first_proxies_and_meshds_understand_what_those_of_today_say_to_them() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let first = fields(&here.join("protocol"), "first.proto");
    let today = fields(&here.join("../schemas/proto"), "delivery.proto");
    for (field, wire) in &first {
        assert_eq!(Some(wire), today.get(field), "{field:?} is another one");
    }
    let whole = today.keys().filter(|field| !first.contains_key(field));
    let whole = whole.filter(|(message, _)| ["FromProxy", "ToProxy"].contains(&message.as_str()));
    let whole: Vec<(&str, &str)> = whole.map(|(m, f)| (m.as_str(), f.as_str())).collect();
    let known = ADDED.map(|(message, field, _)| (message, field));
    assert_eq!(
        whole, known,
        "say what keeps it from those who do not know it"
    );
}
