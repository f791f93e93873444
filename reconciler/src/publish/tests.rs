use mesh_bundle::{Key, Resource};

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

/// The next bundle, as the compiler makes it: what is equal is the very same.
fn next(before: &Bundle, options: Options) -> Bundle {
    let mut next = bundle(options);
    for (kri, proxy) in &mut next.proxies {
        let same = before.proxies.get(kri).filter(|old| *old == proxy);
        if let Some(same) = same {
            *proxy = Arc::clone(same);
        }
    }
    next
}

/// Everything that anybody asks of it, as text.
fn told(published: &Published) -> String {
    let mut text = format!("{:#?} {:#?}", published.servers, published.names);
    for (kri, proxy) in &published.proxies {
        let (wanted, secrets) = (&proxy.wanted, proxy.wanted.secrets());
        text += &format!("{kri} {} {} {secrets:?}", wanted.revision(), wanted.root());
        text += &format!("{:#?} {:#?}", wanted.manifest(), **proxy);
        for digest in wanted.manifest().entries.values() {
            text += &format!("{:?}", published.resources[digest]);
        }
    }
    text
}

#[test]
fn what_is_taken_from_the_commit_before_is_what_would_be_made_anew() {
    let (_directory, state) = state();
    let worlds = [
        (0, true, false),
        (1, true, false),
        (1, true, true),
        (1, false, true),
        (0, true, false),
    ];
    let mut compiled: Option<Bundle> = None;
    let mut before: Option<Published> = None;
    let mut shared = 0;
    for (round, (port, identity, sick)) in worlds.into_iter().enumerate() {
        let options = Options {
            agent: false,
            identity,
            sick,
            port,
        };
        let now = match &compiled {
            Some(before) => next(before, options),
            None => bundle(options),
        };
        let revision = format!("round {round}");
        let kept = project(&now, &state, &revision, before.as_ref());
        let anew = project(&now, &state, &revision, None);
        assert_eq!(told(&kept), told(&anew), "{revision}");
        for (kri, proxy) in &kept.proxies {
            let known = before.as_ref().and_then(|before| before.proxies.get(kri));
            let same = known.is_some_and(|known| proxy.is_in(&known.wanted));
            shared += usize::from(same);
        }
        (before, compiled) = (Some(kept), Some(now));
    }
    // Round 1 changes web-1, round 2 api-2, the others everybody.
    assert_eq!(shared, 2 + 2);
}
