//! All simulated proxies, and what they tell.
//!
//! Never waits without an end for what they should tell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::proxy::{Order, Proxy, Told, What};

/// For anything that the whole fleet is to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing is told for this long: the fleet is at rest.
const REST: Duration = Duration::from_millis(500);

/// The proxies, each a task.
pub(crate) struct Fleet {
    told: Receiver<Told>,
    orders: Vec<watch::Sender<Order>>,
    /// Dropped last: it ends the tasks.
    _runtime: Runtime,
}

/// When each proxy did what was awaited, in milliseconds since a moment, sorted.
#[derive(Debug)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn last(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// The time by which this share, of 1, had done it.
    pub(crate) fn share(&self, share: f64) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list"
        )]
        let place = (self.0.len() as f64 * share).ceil() as usize;
        self.0
            .get(place.saturating_sub(1))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

impl Fleet {
    /// Makes keys and certificates for so many proxies, and starts them.
    pub(crate) fn start(proxies: usize, authority: &str) -> Result<Self> {
        let signer = Signer::new(authority)?;
        let (sender, told) = channel();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let (mut orders, mut members) = (Vec::new(), Vec::new());
        for number in 0..proxies {
            let key = KeyPair::generate()?;
            let tls = signer.client(&key, number)?;
            let (order, received) = watch::channel(Order::default());
            orders.push(order);
            members.push(Proxy {
                number,
                key,
                tls,
                told: sender.clone(),
                orders: received,
                held: None,
                issuer: None,
                failures: 0,
                refused: 0,
            });
        }
        for member in members {
            runtime.spawn(member.run());
        }
        Ok(Self {
            told,
            orders,
            _runtime: runtime,
        })
    }

    pub(crate) fn order(&self, proxy: usize, order: &Order) {
        if let Some(sender) = self.orders.get(proxy) {
            sender.send_replace(order.clone());
        }
    }

    pub(crate) fn order_all(&self, order: &Order) {
        for sender in &self.orders {
            sender.send_replace(order.clone());
        }
    }

    /// Waits until so many proxies have told something like that, and says when each did so first.
    pub(crate) fn await_from(
        &self,
        count: usize,
        since: Instant,
        wanted: impl Fn(&What) -> bool,
    ) -> Result<Times> {
        let deadline = Instant::now() + PATIENCE;
        let mut times: BTreeMap<usize, f64> = BTreeMap::new();
        let mut trouble = None;
        while times.len() < count {
            match self
                .told
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(Told { proxy, at, what }) => {
                    if wanted(&what) {
                        let time = at.saturating_duration_since(since).as_secs_f64() * 1_000.0;
                        times.entry(proxy).or_insert(time);
                    } else if let What::Failed(why) = what {
                        trouble = Some(why);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!(
                    "{} of {count} proxies in {PATIENCE:?}; the last trouble: {}",
                    times.len(),
                    trouble.unwrap_or_else(|| "none".to_owned())
                ),
                Err(RecvTimeoutError::Disconnected) => bail!("the fleet is gone"),
            }
        }
        Ok(Times(crate::report::sorted(times.into_values())))
    }

    /// Waits until nobody tells anything any more; how often something like that was told meanwhile.
    pub(crate) fn rest(&self, counted: impl Fn(&What) -> bool) -> usize {
        let mut count = 0;
        while let Ok(told) = self.told.recv_timeout(REST) {
            count += usize::from(counted(&told.what));
        }
        count
    }
}

/// Signs as meshd's control authority does when a proxy enrols.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    roots: Arc<RootCertStore>,
}

impl Signer {
    fn new(authority: &str) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(authority.as_bytes())
            .context("meshd's control authority")?;
        let key = PrivateKeyDer::from_pem_slice(authority.as_bytes()).context("its key")?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let issuer = Issuer::from_ca_cert_der(&certificate, KeyPair::try_from(&key)?)?;
        Ok(Self {
            issuer,
            roots: Arc::new(roots),
        })
    }

    fn client(&self, key: &KeyPair, number: usize) -> Result<Arc<ClientConfig>> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        let name = format!("spiffe://meshd.control/mesh/default/dataplane/p-{number}");
        parameters.subject_alt_names = vec![SanType::URI(name.as_str().try_into()?)];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let leaf = parameters.signed_by(key, &self.issuer)?.der().clone();
        let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(Arc::clone(&self.roots))
                .with_client_auth_cert(vec![leaf], secret.into())?;
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}
