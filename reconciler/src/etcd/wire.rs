//! The messages of etcd, generated from `schemas/proto/etcd.proto`.

#![expect(
    unreachable_pub,
    unused_qualifications,
    clippy::doc_markdown,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

include!("../gen/etcd.rs");
