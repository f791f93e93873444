use super::sample::{Options, api, bundle, dataplane, identity, project, publish};
use super::*;
use crate::ca;
use crate::state::StateDir;

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    (directory, state)
}

#[test]
fn endpoints_are_named_after_the_inbound() {
    let (_directory, state) = state();
    let published = publish(Options::default(), &state, "one", None);
    let servers = &published.servers[&api()];
    let names: Vec<_> = servers.iter().map(|s| s.endpoint.id.to_string()).collect();
    assert_eq!(
        names,
        ["kri_dp_shop___api-1_main", "kri_dp_shop___api-2_main"]
    );
    assert_eq!(servers[0].endpoint.zone, "default");
    assert!(servers.iter().all(|server| server.healthy));
    let web = &published.proxies[&dataplane("web-1")];
    assert_eq!(web.clusters, BTreeSet::from([api()]));
    assert_eq!(web.serves, BTreeSet::new());
    assert_eq!(published.proxies[&dataplane("api-1")].serves, web.clusters);
    assert_eq!(published.named("shop", "web-1").len(), 1);
    assert_eq!(published.named("other", "web-1").len(), 0);
}

#[test]
fn trust_is_completed_with_the_authorities_of_the_mesh() {
    let (_directory, state) = state();
    let options = Options {
        identity: true,
        ..Options::default()
    };
    let published = publish(options, &state, "one", None);
    let compiled = bundle(options);
    let anchor = published.authorities.get(&identity()).unwrap();
    let anchor = ca::pem(anchor.anchor().unwrap());
    for (kri, proxy) in &published.proxies {
        assert!(proxy.trusted);
        let manifest = proxy.wanted.manifest();
        let digest = manifest.entries[&Key::Trust];
        let before = compiled.proxies[kri].manifest.entries[&Key::Trust];
        assert_ne!(digest, before);
        let bytes = &published.resources[&digest];
        assert_eq!(Digest::of(bytes), digest);
        let Resource::Trust(trust) = Resource::decode(bytes).unwrap() else {
            panic!("not a trust");
        };
        let domain = "shop.example".parse().unwrap();
        assert_eq!(
            trust.anchors,
            BTreeMap::from([(domain, vec![anchor.clone()])])
        );
        assert_eq!(proxy.wanted.root(), manifest.root());
    }
}

#[test]
fn an_authority_that_is_not_published_is_not_trusted() {
    let (_directory, state) = state();
    let mut compiled = bundle(Options {
        identity: true,
        ..Options::default()
    });
    for issuer in compiled.issuers.values_mut() {
        issuer.publish_trust = false;
    }
    let published = project(&compiled, &state, "one", None);
    for (kri, proxy) in &published.proxies {
        assert!(!proxy.trusted);
        assert_eq!(**proxy.wanted.manifest(), compiled.proxies[kri].manifest);
    }
}

#[test]
fn bytes_that_stay_the_same_are_the_same_bytes() {
    let (_directory, state) = state();
    let one = publish(Options::default(), &state, "one", None);
    let changed = Options {
        port: 1,
        ..Options::default()
    };
    let two = publish(changed, &state, "two", Some(&one));
    let mut shared = 0;
    for (digest, bytes) in one.resources.iter() {
        if let Some(same) = two.resources.get(digest) {
            assert_eq!(same.as_ptr(), bytes.as_ptr());
            shared += 1;
        }
    }
    assert_eq!(shared, one.resources.len() - 1);
}
