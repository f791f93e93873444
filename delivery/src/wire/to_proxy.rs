//! What meshd sends, to the wire and back.
//!
//! Never keeps a slice of a receive buffer: a resource of 300 bytes would hold on to 16 KiB for as long as it lives.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::check::{self, Malformed, Problem, malformed};
use super::from_proxy::text_of;
use crate::bounds;
use crate::generated as wire;
use crate::message::{Certificate, Endpoint, EndpointsChange, Enrolled, Secrets, ToProxy, Update};

fn ders(certificates: &[CertificateDer<'_>]) -> Vec<Bytes> {
    certificates
        .iter()
        .map(|certificate| Bytes::copy_from_slice(certificate))
        .collect()
}

impl From<Enrolled> for wire::EnrollResponse {
    fn from(enrolled: Enrolled) -> Self {
        Self {
            chain: ders(&enrolled.chain),
            anchors: ders(&enrolled.anchors),
            not_after: enrolled.not_after,
            renew_at: enrolled.renew_at,
        }
    }
}

impl TryFrom<wire::EnrollResponse> for Enrolled {
    type Error = Malformed;

    fn try_from(response: wire::EnrollResponse) -> Result<Self, Malformed> {
        Ok(Self {
            chain: check::certificates("chain", &response.chain, bounds::CHAIN)?,
            anchors: check::certificates("anchors", &response.anchors, bounds::ANCHORS)?,
            not_after: response.not_after,
            renew_at: response.renew_at,
        })
    }
}

impl From<ToProxy> for wire::ToProxy {
    fn from(message: ToProxy) -> Self {
        use wire::to_proxy::Message;
        let message = match message {
            ToProxy::Update(update) => Message::Update(wire::Update {
                revision: check::words(&update.revision, bounds::REVISION),
                root: Bytes::copy_from_slice(update.root.as_bytes()),
                complete: update.complete,
                upserts: update
                    .upserts
                    .into_iter()
                    .map(|(key, resource)| wire::Upsert { key, resource })
                    .collect(),
                removals: update.removals,
                last: update.last,
            }),
            ToProxy::Endpoints(change) => Message::Endpoints(wire::Endpoints {
                service: change.service.into(),
                complete: change.complete,
                upserts: change.upserts.into_iter().map(Into::into).collect(),
                removals: change.removals.into_iter().map(String::from).collect(),
                tls_ready: change.tls_ready,
            }),
            ToProxy::Secrets(secrets) => Message::Secrets(wire::Secrets {
                values: secrets
                    .0
                    .into_iter()
                    .map(|(id, value)| wire::Secret {
                        id,
                        value: Bytes::copy_from_slice(&value),
                    })
                    .collect(),
            }),
            ToProxy::Certificate(certificate) => Message::Certificate(wire::Certificate {
                issuer: text_of(certificate.issuer),
                chain: ders(&certificate.chain),
                not_after: certificate.not_after,
                renew_at: certificate.renew_at,
                anchors: ders(&certificate.anchors),
            }),
            ToProxy::CertificateRefused { issuer, reason } => {
                Message::CertificateRefused(wire::CertificateRefused {
                    issuer: text_of(issuer),
                    reason: check::words(&reason, bounds::REASON),
                })
            }
            ToProxy::Measure { every } => Message::Measure(wire::Measure {
                every: u32::try_from(every.as_millis()).unwrap_or(u32::MAX),
            }),
        };
        Self {
            message: Some(message),
        }
    }
}

impl TryFrom<wire::ToProxy> for ToProxy {
    type Error = Malformed;

    fn try_from(message: wire::ToProxy) -> Result<Self, Malformed> {
        use wire::to_proxy::Message;
        let message = message
            .message
            .ok_or_else(|| malformed("message", Problem::Missing))?;
        Ok(match message {
            Message::Update(update) => Self::Update(update.try_into()?),
            Message::Endpoints(change) => Self::Endpoints(change.try_into()?),
            Message::Secrets(secrets) => Self::Secrets(secrets.try_into()?),
            Message::Certificate(certificate) => Self::Certificate(Certificate {
                issuer: check::optional_kri("issuer", &certificate.issuer)?,
                chain: check::certificates("chain", &certificate.chain, bounds::CHAIN)?,
                not_after: certificate.not_after,
                renew_at: certificate.renew_at,
                anchors: match certificate.anchors.as_slice() {
                    [] => Vec::new(),
                    anchors => check::certificates("anchors", anchors, bounds::ANCHORS)?,
                },
            }),
            Message::CertificateRefused(refused) => Self::CertificateRefused {
                issuer: check::optional_kri("issuer", &refused.issuer)?,
                reason: check::text("reason", refused.reason, bounds::REASON)?,
            },
            Message::Measure(measure) => Self::Measure {
                every: Duration::from_millis(measure.every.into()),
            },
        })
    }
}

impl TryFrom<wire::Update> for Update {
    type Error = Malformed;

    fn try_from(update: wire::Update) -> Result<Self, Malformed> {
        let key = |key| check::text("key", key, bounds::KEY);
        let upsert = |upsert: wire::Upsert| {
            check::bounded("resource", upsert.resource.len(), bounds::RESOURCE)?;
            Ok((key(upsert.key)?, Bytes::copy_from_slice(&upsert.resource)))
        };
        Ok(Self {
            revision: check::text("revision", update.revision, bounds::REVISION)?,
            root: check::digest("root", &update.root)?,
            complete: update.complete,
            upserts: update
                .upserts
                .into_iter()
                .map(upsert)
                .collect::<Result<_, _>>()?,
            removals: update
                .removals
                .into_iter()
                .map(key)
                .collect::<Result<_, _>>()?,
            last: update.last,
        })
    }
}

impl TryFrom<wire::Secrets> for Secrets {
    type Error = Malformed;

    fn try_from(secrets: wire::Secrets) -> Result<Self, Malformed> {
        check::bounded("secrets", secrets.values.len(), bounds::SECRETS)?;
        let total = secrets.values.iter().map(|secret| secret.value.len()).sum();
        check::bounded("secrets", total, bounds::SECRET_BYTES)?;
        let secret = |secret: wire::Secret| {
            let id = check::text("id", secret.id, bounds::KEY + bounds::POINTER)?;
            Ok((id, Zeroizing::new(secret.value.to_vec())))
        };
        let values = secrets.values.into_iter().map(secret);
        Ok(Self(values.collect::<Result<_, Malformed>>()?))
    }
}

impl TryFrom<wire::Endpoints> for EndpointsChange {
    type Error = Malformed;

    fn try_from(change: wire::Endpoints) -> Result<Self, Malformed> {
        check::bounded("upserts", change.upserts.len(), bounds::ENDPOINTS)?;
        check::bounded("removals", change.removals.len(), bounds::ENDPOINTS)?;
        Ok(Self {
            service: check::kri("service", &change.service)?,
            complete: change.complete,
            upserts: change
                .upserts
                .into_iter()
                .map(Endpoint::try_from)
                .collect::<Result<_, _>>()?,
            removals: change
                .removals
                .iter()
                .map(|id| check::kri("removals", id))
                .collect::<Result<_, _>>()?,
            tls_ready: change.tls_ready,
        })
    }
}

impl From<Endpoint> for wire::Endpoint {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id.into(),
            address: endpoint.address,
            port: endpoint.port.into(),
            zone: endpoint.zone,
            labels: endpoint.labels.into_iter().collect(),
        }
    }
}

impl TryFrom<wire::Endpoint> for Endpoint {
    type Error = Malformed;

    fn try_from(endpoint: wire::Endpoint) -> Result<Self, Malformed> {
        Ok(Self {
            id: check::kri("id", &endpoint.id)?,
            address: check::address("address", endpoint.address)?,
            port: check::port("port", endpoint.port)?,
            zone: check::text("zone", endpoint.zone, bounds::NAME)?,
            labels: labels(endpoint.labels)?,
        })
    }
}

fn labels(
    labels: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Malformed> {
    let labels = labels.into_iter().take(bounds::LABELS + 1);
    let labels = labels.map(|(key, value)| {
        let key = check::text("labels", key, bounds::LABEL)?;
        Ok((key, check::text("labels", value, bounds::LABEL)?))
    });
    let labels = labels.collect::<Result<BTreeMap<_, _>, _>>()?;
    check::bounded("labels", labels.len(), bounds::LABELS)?;
    Ok(labels)
}
