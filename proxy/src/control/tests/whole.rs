//! Both sides of the proxy together: listeners are there when a verified configuration is, and not before.

use super::meshd::{FakeMeshd, cluster, configuration, kri};
use super::{Control, Settings, Store, View, acked};
use crate::dataplane::DataPlane;
use crate::enroll::Claim;
use crate::metrics::Metrics;
use crate::state::{Directory, Restored};
use mesh_bundle::resource::{Destination, Outbound, Protocol, TcpRoute, Traffic, WeightedBackend};
use mesh_bundle::{Key, Origin, Resource};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The configuration of `web-1` with a listener on `port` that leads to the cluster, as TCP.
fn with_outbound(port: u16) -> Vec<(Key, Resource)> {
    let origin = Origin {
        resource: kri("kri_dp_default_zone__web-1_"),
        file: "web.yaml".to_owned(),
        line: 7,
    };
    let outbound = Outbound {
        address: [127, 0, 0, 1].into(),
        port,
        destination: cluster(),
        captured: false,
        origin: origin.clone(),
    };
    let backend = WeightedBackend {
        cluster: Some(cluster()),
        weight: 1,
        origin: origin.clone(),
    };
    let traffic = Traffic::Tcp {
        route: TcpRoute {
            kri: cluster(),
            backends: vec![backend],
            origin: origin.clone(),
        },
    };
    let destination = Destination::new(cluster(), Protocol::Tcp, 80, traffic, origin);
    let mut resources = configuration("web-1", None, 5);
    for (_, resource) in &mut resources {
        if let Resource::Cluster(cluster) = resource {
            cluster.protocol = Protocol::Tcp;
        }
    }
    let name = format!("127.0.0.1:{port}");
    resources.push((Key::Outbound(name), Resource::Outbound(outbound)));
    resources.push((
        Key::Destination(cluster()),
        Resource::Destination(destination),
    ));
    resources
}

#[tokio::test]
async fn nothing_listens_before_there_is_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = free.local_addr().unwrap();
    drop(free);

    let mut meshd = FakeMeshd::start().await;
    let state = Directory::open(&directory.path().join("state"), Duration::ZERO).unwrap();
    let metrics = Arc::new(Metrics::new());
    let plane = DataPlane::start(metrics, tokio::runtime::Handle::current());
    let settings = Settings {
        meshd: vec![meshd.address.to_string()],
        token_file: meshd.token(directory.path()),
        pin: None,
        claim: Claim::default(),
        agent: None,
    };
    let view = watch::Sender::new(View::default());
    let restored = Restored::default();
    let control = Control::new(
        settings,
        Store::new(state),
        Arc::new(plane),
        view.clone(),
        restored,
    );
    let control = tokio::spawn(control.run());
    view.subscribe()
        .wait_for(|view| view.connected)
        .await
        .unwrap();
    assert!(TcpStream::connect(place).await.is_err(), "open too early");

    let root = meshd.want("r1", with_outbound(place.port()));
    meshd.want_endpoints(&[upstream.local_addr().unwrap().port()]);
    acked(&meshd.answer().await, root);
    let mut client = TcpStream::connect(place).await.unwrap();
    client.write_all(b"ping").await.unwrap();
    let (mut server, _) = upstream.accept().await.unwrap();
    let mut heard = [0; 4];
    server.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"ping");
    control.abort();
}
