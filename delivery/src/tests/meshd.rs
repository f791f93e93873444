//! A meshd that knows what a test tells it, on a real socket, and proxies that speak to it.
//!
//! Never waits without a deadline, and never for time to pass.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh_bundle::Kri;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::authority::{Authority, Report};
use crate::client::{ClientError, Session, enroll};
use crate::message::{Certificate, Denied, Enrolled, Enrollment, ProxyName, Received};
use crate::publisher::Wanted;
use crate::server::{Pace, serve_at};
use crate::subscriber::Event;

pub(super) const NAME: &str = "meshd.control";

/// Generous: a test that works does not use it.
pub(super) async fn soon<T>(what: impl Future<Output = T>) -> T {
    let deadline = Duration::from_secs(20);
    tokio::time::timeout(deadline, what).await.expect("in time")
}

pub(super) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

pub(super) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Ca {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    pub(super) fn issue(&self, san: SanType) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![san];
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (vec![leaf.der().clone()], key.into())
    }

    pub(super) fn proxy(&self, name: &str) -> Identity {
        let id = format!("spiffe://{NAME}/mesh/default/dataplane/{name}");
        self.issue(SanType::URI(id.try_into().unwrap()))
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What the authority knows, and what it was told.
pub(crate) struct Book {
    proxies: Mutex<BTreeMap<Vec<u8>, ProxyName>>,
    wanted: BTreeMap<ProxyName, watch::Sender<Option<Arc<Wanted>>>>,
    denied: Mutex<BTreeSet<ProxyName>>,
    reports: mpsc::UnboundedSender<Report>,
}

impl Authority for Book {
    async fn enroll(&self, request: Enrollment, _: SocketAddr) -> Result<Enrolled, Denied> {
        if request.token != "sesame" {
            return Err(Denied::Unauthenticated("the token is\nunknown".to_owned()));
        }
        Ok(Enrolled {
            chain: vec![CertificateDer::from(request.csr)],
            anchors: vec![CertificateDer::from(vec![1])],
            not_after: 2,
            renew_at: 1,
        })
    }

    fn admit(&self, peer: &[CertificateDer<'_>]) -> Result<ProxyName, Denied> {
        let proxies = self.proxies.lock().unwrap();
        let unknown = || Denied::Unauthenticated("an unknown certificate".to_owned());
        let proxy = proxies.get(peer[0].as_ref()).ok_or_else(unknown)?;
        if self.denied.lock().unwrap().contains(proxy) {
            return Err(Denied::Forbidden("revoked".to_owned()));
        }
        Ok(proxy.clone())
    }

    fn wanted(&self, proxy: &ProxyName) -> Option<watch::Receiver<Option<Arc<Wanted>>>> {
        self.wanted.get(proxy).map(watch::Sender::subscribe)
    }

    async fn issue(
        &self,
        _: &ProxyName,
        _: &[CertificateDer<'_>],
        issuer: Option<&Kri>,
        csr: &[u8],
    ) -> Result<Certificate, Denied> {
        if csr == b"bad" {
            return Err(Denied::Invalid("that is no request".to_owned()));
        }
        Ok(Certificate {
            issuer: issuer.cloned(),
            chain: vec![CertificateDer::from(csr.to_vec())],
            not_after: 2,
            renew_at: 1,
            anchors: Vec::new(),
        })
    }

    fn report(&self, _: &ProxyName, report: Report) {
        let _ = self.reports.send(report);
    }
}

pub(super) struct Meshd {
    pub(super) address: String,
    pub(super) ca: Ca,
    pub(super) stop: watch::Sender<bool>,
    pub(super) task: JoinHandle<std::io::Result<()>>,
    book: Arc<Book>,
    reports: mpsc::UnboundedReceiver<Report>,
}

pub(super) fn proxy_name(name: &str) -> ProxyName {
    ProxyName(format!("kri_dp_default___{name}_").parse().unwrap())
}

impl Meshd {
    /// Knows the Dataplanes `web-1` and `api-1`.
    pub(super) async fn start() -> Self {
        Self::start_at(Pace::default()).await
    }

    pub(super) async fn start_at(pace: Pace) -> Self {
        let ca = Ca::new();
        let (chain, key) = ca.issue(SanType::DnsName(NAME.try_into().unwrap()));
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()), provider())
                .allow_unauthenticated()
                .build()
                .unwrap();
        let tls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (reporter, reports) = mpsc::unbounded_channel();
        let known = ["web-1", "api-1"].map(|name| (proxy_name(name), watch::Sender::new(None)));
        let book = Arc::new(Book {
            proxies: Mutex::default(),
            wanted: BTreeMap::from(known),
            denied: Mutex::default(),
            reports: reporter,
        });
        let (stop, stopped) = watch::channel(false);
        let serving = serve_at(pace, listener, Arc::new(tls), book.clone(), stopped);
        Self {
            address,
            ca,
            stop,
            task: tokio::spawn(serving),
            book,
            reports,
        }
    }

    /// A control certificate that the authority knows.
    pub(super) fn certificate(&self, name: &str) -> Identity {
        let identity = self.ca.proxy(name);
        let leaf = identity.0[0].to_vec();
        let mut proxies = self.book.proxies.lock().unwrap();
        proxies.insert(leaf, proxy_name(name));
        identity
    }

    pub(super) fn client(&self, identity: Option<Identity>) -> Arc<ClientConfig> {
        trusting(&self.ca, identity)
    }

    pub(super) async fn open(
        &self,
        identity: Option<Identity>,
        held: Option<Received>,
    ) -> Result<Session, ClientError> {
        let tls = self.client(identity);
        soon(Session::open(&self.address, tls, NAME, "0.1.0", held)).await
    }

    /// An admitted session of `web-1`.
    pub(super) async fn session(&mut self, held: Option<Received>) -> Session {
        let identity = self.certificate("web-1");
        let session = self.open(Some(identity), held).await.unwrap();
        let Report::Connected { .. } = self.next_connect().await else {
            panic!("not connected")
        };
        session
    }

    async fn next_connect(&mut self) -> Report {
        loop {
            let report = self.report().await;
            if matches!(report, Report::Connected { .. }) {
                return report;
            }
        }
    }

    pub(super) async fn enroll(&self, token: &str, csr: &[u8]) -> Result<Enrolled, ClientError> {
        let request = Enrollment {
            token: token.to_owned(),
            csr: csr.to_vec(),
            dataplane: None,
            dataplane_document: None,
        };
        let tls = self.client(None);
        soon(enroll(&self.address, tls, NAME, request)).await
    }

    pub(super) fn want(&self, wanted: Arc<Wanted>) {
        let known = &self.book.wanted[&proxy_name("web-1")];
        known.send_replace(Some(wanted));
    }

    pub(super) fn revoke(&self, name: &str) {
        let mut denied = self.book.denied.lock().unwrap();
        denied.insert(proxy_name(name));
    }

    pub(super) async fn report(&mut self) -> Report {
        soon(self.reports.recv()).await.unwrap()
    }
}

/// A client that trusts a CA, and shows an identity or none.
pub(super) fn trusting(ca: &Ca, identity: Option<Identity>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(ca.roots());
    Arc::new(match identity {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    })
}

/// The next configuration, and the endpoints that came before it.
pub(super) async fn configuration(session: &mut Session) -> (Received, Vec<Event>) {
    let mut before = Vec::new();
    loop {
        match soon(session.next()).await.unwrap() {
            Event::Configuration(received) => return (received, before),
            event => before.push(event),
        }
    }
}
