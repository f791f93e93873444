use std::sync::Arc;

use bytes::Bytes;
use mesh_bundle::{Digest, Key, Manifest};
use zeroize::Zeroizing;

use super::{Publisher, Unasked, Unpublishable, Wanted};
use crate::bounds;
use crate::message::{Secrets, ToProxy};
use crate::tests::told::all;
use crate::tests::world::{sets, wanted};

fn fresh() -> Publisher {
    Publisher::new(None, None)
}

#[test]
fn a_new_proxy_gets_everything_endpoints_first() {
    let world = wanted(
        "c1",
        &[("proxy", "p"), ("trust", "t")],
        &[("api", "a b"), ("db", "")],
    );
    let mut publisher = fresh();
    assert_eq!(all(&mut publisher), [""; 0]);
    publisher.want(world.clone());
    assert_eq!(
        all(&mut publisher),
        [
            "endpoints api complete +a +b",
            "endpoints db complete",
            "update c1 complete +proxy +trust last",
        ]
    );
    assert!(publisher.awaits_answer() && !publisher.is_settled());
    assert_eq!(publisher.acked(world.root()), Ok("c1".to_owned()));
    assert!(publisher.is_settled());
    assert_eq!(all(&mut publisher), [""; 0]);
}

#[test]
fn secrets_come_first_and_alone_where_only_they_have_changed() {
    let with = |world: &Arc<Wanted>, value: &str| {
        let value = Zeroizing::new(value.as_bytes().to_vec());
        let secrets = Secrets([("secret key".to_owned(), value)].into());
        let wanted = Wanted::clone(world).with_secrets(secrets.into());
        Arc::new(wanted.unwrap())
    };
    let world = wanted("c1", &[("proxy", "p")], &[("api", "a")]);
    let mut publisher = fresh();
    publisher.want(with(&world, "one"));
    let expected = [
        "secrets secret key",
        "endpoints api complete +a",
        "update c1 complete +proxy last",
    ];
    assert_eq!(all(&mut publisher), expected);
    publisher.acked(world.root()).unwrap();
    publisher.want(with(&world, "one"));
    assert_eq!(all(&mut publisher), [""; 0]);
    publisher.want(with(&world, "two"));
    assert_eq!(all(&mut publisher), ["secrets secret key"]);
    // Nothing is needed any more.
    publisher.want(world.clone());
    assert_eq!(all(&mut publisher), ["secrets"]);

    let mut publisher = Publisher::new(Some(world.root()), None);
    publisher.want(with(&world, "one"));
    let expected = ["secrets secret key", "endpoints api complete +a"];
    assert_eq!(all(&mut publisher), expected);

    let many = (0..=bounds::SECRETS).map(|number| (number.to_string(), Zeroizing::default()));
    let many = Secrets(many.collect());
    let refused = Wanted::clone(&world).with_secrets(many.into()).unwrap_err();
    assert_eq!(refused, Unpublishable::TooManySecrets);
}

#[test]
fn a_proxy_that_holds_it_gets_endpoints_only() {
    let world = wanted("c1", &[("proxy", "p")], &[("api", "a")]);
    let mut publisher = Publisher::new(Some(world.root()), None);
    publisher.want(world);
    assert_eq!(all(&mut publisher), ["endpoints api complete +a"]);
    assert!(publisher.is_settled());
    // And the next change is a difference: what it holds is known from then on.
    publisher.want(wanted("c2", &[("trust", "t")], &[("api", "a")]));
    assert_eq!(all(&mut publisher), ["update c2 +trust -proxy last"]);
}

#[test]
fn a_proxy_that_holds_something_unknown_starts_from_nothing() {
    let old = wanted("c1", &[("proxy", "p"), ("trust", "t")], &[]);
    let new = wanted("c2", &[("proxy", "q"), ("trust", "t")], &[]);
    let mut publisher = Publisher::new(Some(old.root()), None);
    publisher.want(new.clone());
    assert_eq!(
        all(&mut publisher),
        ["update c2 complete +proxy +trust last"]
    );

    let known = Some((old.root(), old.manifest().clone()));
    let mut publisher = Publisher::new(Some(old.root()), known.clone());
    publisher.want(new.clone());
    assert_eq!(all(&mut publisher), ["update c2 +proxy last"]);

    // What an earlier session acknowledged is not what the proxy says that it holds.
    let mut publisher = Publisher::new(Some(new.root()), known);
    publisher.want(old);
    assert_eq!(
        all(&mut publisher),
        ["update c1 complete +proxy +trust last"]
    );
}

#[test]
fn what_is_wanted_meanwhile_is_coalesced() {
    let world = |n: usize| wanted(&format!("c{n}"), &[("proxy", &n.to_string())], &[]);
    let mut publisher = fresh();
    publisher.want(world(1));
    assert_eq!(all(&mut publisher), ["update c1 complete +proxy last"]);
    for n in 2..10 {
        publisher.want(world(n));
        assert_eq!(all(&mut publisher), [""; 0], "one change at a time");
    }
    assert_eq!(publisher.acked(world(1).root()), Ok("c1".to_owned()));
    assert_eq!(all(&mut publisher), ["update c9 +proxy last"]);
}

#[test]
fn a_refused_root_is_not_sent_again_until_something_else_is_wanted() {
    let (good, bad) = (
        wanted("c1", &[("proxy", "g")], &[]),
        wanted("c2", &[("proxy", "b")], &[]),
    );
    let mut publisher = fresh();
    publisher.want(good.clone());
    all(&mut publisher);
    publisher.acked(good.root()).unwrap();
    publisher.want(bad.clone());
    assert_eq!(all(&mut publisher), ["update c2 +proxy last"]);
    assert_eq!(publisher.nacked(bad.root()), Ok("c2".to_owned()));
    assert_eq!(all(&mut publisher), [""; 0]);
    assert!(!publisher.is_settled());
    publisher.want(bad.with_endpoints(sets(&[("api", "a")])).into());
    assert_eq!(all(&mut publisher), ["endpoints api complete +a"]);

    publisher.want(wanted("c3", &[("proxy", "x")], &[]));
    assert_eq!(all(&mut publisher), ["update c3 +proxy last"]);
    // Wanted again while the other was under way: it may be sent again.
    publisher.want(bad);
    publisher
        .nacked(wanted("c3", &[("proxy", "x")], &[]).root())
        .unwrap();
    assert_eq!(all(&mut publisher), ["update c2 +proxy last"]);
}

#[test]
fn going_back_to_what_is_held_needs_nothing() {
    let (one, two) = (
        wanted("c1", &[("proxy", "1")], &[]),
        wanted("c2", &[("proxy", "2")], &[]),
    );
    let mut publisher = fresh();
    publisher.want(one.clone());
    all(&mut publisher);
    publisher.acked(one.root()).unwrap();
    publisher.want(two);
    publisher.want(one);
    assert_eq!(all(&mut publisher), [""; 0]);
    // The same files in another commit need nothing either.
    publisher.want(wanted("c3", &[("proxy", "1")], &[]));
    assert_eq!(all(&mut publisher), [""; 0]);
    assert!(publisher.is_settled());
}

#[test]
fn endpoints_are_told_as_differences() {
    let world = wanted("c1", &[("proxy", "p")], &[("api", "a b"), ("db", "d")]);
    let mut publisher = fresh();
    publisher.want(world.clone());
    all(&mut publisher);
    publisher.acked(world.root()).unwrap();
    let told = |publisher: &mut Publisher, clusters: &[(&str, &str)]| {
        publisher.want(world.with_endpoints(sets(clusters)).into());
        all(publisher)
    };
    let same = [("api", "a b"), ("db", "d")];
    assert_eq!(told(&mut publisher, &same), [""; 0]);
    let moved = [("api", "b c"), ("db", "d")];
    assert_eq!(told(&mut publisher, &moved), ["endpoints api +c -a"]);
    let secured = [("api", "b c"), ("db", "d tls")];
    assert_eq!(told(&mut publisher, &secured), ["endpoints db +tls tls"]);
    let empty = [("api", ""), ("db", "d tls")];
    assert_eq!(told(&mut publisher, &empty), ["endpoints api -b -c"]);
}

#[test]
fn endpoints_are_withdrawn_after_the_change_that_no_longer_needs_them() {
    let one = wanted("c1", &[("proxy", "1")], &[("api", "a"), ("old", "o")]);
    let two = wanted("c2", &[("proxy", "2")], &[("api", "a"), ("new", "n")]);
    let mut publisher = fresh();
    publisher.want(one.clone());
    all(&mut publisher);
    publisher.acked(one.root()).unwrap();
    publisher.want(two.clone());
    assert_eq!(
        all(&mut publisher),
        ["endpoints new complete +n", "update c2 +proxy last"]
    );
    publisher.acked(two.root()).unwrap();
    assert_eq!(all(&mut publisher), ["endpoints old complete"]);
    assert_eq!(all(&mut publisher), [""; 0]);
}

#[test]
fn endpoints_of_a_refused_change_withdraw_nothing() {
    let one = wanted("c1", &[("proxy", "1")], &[("old", "o")]);
    let two = wanted("c2", &[("proxy", "2")], &[("new", "n")]);
    let mut publisher = fresh();
    publisher.want(one.clone());
    all(&mut publisher);
    publisher.acked(one.root()).unwrap();
    publisher.want(two.clone());
    all(&mut publisher);
    publisher.nacked(two.root()).unwrap();
    assert_eq!(all(&mut publisher), [""; 0], "the proxy still needs `old`");
    // What comes back starts from nothing, because nothing was said of it meanwhile.
    publisher.want(wanted("c3", &[("proxy", "1")], &[("old", "o2")]));
    assert_eq!(
        all(&mut publisher),
        ["endpoints old complete +o2", "endpoints new complete"]
    );
}

#[test]
fn answers_that_nobody_waits_for_are_violations() {
    let big = "x".repeat(bounds::FRAME);
    let world = wanted("c1", &[("proxy", &big), ("trust", "t")], &[]);
    let root = world.root();
    let mut publisher = fresh();
    assert_eq!(publisher.acked(root), Err(Unasked { root }));
    publisher.want(world);
    assert!(publisher.next_message().is_some());
    assert_eq!(
        publisher.acked(root),
        Err(Unasked { root }),
        "one frame is missing"
    );
    assert!(publisher.next_message().is_some());
    let other = wanted("c2", &[("proxy", "q")], &[]).root();
    assert_eq!(publisher.nacked(other), Err(Unasked { root: other }));
    assert_eq!(publisher.acked(root), Ok("c1".to_owned()));
    assert_eq!(publisher.acked(root), Err(Unasked { root }));
}

#[test]
fn frames_are_bounded_and_what_is_larger_goes_alone() {
    let (small, large) = ("s".repeat(5_000), "l".repeat(50_000));
    let resources: Vec<(String, String)> = (0..7)
        .map(|n| {
            (
                format!("inbound/{n}"),
                format!("{n}{}", if n == 3 { &large } else { &small }),
            )
        })
        .collect();
    let resources: Vec<(&str, &str)> = resources
        .iter()
        .map(|(key, content)| (key.as_str(), content.as_str()))
        .collect();
    let mut publisher = fresh();
    publisher.want(wanted("c1", &resources, &[]));
    assert_eq!(
        all(&mut publisher),
        [
            "update c1 complete +inbound/0 +inbound/1 +inbound/2",
            "update c1 complete +inbound/3",
            "update c1 complete +inbound/4 +inbound/5 +inbound/6 last",
        ]
    );
}

#[test]
fn a_huge_set_of_endpoints_is_cut() {
    let names: Vec<String> = (0..20_000).map(|n| format!("instance-{n}")).collect();
    let mut publisher = fresh();
    publisher.want(wanted("c1", &[], &[("api", &names.join(" "))]));
    let mut upserts = 0;
    let mut complete = Vec::new();
    while let Some(ToProxy::Endpoints(change)) = publisher.next_message() {
        upserts += change.upserts.len();
        complete.push(change.complete);
    }
    assert_eq!(upserts, names.len());
    assert_eq!(complete, [true, false]);
}

#[test]
fn what_cannot_be_delivered_is_not_wanted() {
    let world = |key: &str, length: usize| {
        let bytes = Bytes::from(vec![b'x'; length]);
        let digest = Digest::of(&bytes);
        let entries = [(key.parse().unwrap(), digest)].into();
        let manifest = Arc::new(Manifest { entries });
        let resources = Arc::new([(digest, bytes)].into());
        Wanted::new("c1", manifest, resources, sets(&[])).map(|wanted| wanted.root())
    };
    assert!(world("proxy", bounds::RESOURCE).is_ok());
    let proxy = || Box::new(Key::Proxy);
    let (key, length) = (proxy(), bounds::RESOURCE + 1);
    let large = Unpublishable::TooLarge { key, length };
    assert_eq!(world("proxy", length), Err(large));
    let long = format!("inbound/{}", "x".repeat(bounds::KEY));
    let key = Box::new(long.parse().unwrap());
    assert_eq!(world(&long, 1), Err(Unpublishable::LongKey(key)));

    let held = wanted("c1", &[("proxy", "p")], &[]);
    let nothing = Wanted::new("c1", held.manifest().clone(), Arc::default(), sets(&[]));
    assert_eq!(nothing.unwrap_err(), Unpublishable::Missing(proxy()));
}
