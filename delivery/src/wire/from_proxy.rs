//! What a proxy sends, to the wire and back.
//!
//! Never trusts a length: meshd reads this from whoever holds a certificate, or from anybody at all.

use std::collections::BTreeSet;

use bytes::Bytes;
use mesh_bundle::Kri;

use super::check::{self, Malformed, Problem, malformed};
use crate::bounds;
use crate::generated as wire;
use crate::message::{Enrollment, FromProxy, Hello};

impl From<Enrollment> for wire::EnrollRequest {
    fn from(enrollment: Enrollment) -> Self {
        Self {
            token: enrollment.token,
            csr: enrollment.csr.into(),
            dataplane: enrollment.dataplane.unwrap_or_default(),
            dataplane_document: enrollment.dataplane_document.unwrap_or_default().into(),
        }
    }
}

impl TryFrom<wire::EnrollRequest> for Enrollment {
    type Error = Malformed;

    fn try_from(request: wire::EnrollRequest) -> Result<Self, Malformed> {
        if request.token.is_empty() {
            return Err(malformed("token", Problem::Missing));
        }
        let document = &request.dataplane_document;
        check::bounded("dataplane_document", document.len(), bounds::DOCUMENT)?;
        let dataplane = check::text("dataplane", request.dataplane, bounds::NAME)?;
        Ok(Self {
            token: check::text("token", request.token, bounds::TOKEN)?,
            csr: check::der("csr", &request.csr, bounds::CSR)?,
            dataplane: (!dataplane.is_empty()).then_some(dataplane),
            dataplane_document: (!document.is_empty()).then(|| document.to_vec()),
        })
    }
}

impl From<FromProxy> for wire::FromProxy {
    fn from(message: FromProxy) -> Self {
        use wire::from_proxy::Message;
        let message = match message {
            FromProxy::Hello(hello) => Message::Hello(wire::Hello {
                version: check::words(&hello.version, bounds::VERSION),
                root: hello
                    .root
                    .map_or_else(Bytes::new, |root| Bytes::copy_from_slice(root.as_bytes())),
                revision: check::words(&hello.revision, bounds::REVISION),
                capabilities: hello.capabilities.into_iter().collect(),
            }),
            FromProxy::Ack { root } => Message::Ack(wire::Ack {
                root: Bytes::copy_from_slice(root.as_bytes()),
            }),
            FromProxy::Nack {
                root,
                key,
                pointer,
                reason,
            } => Message::Nack(wire::Nack {
                root: Bytes::copy_from_slice(root.as_bytes()),
                key: key.map(String::from).unwrap_or_default(),
                pointer: check::words(&pointer, bounds::POINTER),
                reason: check::words(&reason, bounds::REASON),
            }),
            FromProxy::CertificateRequest { issuer, csr } => {
                Message::CertificateRequest(wire::CertificateRequest {
                    issuer: text_of(issuer),
                    csr: csr.into(),
                })
            }
            FromProxy::Status {
                ready,
                draining,
                unhealthy,
            } => Message::Status(wire::Status {
                ready,
                draining,
                unhealthy: unhealthy.into_iter().collect(),
            }),
            FromProxy::Traffic(traffic) => Message::Traffic((*traffic).into()),
        };
        Self {
            message: Some(message),
        }
    }
}

impl TryFrom<wire::FromProxy> for FromProxy {
    type Error = Malformed;

    fn try_from(message: wire::FromProxy) -> Result<Self, Malformed> {
        use wire::from_proxy::Message;
        let message = message
            .message
            .ok_or_else(|| malformed("message", Problem::Missing))?;
        Ok(match message {
            Message::Hello(hello) => Self::Hello(Hello {
                version: check::text("version", hello.version, bounds::VERSION)?,
                root: (!hello.root.is_empty())
                    .then(|| check::digest("root", &hello.root))
                    .transpose()?,
                revision: check::text("revision", hello.revision, bounds::REVISION)?,
                capabilities: names("capabilities", hello.capabilities, bounds::CAPABILITIES)?,
            }),
            Message::Ack(ack) => Self::Ack {
                root: check::digest("root", &ack.root)?,
            },
            Message::Nack(nack) => {
                let key = check::text("key", nack.key, bounds::KEY)?;
                let key = (!key.is_empty()).then(|| key.parse()).transpose();
                Self::Nack {
                    root: check::digest("root", &nack.root)?,
                    key: key.map_err(|_| malformed("key", Problem::Not("a resource key")))?,
                    pointer: check::text("pointer", nack.pointer, bounds::POINTER)?,
                    reason: check::text("reason", nack.reason, bounds::REASON)?,
                }
            }
            Message::CertificateRequest(request) => Self::CertificateRequest {
                issuer: check::optional_kri("issuer", &request.issuer)?,
                csr: check::der("csr", &request.csr, bounds::CSR)?,
            },
            Message::Status(status) => Self::Status {
                ready: status.ready,
                draining: status.draining,
                unhealthy: names("unhealthy", status.unhealthy, bounds::INBOUNDS)?,
            },
            Message::Traffic(traffic) => Self::Traffic(Box::new(traffic.try_into()?)),
        })
    }
}

fn names(
    field: &'static str,
    names: Vec<String>,
    most: usize,
) -> Result<BTreeSet<String>, Malformed> {
    check::bounded(field, names.len(), most)?;
    let names = names.into_iter();
    names
        .map(|name| check::text(field, name, bounds::NAME))
        .collect()
}

/// Empty means none.
pub(super) fn text_of(kri: Option<Kri>) -> String {
    kri.map(String::from).unwrap_or_default()
}
