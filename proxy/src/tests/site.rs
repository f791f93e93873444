//! A client's proxy, a server's proxy, and the worlds that they are given.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mesh_bundle::resource::{
    Cluster, Destination, HttpRoute, Inbound, InboundPolicy, Outbound, PeerMatch, PermissionRule,
    Permissions, Protocol, Proxy, SpiffeMatch, TcpRoute, TlsMode, Traffic, Trust, WeightedBackend,
    WorkloadIdentity,
};
use mesh_bundle::{Digest, Duration, Kri, Origin, ProxyConfig, ProxyWide, Sourced};
use mesh_delivery::message::{ClusterEndpoints, Endpoint};

use super::pki::Authority;
use crate::world::{Rejected, World};
use crate::{DataPlane, Metrics, Table};

pub(crate) const WEB: &str = "spiffe://td/workload/web";
pub(crate) const API: &str = "spiffe://td/workload/api";

/// One proxy, and the world that it was given last.
pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) plane: DataPlane,
    pub(crate) metrics: Arc<Metrics>,
}

/// Web calls api through both of their proxies.
pub(crate) struct Site {
    pub(crate) authority: Authority,
    pub(crate) web: Node,
    pub(crate) api: Node,
    /// Where the workload web connects to.
    pub(crate) entry: SocketAddr,
    /// Where peers of api connect to.
    pub(crate) inbound: SocketAddr,
}

/// An address that no other test of this machine listens on.
pub(crate) fn address(port: u16) -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id() % 60_000;
    let [_, _, high, low] = process.to_be_bytes();
    let ip = Ipv4Addr::new(
        127,
        high.wrapping_add(1) % 254 + 1,
        low,
        u8::try_from(next % 250 + 2).unwrap(),
    );
    SocketAddr::new(ip.into(), port + u16::try_from(next / 250).unwrap())
}

pub(crate) fn kri(text: &str) -> Kri {
    text.parse().unwrap()
}

pub(crate) fn origin(file: &str, line: u32) -> Origin {
    Origin {
        resource: kri("kri_mtp_default___api-clients_"),
        file: file.to_owned(),
        line,
    }
}

fn identity(id: &str) -> WorkloadIdentity {
    WorkloadIdentity {
        spiffe_id: id.parse().unwrap(),
        issuer: kri("kri_mid_default___identity_"),
        lifetime: Duration::from_secs(3_600),
        agent: None,
        origin: origin("mesh/identity.yaml", 1),
    }
}

pub(crate) fn allow(id: &str) -> Permissions {
    let peer = PeerMatch {
        spiffe_id: Some(SpiffeMatch::Exact(id.parse().unwrap())),
        sni: None,
    };
    Permissions {
        deny: Vec::new(),
        allow: vec![PermissionRule {
            peer,
            origin: origin("policies/api.yaml", 7),
        }],
        allow_with_shadow_deny: Vec::new(),
        unmatched: origin("policies/api.yaml", 3),
    }
}

pub(crate) fn deny_all() -> Permissions {
    Permissions {
        deny: Vec::new(),
        allow: Vec::new(),
        allow_with_shadow_deny: Vec::new(),
        unmatched: origin("policies/closed.yaml", 9),
    }
}

pub(crate) fn world(name: &str, id: Option<&str>, authority: &Authority) -> World {
    let config = ProxyConfig {
        proxy: Proxy {
            kri: kri(&format!("kri_dp_default_east__{name}_")),
            zone: "east".to_owned(),
            address: None,
            workload: None,
            capture: None,
            identity: id.map(identity),
            origin: origin("dataplanes.yaml", 1),
        },
        trust: Trust {
            anchors: BTreeMap::from([("td".parse().unwrap(), vec![authority.pem.clone()])]),
            revoked: Vec::new(),
        },
        inbounds: BTreeMap::new(),
        outbounds: BTreeMap::new(),
        destinations: BTreeMap::new(),
        clusters: BTreeMap::new(),
        wide: ProxyWide::default(),
    };
    World {
        config: Arc::new(config),
        revision: "c3d1".to_owned(),
        root: Digest::of(b"root"),
        endpoints: BTreeMap::new(),
        secrets: Arc::default(),
        svid: id.map(|id| authority.svid(id)),
    }
}

pub(crate) fn service(name: &str) -> Kri {
    kri(&format!("kri_msvc_default_east__{name}_http"))
}

pub(crate) fn backend(name: &str, weight: u32) -> WeightedBackend {
    WeightedBackend {
        cluster: Some(service(name)),
        weight,
        origin: origin("routes.yaml", 5),
    }
}

pub(crate) fn route(backends: Vec<WeightedBackend>) -> HttpRoute {
    let rule = kri("kri_mhr_default___api_rule_0");
    HttpRoute::new(rule, backends, origin("routes.yaml", 4))
}

pub(crate) fn endpoints(addresses: &[SocketAddr], tls_ready: bool) -> ClusterEndpoints {
    let endpoint = |(index, address): (usize, &SocketAddr)| {
        let id = kri(&format!("kri_dp_default_east__api-{index}_http"));
        let endpoint = Endpoint {
            id: id.clone(),
            address: address.ip().to_string(),
            port: address.port(),
            zone: "east".to_owned(),
            labels: BTreeMap::new(),
        };
        (id, endpoint)
    };
    ClusterEndpoints {
        endpoints: addresses.iter().enumerate().map(endpoint).collect(),
        tls_ready,
    }
}

impl Node {
    async fn start(world: World) -> Self {
        let metrics = Arc::new(Metrics::new());
        let runtime = tokio::runtime::Handle::current();
        let plane = DataPlane::start(Arc::clone(&metrics), runtime);
        let node = Self {
            world,
            plane,
            metrics,
        };
        node.apply().await.unwrap();
        node
    }

    pub(crate) async fn apply(&self) -> Result<(), Rejected> {
        self.plane.apply(Arc::new(Table::build(&self.world)?)).await
    }

    /// Changes the configuration and applies it.
    pub(crate) async fn change(&mut self, change: impl FnOnce(&mut ProxyConfig)) {
        change(Arc::make_mut(&mut self.world.config));
        self.apply().await.unwrap();
    }

    pub(crate) async fn policy(&mut self, change: impl FnOnce(&mut InboundPolicy)) {
        self.change(|config| change(&mut config.inbounds.get_mut("http").unwrap().1))
            .await;
    }

    pub(crate) async fn routes(&mut self, change: impl FnOnce(&mut Vec<HttpRoute>)) {
        self.change(|config| {
            let destination = config.destinations.get_mut(&service("api")).unwrap();
            let Traffic::Http { routes } = &mut destination.traffic else {
                panic!("not HTTP")
            };
            change(routes);
        })
        .await;
    }

    /// Adds a service that routes may lead to.
    pub(crate) async fn cluster(&mut self, name: &str, addresses: &[SocketAddr], tls: bool) {
        self.world
            .endpoints
            .insert(service(name), endpoints(addresses, tls));
        let added = cluster(name, Protocol::Http);
        self.change(|config| drop(config.clusters.insert(service(name), added)))
            .await;
    }
}

fn cluster(name: &str, protocol: Protocol) -> Cluster {
    Cluster {
        identities: vec![API.parse().unwrap()],
        connect_timeout: Sourced::built_in(Duration::from_secs(2)),
        ..Cluster::new(service(name), protocol, origin("services.yaml", 1))
    }
}

impl Site {
    /// Strict mutual TLS, web permitted.
    pub(crate) async fn start(protocol: Protocol, workload: SocketAddr) -> Self {
        Self::with(protocol, workload, |_, _| {}).await
    }

    pub(crate) async fn with(
        protocol: Protocol,
        workload: SocketAddr,
        change: impl FnOnce(&mut World, &mut World),
    ) -> Self {
        let authority = Authority::new();
        let (entry, inbound) = (address(10_080), address(9_080));
        let mut api = world("api", Some(API), &authority);
        let listener = Inbound {
            kri: kri("kri_dp_default_east__api_http"),
            address: inbound.ip().to_string(),
            port: inbound.port(),
            workload_address: workload.ip().to_string(),
            workload_port: workload.port(),
            protocol,
            probe: None,
            origin: origin("dataplanes.yaml", 5),
        };
        let policy = InboundPolicy::new(TlsMode::Strict, Some(allow(WEB)));
        let config = Arc::make_mut(&mut api.config);
        config
            .inbounds
            .insert("http".to_owned(), (listener, policy));
        let mut web = world("web", Some(WEB), &authority);
        web.endpoints
            .insert(service("api"), endpoints(&[inbound], true));
        let config = Arc::make_mut(&mut web.config);
        let outbound = Outbound {
            address: entry.ip(),
            port: entry.port(),
            destination: service("api"),
            captured: false,
            origin: origin("dataplanes.yaml", 9),
        };
        config.outbounds.insert(entry.to_string(), outbound);
        config
            .clusters
            .insert(service("api"), cluster("api", protocol));
        config
            .destinations
            .insert(service("api"), destination(protocol));
        change(&mut web, &mut api);
        Self {
            authority,
            api: Node::start(api).await,
            web: Node::start(web).await,
            entry,
            inbound,
        }
    }
}

pub(crate) fn tcp_traffic() -> Traffic {
    Traffic::Tcp {
        route: TcpRoute {
            kri: service("api"),
            backends: vec![backend("api", 1)],
            origin: origin("services.yaml", 1),
        },
    }
}

fn destination(protocol: Protocol) -> Destination {
    let traffic = match protocol.is_http() {
        true => Traffic::Http {
            routes: vec![route(vec![backend("api", 1)])],
        },
        false => tcp_traffic(),
    };
    let origin = origin("services.yaml", 1);
    Destination::new(service("api"), protocol, 80, traffic, origin)
}
