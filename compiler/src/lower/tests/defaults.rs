//! The default policies: what a mesh has without a word, and how it gets rid of it.

use mesh_bundle::resource::Retry;

use super::breakers::limits;
use super::retries::{requests, retry, told};
use super::*;

#[test]
fn a_mesh_without_policies_has_the_default_ones() {
    let compiled = story("");
    assert_eq!(findings(&compiled), [""; 0]);
    let http = requests(retry(&compiled, "web-1", "api", "http"));
    assert_eq!(told(&http), "5@- 16s@- 25ms@- 250ms@-");
    assert_eq!(http.retry_on.origin, None);
    let Some(Retry::Connections(tcp)) = retry(&compiled, "web-1", "db", "sql") else {
        panic!("no retries of connections");
    };
    assert_eq!(at(&tcp.max_connect_attempts), "5@-");
    let cluster = &config(&compiled, "web-1").clusters[&port("api", "http")];
    assert_eq!(
        limits(cluster.circuit_breaker.as_deref().unwrap()),
        "1024@- 1024@- 1024@- 3@-"
    );
    assert_eq!(cluster.health_check, None);
    let (_, policy) = &config(&compiled, "api-1").inbounds["http"];
    assert_eq!(policy.circuit_breaker, None);
}

#[test]
fn what_a_mesh_skips_it_does_not_have() {
    let check = |skipped: &str, retries: bool, limited: bool| {
        let mesh = format!("type: Mesh\nname: default\nskipCreatingInitialPolicies: {skipped}\n");
        let cast = CAST.replacen("type: Mesh\nname: default\n", &mesh, 1);
        let compiled = compiled_files(&[("cast.yaml", &cast)]);
        assert_eq!(findings(&compiled), [""; 0], "{skipped}");
        let config = config(&compiled, "web-1");
        let api = port("api", "http");
        let found = config.destinations[&api].retry.is_some();
        assert_eq!(found, retries, "{skipped}");
        let found = config.clusters[&api].circuit_breaker.is_some();
        assert_eq!(found, limited, "{skipped}");
    };
    check("[MeshRetry]", false, true);
    check("[MeshCircuitBreaker]", true, false);
    check("['*']", false, false);
    check("[MeshTimeout]", true, true);
}

/// A document takes the place of the default policy of its kind and name, and of no other.
#[test]
fn a_document_of_the_same_name_is_instead_of_a_default_policy() {
    let own = to(
        "MeshRetry",
        "mesh-retry-all-default",
        MESH,
        "{http: {numRetries: 1}}",
    );
    let http = |documents: &[String]| {
        let compiled = carried(documents);
        told(&requests(retry(&compiled, "web-1", "api", "http")))
    };
    assert_eq!(http(&[own]), "1@4 0s@= 25ms@= 250ms@=");
    let other = to(
        "MeshTimeout",
        "mesh-retry-all-default",
        MESH,
        "{idleTimeout: 1h}",
    );
    assert_eq!(http(&[other]), "5@- 16s@- 25ms@- 250ms@-");
}
