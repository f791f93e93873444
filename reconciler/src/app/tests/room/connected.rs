//! A proxy with a session: what meshd tells it, and what it answers.
//!
//! Never answers by itself.

use std::collections::BTreeSet;

use mesh_bundle::{Digest, Kri};
use mesh_delivery::client::{ClientError, Session};
use mesh_delivery::message::{Certificate, FromProxy, Received};
use mesh_delivery::subscriber::Event;

use super::PATIENCE;
use crate::ca;

pub(in super::super) struct Connected {
    session: Session,
}

impl Connected {
    pub(super) fn new(session: Session) -> Self {
        Self { session }
    }

    pub(in super::super) async fn next(&mut self) -> Result<Event, ClientError> {
        let next = tokio::time::timeout(PATIENCE, self.session.next());
        next.await.expect("meshd says something")
    }

    /// The next configuration, acknowledged.
    pub(in super::super) async fn configuration(&mut self) -> Received {
        let received = self.offer().await;
        self.acknowledge(received.root).await;
        received
    }

    /// The root of the next configuration, which is waited with.
    pub(in super::super) async fn offered(&mut self) -> Digest {
        self.offer().await.root
    }

    pub(in super::super) async fn acknowledge(&mut self, root: Digest) {
        self.send(FromProxy::Ack { root }).await;
    }

    async fn offer(&mut self) -> Received {
        loop {
            if let Event::Configuration(received) = self.next().await.unwrap() {
                return received;
            }
        }
    }

    /// Waits until the endpoints of a service satisfy a condition.
    pub(in super::super) async fn endpoints(
        &mut self,
        condition: impl Fn(&[String], bool) -> bool,
    ) {
        loop {
            if let Event::Endpoints { endpoints, .. } = self.next().await.unwrap() {
                let names: Vec<_> = endpoints
                    .endpoints
                    .keys()
                    .map(|k| k.name().to_owned())
                    .collect();
                if condition(&names, endpoints.tls_ready) {
                    return;
                }
            }
        }
    }

    pub(in super::super) async fn certificate(
        &mut self,
        issuer: Option<Kri>,
    ) -> Result<Certificate, String> {
        let csr = ca::probe().unwrap().1;
        self.send(FromProxy::CertificateRequest { issuer, csr })
            .await;
        loop {
            match self.next().await.unwrap() {
                Event::Certificate(certificate) => return Ok(certificate),
                Event::CertificateRefused { reason, .. } => return Err(reason),
                Event::Configuration(_)
                | Event::Endpoints { .. }
                | Event::Secrets(_)
                | Event::Measure { .. } => {}
            }
        }
    }

    pub(in super::super) async fn send(&self, message: FromProxy) {
        self.session.sender().send(message).await.unwrap();
    }

    pub(in super::super) async fn ready(&self) {
        self.status(false).await;
    }

    pub(in super::super) async fn drains(&self) {
        self.status(true).await;
    }

    async fn status(&self, draining: bool) {
        self.send(FromProxy::Status {
            ready: true,
            draining,
            unhealthy: BTreeSet::new(),
        })
        .await;
    }

    /// The session is ended by meshd.
    pub(in super::super) async fn ended(&mut self) {
        while self.next().await.is_ok() {}
    }
}
