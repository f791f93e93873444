//! Mesh TLS: TLS 1.3, both sides with SPIFFE certificates, and nothing else; `outside` is for servers of no mesh.
//!
//! Never resumes a session and never sends early data: every connection proves both identities anew, against the trust
//! of the configuration that it was opened under.

mod outside;
mod provided;
mod verify;

use std::io;
use std::sync::{Arc, LazyLock};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{CipherSuite, ClientConfig, CommonState, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use mesh_bundle::SpiffeId;

use crate::metrics::Direction;
use crate::world::Svid;

pub(crate) use outside::OutsideTls;
pub(crate) use provided::{Unprovided, provided};
use verify::Verifier;
pub(crate) use verify::{Role, Trust};

/// Requests, multiplexed.
pub(crate) const ALPN_H2: &[u8] = b"mesh/h2";
/// A request that may become something else, on its own connection.
pub(crate) const ALPN_H1: &[u8] = b"mesh/h1";
/// Bytes.
pub(crate) const ALPN_TCP: &[u8] = b"mesh/tcp";

/// Everything that the library offers, AES-128 first: see `docs/decisions/2026-11-28-mesh-connections-prefer-aes-128.md`.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = aws_lc_rs::default_provider();
    let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
    provider
        .cipher_suites
        .sort_by_key(|suite| suite.suite() != first);
    Arc::new(provider)
});

/// What this proxy can prove, and whom it believes.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: SpiffeId,
    pub(crate) trust: Arc<Trust>,
    leaf: Option<CertificateDer<'static>>,
    key: Arc<SingleCertAndKey>,
}

/// What is used to reach one cluster, by what is spoken to it.
#[derive(Debug, Clone)]
pub(crate) struct ClientTls {
    pub(crate) h2: ClientSide,
    pub(crate) h1: ClientSide,
    pub(crate) tcp: ClientSide,
}

/// For connections that speak one protocol, as one identity.
#[derive(Debug, Clone)]
pub(crate) struct ClientSide {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) local: Arc<str>,
    /// Of the table that it belongs to; 0 where what it proves and believes never changes.
    pub(crate) serial: u64,
    pub(crate) peer: Peer,
}

/// What a server has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A proxy of the mesh.
    Mesh,
    /// Whoever has the name that is asked for; without one, its own address.
    Outside(Option<ServerName<'static>>),
}

/// Who is at the other end of a mesh TLS connection, as it proved when the connection was opened.
#[derive(Debug, Clone)]
pub(crate) struct TlsPeer {
    pub(crate) id: SpiffeId,
    pub(crate) sni: Option<String>,
    pub(crate) alpn: Vec<u8>,
    chain: Vec<CertificateDer<'static>>,
    verified_at: UnixTime,
    /// Of its leaf, in seconds since 1970.
    not_after: u64,
}

impl Identity {
    pub(crate) fn new(svid: &Svid, trust: Arc<Trust>) -> Result<Self, rustls::Error> {
        let key = CertifiedKey::from_der(svid.chain.clone(), svid.key.clone_key(), &PROVIDER)?;
        Ok(Self {
            id: svid.spiffe_id.clone(),
            trust,
            leaf: svid.chain.first().cloned(),
            key: Arc::new(SingleCertAndKey::from(key)),
        })
    }

    /// Proves the same with the same certificate.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.leaf == other.leaf
    }

    /// For an inbound that speaks one of these.
    pub(crate) fn server(&self, alpn: &[&[u8]]) -> Result<Arc<ServerConfig>, rustls::Error> {
        let verifier = Arc::new(Verifier::new(Arc::clone(&self.trust), &PROVIDER, None));
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<SingleCertAndKey>::clone(&self.key);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(resolver);
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }

    /// For a cluster whose servers are these.
    pub(crate) fn client(
        &self,
        servers: &[SpiffeId],
        serial: u64,
    ) -> Result<ClientTls, rustls::Error> {
        let servers = Some(servers.to_vec());
        let verifier = Arc::new(Verifier::new(Arc::clone(&self.trust), &PROVIDER, servers));
        let resolver: Arc<dyn ResolvesClientCert> = Arc::<SingleCertAndKey>::clone(&self.key);
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(resolver);
        config.resumption = Resumption::disabled();
        // Peers are known by their SPIFFE ID; a server name would tell on-lookers what is called.
        config.enable_sni = false;
        let local: Arc<str> = self.id.as_str().into();
        // A server that is declared for bytes takes everything as bytes; its workload will understand.
        let speaking = |alpn: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            ClientSide {
                config: Arc::new(config),
                local: Arc::clone(&local),
                serial,
                peer: Peer::Mesh,
            }
        };
        Ok(ClientTls {
            h2: speaking(&[ALPN_H2, ALPN_TCP]),
            h1: speaking(&[ALPN_H1, ALPN_TCP]),
            tcp: speaking(&[ALPN_TCP]),
        })
    }
}

impl TlsPeer {
    /// Of a connection whose handshake the verifier has let through.
    pub(crate) fn of(connection: &CommonState, sni: Option<&str>) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let chain = connection
            .peer_certificates()
            .ok_or_else(|| invalid("the peer has no certificate"))?;
        let alpn = connection
            .alpn_protocol()
            .ok_or_else(|| invalid("the peer negotiated no protocol"))?;
        let leaf = chain.first().ok_or_else(|| invalid("empty chain"))?;
        let id = verify::spiffe_id(leaf).map_err(|why| invalid(&why.to_string()))?;
        Ok(Self {
            id,
            sni: sni.map(str::to_ascii_lowercase),
            alpn: alpn.to_vec(),
            chain: chain
                .iter()
                .cloned()
                .map(CertificateDer::into_owned)
                .collect(),
            verified_at: UnixTime::now(),
            not_after: verify::not_after(leaf),
        })
    }

    /// Its certificate has ended; it has another one by now, which a new connection shows.
    pub(crate) fn has_ended(&self, now: u64) -> bool {
        now > self.not_after
    }

    /// Would it be believed under this trust too? Time does not count: a connection may outlive its certificates.
    pub(crate) fn is_trusted_by(&self, trust: &Trust, role: Role) -> bool {
        trust
            .verify(&self.chain, self.verified_at, role, &PROVIDER)
            .is_ok()
    }

    /// One line for each mesh TLS connection. `place` is the inbound or the cluster.
    pub(crate) fn log(
        &self,
        direction: Direction,
        local_id: &str,
        place: &str,
        connection: &CommonState,
    ) {
        tracing::info!(
            direction = direction.as_str(),
            local_id,
            tls_version = connection
                .protocol_version()
                .and_then(|version| version.as_str()),
            cipher = connection
                .negotiated_cipher_suite()
                .and_then(|suite| suite.suite().as_str()),
            peer_id = self.id.as_str(),
            inbound = (direction == Direction::Inbound).then_some(place),
            cluster = (direction == Direction::Outbound).then_some(place),
            "connection"
        );
    }

    pub(crate) fn as_peer(&self) -> mesh_bundle::decide::Peer<'_> {
        mesh_bundle::decide::Peer {
            identity: Some(&self.id),
            sni: self.sni.as_deref(),
        }
    }
}
