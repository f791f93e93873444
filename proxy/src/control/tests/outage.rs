//! What lasts when meshd, a certificate or a token does not.

use super::meshd::{FakeMeshd, WEB, configuration, token};
use super::{Running, Store, acked, unix_now};
use crate::control::view::View;
use crate::state::Directory;
use mesh_delivery::Report;
use mesh_delivery::message::Received;
use mesh_delivery::publisher::Wanted;
use std::path::Path;
use std::time::Duration;

/// As the proxy received it.
fn received(
    wanted: &Wanted,
    resources: Vec<(mesh_bundle::Key, mesh_bundle::Resource)>,
) -> Received {
    let encoded = resources.into_iter().map(|(key, resource)| {
        let (digest, bytes) = resource.encode().unwrap();
        (key, (digest, bytes.into()))
    });
    Received {
        revision: wanted.revision().to_owned(),
        root: wanted.root(),
        resources: encoded.collect(),
    }
}

/// A state directory whose control certificate has ended long ago.
async fn outdated(meshd: &FakeMeshd, directory: &Path) {
    let directory = Directory::open(&directory.join("state"), Duration::ZERO).unwrap();
    let store = Store::new(directory);
    store
        .save_membership(&meshd.membership(unix_now() - 60))
        .await;
    let resources = || configuration("web-1", None, 5);
    let wanted = super::meshd::wanted("r1", resources());
    store
        .save_serving(&received(&wanted, resources()), None)
        .await;
}

async fn shows(proxy: &Running, what: impl FnMut(&View) -> bool) {
    let mut view = proxy.view.subscribe();
    let shown = tokio::time::timeout(Duration::from_secs(20), view.wait_for(what)).await;
    shown.expect("in time").unwrap();
}

#[tokio::test]
async fn what_a_disk_did_not_take_is_kept_later() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    let state = directory.path().join("state");
    outdated(&meshd, directory.path()).await;
    let store = Store::new(Directory::open(&state, Duration::ZERO).unwrap());
    let mut restored = store.load(None, None);
    let serving = restored.serving.take().unwrap();
    let mut control = super::control(&meshd, directory.path(), &store, restored);
    std::fs::remove_file(state.join("serving")).unwrap();
    // Taken by a directory, the name of the temporary file cannot be written.
    std::fs::create_dir(state.join("serving.new")).unwrap();
    control.adopt(serving.configuration, None).await.unwrap();
    assert!(store.is_behind() && store.load(None, None).serving.is_none());
    std::fs::remove_dir(state.join("serving.new")).unwrap();
    control.keep().await;
    assert!(!store.is_behind() && store.load(None, None).serving.is_some());
}

#[tokio::test]
async fn a_proxy_goes_on_to_the_next_meshd() {
    let directory = tempfile::tempdir().unwrap();
    let mut one = FakeMeshd::start().await;
    let root = one.want("r1", configuration("web-1", None, 5));
    let mut other = one.twin().await;
    let addresses = vec![one.address.to_string(), other.address.to_string()];
    let mut proxy = Running::with(&one, addresses, directory.path());
    assert_eq!(proxy.world().await.root, root);
    acked(&one.answer().await, root);
    // Whichever it is with, it is with the other one after these two.
    one.stop().await;
    shows(&proxy, |view| view.connected).await;
    one.listen().await;
    other.stop().await;
    let root = one.want("r2", configuration("web-1", None, 6));
    while proxy.world().await.root != root {}
    let held = loop {
        let report = one.reports.recv().await.unwrap();
        if let Report::Connected { hello, .. } = report {
            break hello.root;
        }
    };
    assert!(held.is_some(), "it brings what it holds");
    proxy.kill().await;
}

#[tokio::test]
async fn a_refused_token_does_not_end_a_proxy_that_serves() {
    let directory = tempfile::tempdir().unwrap();
    let meshd = FakeMeshd::start().await;
    outdated(&meshd, directory.path()).await;
    meshd.rule(|rules| rules.refuse_tokens = true);
    let mut proxy = Running::start(&meshd, directory.path());
    assert_eq!(proxy.world().await.revision, "r1");
    shows(&proxy, |view| {
        let trouble = view.trouble.as_deref().unwrap_or_default();
        trouble.contains("this token is spent")
    })
    .await;
    assert!(proxy.view.borrow().applied.is_some());
    meshd.rule(|rules| rules.refuse_tokens = false);
    shows(&proxy, |view| view.connected).await;
    proxy.kill().await;
}

#[tokio::test]
async fn a_meshd_with_another_authority_needs_a_token_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = FakeMeshd::start().await;
    let root = old.want("r1", configuration("web-1", None, 5));
    let proxy = Running::start(&old, directory.path());
    acked(&old.answer().await, root);
    old.stop().await;

    let mut new = FakeMeshd::start_at(old.address).await;
    new.want("r1", configuration("web-1", None, 5));
    shows(&proxy, |view| {
        let trouble = view.trouble.as_deref().unwrap_or_default();
        trouble.contains("trusted")
    })
    .await;
    assert!(
        new.enrolled().is_empty(),
        "the old token was shown to another meshd"
    );

    let fresh = token(directory.path(), "t2", new.pin());
    std::fs::rename(fresh, old.token(directory.path())).unwrap();
    acked(&new.answer().await, root);
    assert_eq!(new.enrolled().len(), 1);
    proxy.kill().await;
}

#[tokio::test]
async fn a_proxy_whose_certificate_has_ended_is_not_ready_until_there_is_another() {
    let directory = tempfile::tempdir().unwrap();
    let mut meshd = FakeMeshd::start().await;
    meshd.rule(|rules| rules.svid_lifetime = 2);
    let root = meshd.want("r1", configuration("web-1", Some(WEB), 5));
    let proxy = Running::start(&meshd, directory.path());
    acked(&meshd.answer().await, root);
    meshd.rule(|rules| rules.refuse_svids = true);
    meshd.until_ready(false).await;
    assert!(
        proxy.view.borrow().applied.is_some(),
        "the configuration stays"
    );
    meshd.rule(|rules| (rules.refuse_svids, rules.svid_lifetime) = (false, 60));
    meshd.until_ready(true).await;
    proxy.kill().await;
}
