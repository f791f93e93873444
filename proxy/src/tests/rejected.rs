//! Worlds that are not understood, and where they say it is.

use std::sync::Arc;

use mesh_bundle::resource::{
    Filter, HeaderModifier, HeaderPair, HttpRoute, PathMatch, Protocol, Traffic,
};

use super::site::{Site, service};
use super::wire::{fetch, mirror_workload};
use crate::{Table, World};

fn edit_route(world: &mut World, edit: fn(&mut HttpRoute)) {
    let config = Arc::make_mut(&mut world.config);
    let destination = config.destinations.get_mut(&service("api")).unwrap();
    if let Traffic::Http { routes } = &mut destination.traffic {
        routes.iter_mut().for_each(edit);
    }
}

fn bad_pattern(world: &mut World) {
    edit_route(world, |route| {
        route.matches.path = Some(PathMatch::Regex("(".to_owned()));
    });
}

fn framing(world: &mut World) {
    edit_route(world, |route| {
        let pair = HeaderPair {
            name: "transfer-encoding".to_owned(),
            value: "chunked".to_owned(),
        };
        let edit = HeaderModifier {
            set: vec![pair],
            ..HeaderModifier::default()
        };
        route.filters = vec![Filter::RequestHeaders(edit)];
    });
}

fn anchor(world: &mut World) {
    let anchors = &mut Arc::make_mut(&mut world.config).trust.anchors;
    for blocks in anchors.values_mut() {
        blocks.push("not a certificate".to_owned());
    }
}

fn other_identity(world: &mut World) {
    let identity = Arc::make_mut(&mut world.config).proxy.identity.as_mut();
    identity.unwrap().spiffe_id = "spiffe://td/workload/other".parse().unwrap();
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_its_place() {
    let site = Site::start(Protocol::Http, mirror_workload(false).await).await;
    let destination = format!("destination/{}", service("api"));
    type Spoil = fn(&mut World);
    let cases: [(Spoil, &str, &str); 4] = [
        (
            bad_pattern,
            &destination,
            "/traffic/routes/0/match/path/value",
        ),
        (framing, &destination, "/traffic/routes/0/filters/0"),
        (anchor, "trust", "/anchors/td/1"),
        (other_identity, "proxy", "/identity/spiffeId"),
    ];
    for (spoil, key, pointer) in cases {
        let mut world = site.web.world.clone();
        spoil(&mut world);
        let why = Table::build(&world).unwrap_err();
        assert_eq!(why.key.unwrap().to_string(), key);
        assert_eq!(why.pointer, pointer);
    }
    assert_eq!(fetch(site.entry, "/").await.0, 200);
}
