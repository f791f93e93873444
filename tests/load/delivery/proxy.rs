//! One simulated proxy: the protocol's own client, without a data plane behind it.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use mesh_bundle::{Key, Kri, Resource};
use mesh_delivery::client::Session;
use mesh_delivery::message::{FromProxy, Received};
use mesh_delivery::subscriber::Event;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};

use super::server::ADDRESS;

/// What meshd's certificate names.
const SERVER_NAME: &str = "meshd.control";
/// The waits of a real proxy that lost meshd: full jitter, doubling.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// What a proxy of the fleet tells.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) proxy: usize,
    pub(crate) at: Instant,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A session is open.
    Connected,
    /// A configuration was verified and acknowledged.
    Applied(String),
    /// The endpoints of a cluster.
    Endpoints,
    /// It has a certificate of this authority.
    Certified(String),
    Failed(String),
}

/// What a proxy of the fleet is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) draining: bool,
    /// Asks for a certificate whenever this changes.
    pub(crate) certificates: usize,
}

pub(crate) struct Proxy {
    pub(crate) number: usize,
    pub(crate) key: KeyPair,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) told: Sender<Told>,
    pub(crate) orders: watch::Receiver<Order>,
    pub(crate) held: Option<Received>,
    pub(crate) issuer: Option<Kri>,
    pub(crate) failures: u32,
    pub(crate) refused: u32,
}

impl Proxy {
    pub(crate) async fn run(mut self) {
        loop {
            if let Err(why) = self.session().await {
                self.tell(What::Failed(why));
            }
            // What it is told meanwhile it does once it is connected.
            let _ = timeout(wait(self.failures), self.orders.changed()).await;
            self.failures += 1;
        }
    }

    fn tell(&self, what: What) {
        // Nobody listens any more when the benchmark ends.
        let _ = self.told.send(Told {
            proxy: self.number,
            at: Instant::now(),
            what,
        });
    }

    async fn session(&mut self) -> Result<(), String> {
        let opened = Session::open(
            ADDRESS,
            Arc::clone(&self.tls),
            SERVER_NAME,
            "load",
            self.held.clone(),
        );
        let mut session = Box::pin(opened).await.map_err(|error| error.to_string())?;
        self.failures = 0;
        self.tell(What::Connected);
        let sender = session.sender();
        let mut order = self.orders.borrow_and_update().clone();
        let mut messages = vec![status(&order)];
        let mut again = None;
        loop {
            for message in messages.drain(..) {
                sender
                    .send(message)
                    .await
                    .map_err(|error| error.to_string())?;
            }
            let event = tokio::select! {
                event = session.next() => event.map_err(|error| error.to_string())?,
                changed = self.orders.changed() => {
                    changed.map_err(|_| "the benchmark ended".to_owned())?;
                    let new = self.orders.borrow_and_update().clone();
                    if new.draining != order.draining {
                        messages.push(status(&new));
                    }
                    if new.certificates != order.certificates {
                        messages.extend(self.request());
                    }
                    order = new;
                    continue;
                }
                () = until(again) => {
                    again = None;
                    messages.extend(self.request());
                    continue;
                }
            };
            match event {
                Event::Configuration(received) => {
                    let root = received.root;
                    let answer = FromProxy::Ack { root };
                    sender
                        .send(answer)
                        .await
                        .map_err(|error| error.to_string())?;
                    self.tell(What::Applied(received.revision.clone()));
                    let issuer = issuer(&received);
                    if issuer != self.issuer {
                        self.issuer = issuer;
                        messages.extend(self.request());
                    }
                    self.held = Some(received);
                }
                Event::Endpoints { .. } => self.tell(What::Endpoints),
                Event::Secrets(_) | Event::Measure { .. } => {}
                Event::Certificate(certificate) => {
                    self.refused = 0;
                    let issuer = certificate.issuer.map(|issuer| issuer.to_string());
                    self.tell(What::Certified(issuer.unwrap_or_default()));
                }
                Event::CertificateRefused { .. } => {
                    again = Some(tokio::time::Instant::now() + wait(self.refused));
                    self.refused += 1;
                }
            }
        }
    }

    fn request(&self) -> Option<FromProxy> {
        let issuer = self.issuer.clone()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        let csr = parameters.serialize_request(&self.key).ok()?;
        Some(FromProxy::CertificateRequest {
            issuer: Some(issuer),
            csr: csr.der().to_vec(),
        })
    }
}

fn status(order: &Order) -> FromProxy {
    FromProxy::Status {
        ready: true,
        draining: order.draining,
        unhealthy: std::collections::BTreeSet::new(),
    }
}

/// Whose certificates a configuration wants the proxy to have.
fn issuer(received: &Received) -> Option<Kri> {
    let (_, bytes) = received.resources.get(&Key::Proxy)?;
    match Resource::decode(bytes) {
        Ok(Resource::Proxy(itself)) => itself.identity.map(|identity| identity.issuer),
        _ => None,
    }
}

fn wait(failures: u32) -> Duration {
    let limit = SHORTEST.saturating_mul(2_u32.saturating_pow(failures.min(16) + 1));
    let spread = limit.min(LONGEST).saturating_sub(SHORTEST);
    let mut dice = [0; 4];
    // Without randomness every wait is the longest.
    let dice = match aws_lc_rs::rand::fill(&mut dice) {
        Ok(()) => u32::from_le_bytes(dice),
        Err(_) => u32::MAX,
    };
    SHORTEST + spread.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => drop(timeout_at(deadline, std::future::pending::<()>()).await),
        None => std::future::pending().await,
    }
}
