//! What is outside of the mesh, and what is in another zone.

use std::net::SocketAddr;
use std::sync::Arc;

use http::StatusCode;
use mesh_bundle::ValueSource;
use mesh_bundle::resource::external::{
    Authorities, ClientCertificate, ExpectedName, ExternalEndpoint, TlsOrigination, TlsVersion,
    Verification,
};
use mesh_bundle::resource::{External, Filter, Protocol, Rewrite};
use mesh_delivery::message::Secrets;
use rcgen::SanType;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::pki::Authority;
use super::site::{Site, endpoints, service};
use super::wire::{constant_workload, fetch, mirror_workload};

fn endpoint(address: &str, port: u16, priority: u32) -> ExternalEndpoint {
    ExternalEndpoint {
        address: address.to_owned(),
        port,
        priority,
    }
}

/// `api` is outside.
async fn site(external: External) -> Site {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    Site::with(Protocol::Http, nobody, |web, _| {
        let config = Arc::make_mut(&mut web.config);
        let cluster = config.clusters.get_mut(&service("api")).unwrap();
        cluster.identities.clear();
        cluster.external = Some(Box::new(external));
    })
    .await
}

/// Speaks TLS on a port of 127.0.0.1, and to the workload what comes out of it.
async fn front(authority: &Authority, workload: SocketAddr) -> u16 {
    front_for(authority, workload, false).await
}

/// The same, `known`: only to clients that the authority vouches for.
async fn front_for(authority: &Authority, workload: SocketAddr, known: bool) -> u16 {
    let leaf = authority.leaf("spiffe://td/unused", |params| {
        params.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
    });
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match known {
        false => config.with_no_client_auth(),
        true => {
            let mut roots = RootCertStore::empty();
            let pem = authority.pem.as_bytes();
            let certificate = rustls_pki_types::CertificateDer::from_pem_slice(pem);
            roots.add(certificate.unwrap()).unwrap();
            let provider = Arc::new(aws_lc_rs::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = config.with_single_cert(leaf.chain, leaf.key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(tcp).await else {
                    return;
                };
                let mut tcp = TcpStream::connect(workload).await.unwrap();
                drop(copy_bidirectional(&mut tls, &mut tcp).await);
            });
        }
    });
    port
}

fn origination(authority: &Authority) -> TlsOrigination {
    TlsOrigination {
        min_version: TlsVersion::Tls12,
        max_version: TlsVersion::Tls13,
        verification: Verification::Secured,
        server_name: Some("localhost".to_owned()),
        names: Vec::new(),
        authorities: Authorities::Pem(authority.pem.clone()),
        client: None,
    }
}

#[tokio::test]
async fn a_host_outside_is_called_by_its_name_unless_a_route_gives_it_another() {
    let workload = mirror_workload(false).await;
    let relayed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = relayed.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut from, _) = relayed.accept().await.unwrap();
            let mut to = TcpStream::connect(workload).await.unwrap();
            tokio::spawn(async move { drop(copy_bidirectional(&mut from, &mut to).await) });
        }
    });
    let external = External {
        endpoints: vec![endpoint("localhost", port, 0)],
        tls: None,
    };
    let mut site = site(external).await;
    let (status, _, text) = fetch(site.entry, "/a").await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.contains("host: localhost\n"), "{text}");
    let rewrite = Rewrite {
        hostname: Some("other.example".to_owned()),
        path: None,
    };
    let web = &mut site.web;
    web.routes(|routes| routes[0].filters.push(Filter::Rewrite(rewrite)))
        .await;
    let (_, _, text) = fetch(site.entry, "/a").await;
    assert!(text.contains("host: other.example\n"), "{text}");
}

#[tokio::test]
async fn tls_with_a_server_outside_verifies_what_it_is_told_to() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let port = front(&authority, mirror_workload(false).await).await;
    type Change = fn(&mut TlsOrigination, &Authority);
    let table: [(&str, Change, bool); 9] = [
        ("as it is", |_, _| {}, true),
        (
            "1.2 only",
            |tls, _| tls.max_version = TlsVersion::Tls12,
            true,
        ),
        (
            "another name",
            |tls, _| tls.server_name = Some("a.example".to_owned()),
            false,
        ),
        (
            "any name",
            |tls, _| {
                tls.server_name = Some("a.example".to_owned());
                tls.verification = Verification::SkipNames;
            },
            true,
        ),
        (
            "by a stranger",
            |tls, stranger| tls.authorities = Authorities::Pem(stranger.pem.clone()),
            false,
        ),
        (
            "by anybody",
            |tls, stranger| {
                tls.authorities = Authorities::Pem(stranger.pem.clone());
                tls.verification = Verification::SkipChain;
            },
            true,
        ),
        (
            "another name by anybody",
            |tls, _| {
                tls.server_name = Some("a.example".to_owned());
                tls.verification = Verification::SkipChain;
            },
            false,
        ),
        (
            "one of two names",
            |tls, _| {
                tls.server_name = Some("a.example".to_owned());
                tls.names = vec![
                    ExpectedName::Exact("b.example".to_owned()),
                    ExpectedName::Prefix("local".to_owned()),
                ];
            },
            true,
        ),
        (
            "none of the names",
            |tls, _| tls.names = vec![ExpectedName::Prefix("host".to_owned())],
            false,
        ),
    ];
    for (name, change, reached) in table {
        let mut tls = origination(&authority);
        change(&mut tls, &stranger);
        let external = External {
            endpoints: vec![endpoint("127.0.0.1", port, 0)],
            tls: Some(tls),
        };
        let (status, _, text) = fetch(site(external).await.entry, "/").await;
        match reached {
            true => assert_eq!(status, StatusCode::OK, "{name}: {text}"),
            false => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
                assert!(text.contains("identity not trusted"), "{name}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn without_its_secret_a_server_outside_is_not_dialled() {
    let authority = Authority::new();
    let secret = |name: &str| ValueSource::Secret(name.to_owned());
    let client = ClientCertificate {
        certificate: secret("certificate"),
        private_key: secret("key"),
    };
    let tls = TlsOrigination {
        client: Some(client),
        ..origination(&authority)
    };
    let port = front(&authority, mirror_workload(false).await).await;
    let external = External {
        endpoints: vec![endpoint("127.0.0.1", port, 0)],
        tls: Some(tls),
    };
    let site = site(external).await;
    let (status, _, text) = fetch(site.entry, "/").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("not ready"), "{text}");
}

fn pem(kind: &str, der: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n").into_bytes()
}

/// A client that the authority vouches for.
fn client_secrets(authority: &Authority) -> Secrets {
    let leaf = authority.leaf("spiffe://td/client", |_| {});
    let values = [
        ("certificate", pem("CERTIFICATE", &leaf.chain[0])),
        ("key", pem("PRIVATE KEY", leaf.key.secret_der())),
        ("authority", authority.pem.clone().into_bytes()),
    ];
    let values = values.map(|(name, value)| (format!("secret {name}"), Zeroizing::new(value)));
    Secrets(values.into())
}

#[tokio::test]
async fn secrets_make_a_server_outside_reachable_and_new_ones_count_at_once() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let port = front_for(&authority, constant_workload("in").await, true).await;
    let secret = |name: &str| ValueSource::Secret(name.to_owned());
    let tls = TlsOrigination {
        client: Some(ClientCertificate {
            certificate: secret("certificate"),
            private_key: secret("key"),
        }),
        authorities: Authorities::Secret("authority".to_owned()),
        ..origination(&authority)
    };
    let external = External {
        endpoints: vec![endpoint("127.0.0.1", port, 0)],
        tls: Some(tls),
    };
    let mut site = site(external).await;
    let mut told = Vec::new();
    for secrets in [
        Secrets::default(),
        client_secrets(&authority),
        client_secrets(&stranger),
        client_secrets(&authority),
    ] {
        site.web.world.secrets = Arc::new(secrets);
        site.web.apply().await.unwrap();
        told.push(fetch(site.entry, "/").await.0.as_u16());
    }
    assert_eq!(told, [503, 200, 503, 200]);
}

#[tokio::test]
async fn a_higher_number_waits_until_no_lower_one_can_be_reached() {
    let (first, second) = (
        constant_workload("first").await,
        constant_workload("second").await,
    );
    let at = |address: SocketAddr, priority| {
        endpoint(&address.ip().to_string(), address.port(), priority)
    };
    let external = |first| External {
        endpoints: vec![at(second, 7), at(first, 0)],
        tls: None,
    };
    let both = site(external(first)).await;
    for _ in 0..8 {
        assert_eq!(fetch(both.entry, "/").await.2, "first");
    }
    let closed = SocketAddr::new(first.ip(), 1);
    let one = site(external(closed)).await;
    assert_eq!(fetch(one.entry, "/").await.2, "second");
}

#[tokio::test]
async fn the_own_zone_comes_first() {
    let (own, other) = (
        constant_workload("own").await,
        constant_workload("other").await,
    );
    let served = |own: SocketAddr| {
        let mut served = endpoints(&[other, own], false);
        served.endpoints.values_mut().next().unwrap().zone = "west".to_owned();
        served
    };
    let mut site = Site::with(Protocol::Http, own, |web, _| {
        web.endpoints.insert(service("api"), served(own));
    })
    .await;
    for _ in 0..8 {
        assert_eq!(fetch(site.entry, "/").await.2, "own");
    }
    let closed = SocketAddr::new(own.ip(), 1);
    site.web
        .world
        .endpoints
        .insert(service("api"), served(closed));
    site.web.apply().await.unwrap();
    assert_eq!(fetch(site.entry, "/").await.2, "other");
}
