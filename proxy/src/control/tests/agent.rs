//! Identities whose certificates an agent gives, and meshd none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mesh_bundle::resource::IdentityAgent;
use mesh_bundle::{Key, Resource};
use mesh_delivery::Report;

use super::meshd::{FakeMeshd, WEB, configuration};
use super::{Ca, Running, World, acked};
use crate::workload_api::tests::{Says, Standin, gives};

const OTHER: &str = "spiffe://default.local/workload/other";

/// As a `MeshIdentity` with the provider `Spire` makes it.
fn by_agent(timeout: u64, wait: u64) -> Vec<(Key, Resource)> {
    let mut resources = configuration("web-1", Some(WEB), timeout);
    for (_, resource) in &mut resources {
        if let Resource::Proxy(proxy) = resource {
            let identity = proxy.identity.as_mut().unwrap();
            identity.lifetime = mesh_bundle::Duration::from_secs(0);
            let timeout = mesh_bundle::Duration::from_millis(wait);
            identity.agent = Some(IdentityAgent { timeout });
        }
    }
    resources
}

fn beside(meshd: &FakeMeshd, directory: &Path, socket: &Path) -> Running {
    let addresses = vec![meshd.address.to_string()];
    Running::beside(meshd, addresses, directory, Some(socket.to_owned()))
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    (directory, socket)
}

fn leaf(world: &World) -> Vec<u8> {
    world.svid.as_ref().unwrap().chain[0].to_vec()
}

/// Waits until it has kept what it holds, and ends it.
async fn end(proxy: Running, world: &World) {
    let mut view = proxy.view.subscribe();
    let held = view.wait_for(|view| {
        let applied = view.applied.as_ref();
        applied.is_some_and(|applied| {
            applied.world.svid.is_some() && leaf(&applied.world) == leaf(world)
        })
    });
    let held = tokio::time::timeout(Duration::from_secs(20), held).await;
    drop(held.expect("in time").unwrap());
    proxy.kill().await;
}

fn nacked(report: Report, words: &[&str]) {
    let Report::Nacked { reason, .. } = report else {
        panic!("{report:?}");
    };
    for words in words {
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn the_agent_gives_what_meshd_does_not() {
    let (directory, socket) = place();
    let ca = Ca::new("spire");
    let agent = Standin::start(&socket, gives(&ca, WEB));
    let mut meshd = FakeMeshd::start().await;
    let root = meshd.want("r1", by_agent(5, 3_000));
    let mut proxy = beside(&meshd, directory.path(), &socket);
    let world = proxy.world().await;
    acked(&meshd.answer().await, root);
    meshd.until_ready(true).await;
    let svid = world.svid.as_ref().unwrap();
    assert_eq!(svid.spiffe_id.as_str(), WEB);
    assert_eq!(svid.anchors, std::slice::from_ref(&ca.certificate));
    assert!(meshd.issued.try_recv().is_err(), "meshd was asked too");
    // The agent is asked again after a restart: its key is nowhere.
    let kept = std::fs::read_to_string(directory.path().join("state/serving")).unwrap();
    assert!(!kept.contains("svid\":{"), "{kept}");

    // The next one is taken over, whether meshd is there or not.
    agent.say(gives(&ca, WEB));
    let second = proxy.world().await;
    assert_ne!(leaf(&world), leaf(&second));
    meshd.stop().await;
    agent.say(gives(&ca, WEB));
    let third = proxy.world().await;
    assert_ne!(leaf(&second), leaf(&third));
    // What it says of others takes nothing away, nor does its end.
    agent.say(gives(&ca, OTHER));
    agent.stop().await;
    let agent = Standin::start(&socket, gives(&ca, WEB));
    let fourth = proxy.world().await;
    assert_ne!(leaf(&third), leaf(&fourth));
    assert_eq!(fourth.root, root);
    end(proxy, &fourth).await;

    // A restart beside the agent needs no meshd.
    let mut proxy = beside(&meshd, directory.path(), &socket);
    let again = proxy.world().await;
    assert_eq!((again.root, leaf(&again)), (root, leaf(&fourth)));
    end(proxy, &again).await;
    // Without the agent it serves what needs no certificate, says so, and takes one as soon as there is one.
    agent.stop().await;
    std::fs::remove_file(&socket).unwrap();
    let mut proxy = beside(&meshd, directory.path(), &socket);
    assert!(proxy.world().await.svid.is_none());
    let mut view = proxy.view.subscribe();
    let unready = view.wait_for(|view| view.unready(0) == Some("there is no certificate yet"));
    let unready = tokio::time::timeout(Duration::from_secs(20), unready).await;
    drop(unready.expect("in time").unwrap());
    let _agent = Standin::start(&socket, gives(&ca, WEB));
    assert_eq!(proxy.world().await.svid.unwrap().spiffe_id.as_str(), WEB);
    proxy.kill().await;
}

#[tokio::test]
async fn a_configuration_waits_for_the_agent_and_not_for_ever() {
    let (directory, socket) = place();
    let ca = Ca::new("spire");
    let mut meshd = FakeMeshd::start().await;
    let plain = meshd.want("r1", configuration("web-1", None, 5));
    let mut proxy = beside(&meshd, directory.path(), &socket);
    acked(&meshd.answer().await, plain);
    assert_eq!(proxy.world().await.root, plain);
    // There is no socket.
    meshd.want("r2", by_agent(5, 100));
    nacked(
        meshd.answer().await,
        &[WEB, "agent.sock: the socket cannot"],
    );
    // There is one, and it says nothing.
    let agent = Standin::start(&socket, Says::Nothing);
    meshd.want("r3", by_agent(6, 100));
    nacked(meshd.answer().await, &[WEB]);
    // It gives what was not asked for.
    agent.say(gives(&ca, OTHER));
    meshd.want("r4", by_agent(7, 1_000));
    nacked(meshd.answer().await, &[WEB, OTHER]);
    // It gives what was: the same is offered again, and taken.
    agent.say(gives(&ca, WEB));
    let good = meshd.want("r5", by_agent(8, 30_000));
    loop {
        match meshd.answer().await {
            Report::Nacked { .. } => {}
            report => break acked(&report, good),
        }
    }
    assert_eq!(proxy.world().await.root, good);
    proxy.kill().await;
}
