//! Parts of the bundle, and what a proxy that does not know one of their fields says.

use serde_json::{Value, json};

use super::*;

/// What a proxy cannot understand it must not half obey: every object refuses a field that it does not know.
#[test]
fn what_is_added_to_any_part_is_refused() {
    let documents = [
        to(
            "MeshRetry",
            "r",
            MESH,
            "{http: {rateLimitedBackOff: {resetHeaders: [{name: a, format: Seconds}]}, retriableResponseHeaders: [{name: a, type: Present}], hostSelection: [{predicate: OmitPreviousHosts}]}}",
        ),
        to(
            "MeshCircuitBreaker",
            "b",
            MESH,
            "{outlierDetection: {detectors: {successRate: {}, failurePercentage: {}}}}",
        ),
        to("MeshHealthCheck", "h", MESH, "{http: {}, tcp: {}}"),
    ];
    let compiled = carried(&documents);
    let about =
        |resource: &&Resource| matches!(resource, Resource::Destination(_) | Resource::Cluster(_));
    let resources = compiled.bundle.resources.values().map(AsRef::as_ref);
    let resources = resources.filter(about);
    let mut tried = 0;
    for resource in resources {
        let whole = serde_json::to_value(resource).unwrap();
        let parts = ["/retry", "/circuitBreaker", "/healthCheck"];
        let mut places = Vec::new();
        for part in parts {
            if let Some(value) = whole.pointer(part) {
                objects(value, part, &mut places);
            }
        }
        for place in places {
            let mut changed = whole.clone();
            changed.pointer_mut(&place).unwrap()["surprise"] = json!(1);
            let bytes = serde_json::to_vec(&changed).unwrap();
            assert!(Resource::decode(&bytes).is_err(), "{place}");
            tried += 1;
        }
        let (_, bytes) = resource.encode().unwrap();
        assert_eq!(Resource::decode(&bytes).unwrap(), *resource);
    }
    assert!(tried > 50, "{tried}");
}

/// The places of all objects that are not maps of names.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            for (name, value) in fields {
                objects(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}
