//! Somebody who knocks at an inbound with TLS of his own making.
//!
//! Never checks the server: it looks at what is presented and what is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use x509_parser::extensions::GeneralName;

use crate::client::{Connection, request};
use crate::mint::Identity;
use crate::patience::within;

/// A knock that is prepared.
#[derive(Debug)]
pub struct Probe {
    address: SocketAddr,
    alpn: &'static str,
    identity: Option<Identity>,
    only_tls12: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Knock {
    /// `TLSv1_3`, where a handshake came that far.
    pub version: Option<String>,
    /// The cipher suite, where a handshake came that far.
    pub cipher: Option<String>,
    /// URI names of the certificate that the server presented.
    pub presented: Vec<String>,
    /// Serial number of that certificate.
    pub serial: Vec<u8>,
    /// Key identifier of the authority that signed it.
    pub signed_by: Option<Vec<u8>>,
    /// What was answered, or why nothing was.
    pub outcome: Result<String, String>,
}

impl Knock {
    /// True when not a byte of an answer came.
    #[must_use]
    pub fn refused(&self) -> bool {
        self.outcome.is_err()
    }
}

impl Probe {
    /// Without a certificate, asking for requests.
    #[must_use]
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            alpn: "mesh/h2",
            identity: None,
            only_tls12: false,
        }
    }

    /// With a certificate.
    #[must_use]
    pub fn with(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Asking for another protocol.
    #[must_use]
    pub fn speaking(mut self, alpn: &'static str) -> Self {
        self.alpn = alpn;
        self
    }

    /// As a client that knows nothing newer than TLS 1.2.
    #[must_use]
    pub fn only_tls12(mut self) -> Self {
        self.only_tls12 = true;
        self
    }

    /// Knocks.
    pub async fn knock(self) -> Knock {
        let mut knock = Knock {
            version: None,
            cipher: None,
            presented: Vec::new(),
            serial: Vec::new(),
            signed_by: None,
            outcome: Ok(String::new()),
        };
        let alpn = self.alpn;
        // A TLS stream is large; it lives on the heap.
        let outcome = Box::pin(async {
            let stream = self.handshake().await?;
            knock.look_at(&stream);
            ask(stream, alpn).await
        });
        knock.outcome = within("the end of a knock", outcome).await;
        knock
    }

    async fn handshake(self) -> Result<TlsStream<TcpStream>, String> {
        let stream = TcpStream::connect(self.address).await;
        let stream = stream.map_err(|error| format!("connect: {error}"))?;
        let versions: &[_] = if self.only_tls12 {
            &[&rustls::version::TLS12]
        } else {
            &[&rustls::version::TLS13]
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let looks = Arc::new(LooksOnly(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(looks);
        let mut config = match self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| error.to_string())?,
        };
        config.alpn_protocols = vec![self.alpn.as_bytes().to_vec()];
        let name = ServerName::try_from("mesh.test").map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await;
        stream.map_err(|error| format!("handshake: {error}"))
    }
}

impl Knock {
    fn look_at(&mut self, stream: &TlsStream<TcpStream>) {
        let (_, connection) = stream.get_ref();
        self.version = connection
            .protocol_version()
            .map(|version| format!("{version:?}"));
        self.cipher = connection
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()));
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        let Some(Ok((_, leaf))) = leaf.map(|leaf| x509_parser::parse_x509_certificate(leaf)) else {
            return;
        };
        self.serial = leaf.raw_serial().to_vec();
        if let Ok(Some(names)) = leaf.subject_alternative_name() {
            let uris = names
                .value
                .general_names
                .iter()
                .filter_map(|name| match name {
                    GeneralName::URI(uri) => Some((*uri).to_owned()),
                    _ => None,
                });
            self.presented = uris.collect();
        }
        self.signed_by =
            leaf.iter_extensions()
                .find_map(|extension| match extension.parsed_extension() {
                    x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier(authority) => {
                        authority.key_identifier.as_ref().map(|key| key.0.to_vec())
                    }
                    _ => None,
                });
    }
}

/// In TLS 1.3 a server refuses a client's certificate after the client has finished: only an answer shows that it did not.
async fn ask(mut stream: TlsStream<TcpStream>, alpn: &str) -> Result<String, String> {
    if alpn == "mesh/h2" {
        let mut connection = Connection::http2_over(stream).await?;
        let answer = connection.send(request("GET", "/", "")).await?;
        return Ok(format!("{} {}", answer.status, answer.text()));
    }
    let mut buffer = vec![0; 1024];
    let read = stream.read(&mut buffer).await;
    match read.map_err(|error| error.to_string())? {
        0 => Err("closed without a byte".to_owned()),
        count => Ok(String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned()),
    }
}

/// Takes every certificate: a prober wants to see, not to trust.
#[derive(Debug)]
struct LooksOnly(Arc<CryptoProvider>);

impl ServerCertVerifier for LooksOnly {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
