//! Many proxies that speak the protocol and have no data plane: they come all at once, and some of them stop to listen.
//!
//! Never waits as a real proxy does: who is cut off is back at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mesh_delivery::client::Session;
use mesh_delivery::message::{FromProxy, Received};
use mesh_delivery::subscriber::Event;
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::patience::within;

/// What meshd's certificate names.
const SERVER_NAME: &str = "meshd.control";
/// Nobody listens, or everybody comes at once: so long until the next attempt.
const AGAIN: Duration = Duration::from_millis(20);

/// So many proxies, `p-0` and on.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    /// How many of them do not listen.
    deaf: watch::Sender<usize>,
    size: usize,
    _members: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    meshd: SocketAddr,
    applied: AtomicUsize,
    opened: AtomicUsize,
    /// How many sessions are open.
    connected: watch::Sender<usize>,
}

struct Member {
    number: usize,
    tls: Arc<ClientConfig>,
    shared: Arc<Shared>,
    deaf: watch::Receiver<usize>,
    held: Option<Received>,
}

impl Crowd {
    /// Their Dataplanes, for the repository: at addresses where nothing listens.
    #[must_use]
    pub fn documents(size: usize) -> String {
        let document = |number: usize| {
            let (high, low) = (number / 200, number % 200 + 1);
            format!(
                "type: Dataplane\nmesh: default\nname: p-{number}\nlabels:\n  app: crowd\n  kuma.io/workload: crowd\nnetworking:\n  \
                 address: 10.99.{high}.{low}\n  inbound:\n    - name: http\n      port: 9080\n      servicePort: 8080\n      protocol: http\n"
            )
        };
        let documents: Vec<String> = (0..size).map(document).collect();
        documents.join("---\n")
    }

    /// Comes to `meshd` at once; `authority` is the PEM text of its control authority, which would give as many certificates
    /// only over some time.
    ///
    /// # Panics
    /// When that is none.
    #[must_use]
    pub fn come(size: usize, meshd: SocketAddr, authority: &str) -> Self {
        let shared = Arc::new(Shared {
            meshd,
            applied: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            connected: watch::Sender::new(0),
        });
        let (deaf, orders) = watch::channel(0);
        let signer = Signer::new(authority);
        let mut members = JoinSet::new();
        for number in 0..size {
            let member = Member {
                number,
                tls: signer.client(number),
                shared: Arc::clone(&shared),
                deaf: orders.clone(),
                held: None,
            };
            members.spawn(member.run());
        }
        Self {
            shared,
            deaf,
            size,
            _members: members,
        }
    }

    /// Waits until all of them have a session.
    pub async fn connected(&self) {
        self.wait(|connected| connected == self.size).await;
    }

    /// Waits until none has one any more.
    pub async fn gone(&self) {
        self.wait(|connected| connected == 0).await;
    }

    async fn wait(&self, so: impl Fn(usize) -> bool) {
        let mut connected = self.shared.connected.subscribe();
        within("the crowd", connected.wait_for(|it| so(*it)))
            .await
            .expect("it is there");
    }

    /// How many configurations they were given so far, and how many sessions were opened.
    #[must_use]
    pub fn told(&self) -> (usize, usize) {
        let Shared {
            applied, opened, ..
        } = &*self.shared;
        (
            applied.load(Ordering::Relaxed),
            opened.load(Ordering::Relaxed),
        )
    }

    /// So many of them read nothing any more of what they are sent, and stay.
    pub fn deafen(&self, count: usize) {
        self.deaf.send_replace(count);
    }
}

impl Member {
    async fn run(mut self) {
        let meshd = self.shared.meshd.to_string();
        loop {
            let opened = Session::open(
                &meshd,
                Arc::clone(&self.tls),
                SERVER_NAME,
                "crowd",
                self.held.clone(),
            );
            if let Ok(session) = Box::pin(opened).await {
                self.shared.opened.fetch_add(1, Ordering::Relaxed);
                self.shared.connected.send_modify(|count| *count += 1);
                self.listen(session).await;
                self.shared.connected.send_modify(|count| *count -= 1);
            }
            let _ = tokio::time::timeout(AGAIN, std::future::pending::<()>()).await;
        }
    }

    /// Until the session ends.
    async fn listen(&mut self, mut session: Session) {
        let sender = session.sender();
        loop {
            let number = self.number;
            if self.deaf.wait_for(|deaf| number >= *deaf).await.is_err() {
                return;
            }
            let event = tokio::select! {
                event = session.next() => event,
                changed = self.deaf.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            };
            let Ok(event) = event else {
                return;
            };
            if let Event::Configuration(received) = event {
                let root = received.root;
                self.held = Some(received);
                if sender.send(FromProxy::Ack { root }).await.is_err() {
                    return;
                }
                self.shared.applied.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Signs as meshd's control authority does when a proxy enrols.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
    /// One for all: meshd compares keys only where identities are asked for.
    key: KeyPair,
}

impl Signer {
    fn new(authority: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(authority.as_bytes());
        let certificate = certificate.expect("meshd's control authority");
        let key = PrivateKeyDer::from_pem_slice(authority.as_bytes()).expect("its key");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("an anchor");
        let key = KeyPair::try_from(&key).expect("its key");
        Self {
            issuer: Issuer::from_ca_cert_der(&certificate, key).expect("an authority"),
            roots: Arc::new(roots),
            key: KeyPair::generate().expect("a key"),
        }
    }

    fn client(&self, number: usize) -> Arc<ClientConfig> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        let name = format!("spiffe://meshd.control/mesh/default/dataplane/p-{number}");
        let name = name.as_str().try_into().expect("a name");
        parameters.subject_alt_names = vec![SanType::URI(name)];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = parameters.signed_by(&self.key, &self.issuer);
        let leaf = leaf.expect("a certificate").der().clone();
        let secret = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(Arc::clone(&self.roots))
            .with_client_auth_cert(vec![leaf], secret.into())
            .expect("a certificate and its key");
        config.resumption = Resumption::disabled();
        Arc::new(config)
    }
}
