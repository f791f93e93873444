//! Whom a captured connection is for, and where it arrives.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::resource::{
    Capture, Inbound, InboundPolicy, IpFamilies, Outbound, Protocol, TlsMode,
};

use super::*;
use crate::tests::pki::Authority;
use crate::tests::site::{kri, origin, service, world};
use crate::world::World;
use crate::{DataPlane, Metrics};

fn inbound(world: &mut World, name: &str, own: &str, workload: &str) {
    let (own, workload): (SocketAddr, SocketAddr) =
        (own.parse().unwrap(), workload.parse().unwrap());
    let inbound = Inbound {
        kri: kri(&format!("kri_dp_default_east__api_{name}")),
        address: own.ip().to_string(),
        port: own.port(),
        workload_address: workload.ip().to_string(),
        workload_port: workload.port(),
        protocol: Protocol::Tcp,
        probe: None,
        origin: origin("dataplanes.yaml", 5),
    };
    let policy = InboundPolicy::new(TlsMode::Disabled, None);
    let config = Arc::make_mut(&mut world.config);
    config.inbounds.insert(name.to_owned(), (inbound, policy));
}

fn capturing(inbound: u16, outbound: u16, families: IpFamilies) -> World {
    let mut world = world("api", None, &Authority::new());
    let some = |port: u16| (port > 0).then_some(port);
    Arc::make_mut(&mut world.config).proxy.capture = Some(Capture {
        inbound_port: some(inbound),
        outbound_port: some(outbound),
        families,
        origin: origin("dataplanes.yaml", 8),
    });
    world
}

#[test]
fn an_inbound_is_meant_by_address_by_port_and_by_its_workload() {
    let mut world = capturing(1, 2, IpFamilies::Dual);
    inbound(&mut world, "a", "10.0.0.3:8080", "10.0.0.3:8080");
    inbound(&mut world, "b", "10.0.0.3:9090", "10.0.0.3:9000");
    inbound(&mut world, "c", "10.0.0.4:9090", "127.0.0.1:9100");
    let table = Table::build(&world).unwrap();
    for (to, expected) in [
        ("10.0.0.3:8080", "10.0.0.3:8080"),
        ("10.0.0.9:8080", "10.0.0.3:8080"),
        ("[2001:db8::1]:8080", "10.0.0.3:8080"),
        ("10.0.0.4:9090", "10.0.0.4:9090"),
        // Past the proxy, to the workload itself.
        ("10.0.0.3:9000", "10.0.0.3:9090"),
        ("10.0.0.9:9090", "unclear"),
        ("10.0.0.3:9100", "unknown"),
        ("10.0.0.3:22", "unknown"),
    ] {
        let found = match meant(&table, Direction::Inbound, to.parse().unwrap()) {
            Meant::Known(bind) => bind.to_string(),
            Meant::Unknown => "unknown".to_owned(),
            Meant::Unclear => "unclear".to_owned(),
        };
        assert_eq!(found, expected, "{to}");
    }
}

#[test]
fn an_outbound_is_meant_by_its_address_alone() {
    let mut world = capturing(1, 2, IpFamilies::Dual);
    let config = Arc::make_mut(&mut world.config);
    let outbound = Outbound {
        address: "241.0.0.7".parse().unwrap(),
        port: 80,
        destination: service("api"),
        captured: true,
        origin: origin("services.yaml", 1),
    };
    config.outbounds.insert("241.0.0.7:80".to_owned(), outbound);
    let destination = mesh_bundle::resource::Destination::new(
        service("api"),
        Protocol::Tcp,
        80,
        crate::tests::site::tcp_traffic(),
        origin("services.yaml", 1),
    );
    config.destinations.insert(service("api"), destination);
    let table = Table::build(&world).unwrap();
    let meant = |to: &str| meant(&table, Direction::Outbound, to.parse().unwrap());
    assert!(matches!(meant("241.0.0.7:80"), Meant::Known(_)));
    assert_eq!(meant("241.0.0.7:81"), Meant::Unknown);
    assert_eq!(meant("241.0.0.8:80"), Meant::Unknown);
}

#[test]
fn nothing_listens_where_traffic_is_captured() {
    let places = |world: &World| {
        let table = Table::build(world).unwrap();
        let places = table.places();
        let places = places
            .keys()
            .map(|place| format!("{:?} {}", place.direction, place.bind));
        places.collect::<Vec<_>>()
    };
    let mut world = capturing(0, 15_001, IpFamilies::Ipv4);
    inbound(&mut world, "a", "10.0.0.3:8080", "10.0.0.3:8081");
    let own = ["Inbound 10.0.0.3:8080", "Outbound 0.0.0.0:15001"];
    assert_eq!(places(&world), own);
    let mut world = capturing(15_006, 0, IpFamilies::Dual);
    inbound(&mut world, "a", "10.0.0.3:8080", "10.0.0.3:8080");
    let both = ["Inbound 0.0.0.0:15006", "Inbound [::]:15006"];
    assert_eq!(places(&world), both);
}

#[tokio::test]
async fn what_is_addressed_to_the_port_itself_goes_nowhere() {
    let free = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let world = capturing(0, port, IpFamilies::Ipv4);
    let metrics = Arc::new(Metrics::new());
    let plane = DataPlane::start(Arc::clone(&metrics), tokio::runtime::Handle::current());
    plane
        .apply(Arc::new(Table::build(&world).unwrap()))
        .await
        .unwrap();
    let closed = tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.read(&mut [0; 1]).unwrap_or(0)
    });
    assert_eq!(closed.await.unwrap(), 0);
    let text = metrics.encode().unwrap();
    assert!(text.contains("refusal=\"not-captured\""), "{text}");
}
