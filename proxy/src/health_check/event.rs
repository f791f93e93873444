//! The file of health events: one line of JSON each, with the names of Envoy's `HealthCheckEvent`, which tools read.
//!
//! Never says more than once what did not change, unless the policy asks for every failure.

use mesh_bundle::resource::Probe;
use serde_json::{Map, Value, json};

use crate::access_log::EventFile;
use crate::table::{ClusterTable, Instance};

/// Tells of a probe: whether it changed what is taken for true, and whether its failure is to be told.
pub(super) fn tell(
    events: &EventFile,
    (cluster, instance): (&ClusterTable, &Instance),
    change: Option<bool>,
    failed: bool,
) {
    let probe = cluster.health_check.as_ref().map(|check| &check.probe);
    let Some(probe) = probe else { return };
    let failure = failed.then_some((
        "health_check_failure_event",
        json!({"failure_type": "ACTIVE"}),
    ));
    let change = change.map(|well| match well {
        true => ("add_healthy_event", json!({})),
        false => ("eject_unhealthy_event", json!({"failure_type": "ACTIVE"})),
    });
    for (name, value) in [failure, change].into_iter().flatten() {
        events.put(|timestamp| line(probe, (cluster, instance), timestamp, (name, value)));
    }
}

fn line(
    probe: &Probe,
    (cluster, instance): (&ClusterTable, &Instance),
    timestamp: String,
    (name, value): (&str, Value),
) -> String {
    let checker = match probe {
        Probe::Tcp(_) => "TCP",
        Probe::Http(_) => "HTTP",
        Probe::Grpc(_) => "GRPC",
    };
    let address = json!({"protocol": "TCP", "address": instance.host, "port_value": instance.port});
    let event = [
        ("health_checker_type".to_owned(), checker.into()),
        ("host".to_owned(), json!({"socket_address": address})),
        ("cluster_name".to_owned(), (*cluster.label).into()),
        ("timestamp".to_owned(), timestamp.into()),
        (name.to_owned(), value),
    ];
    format!("{}\n", Value::Object(Map::from_iter(event)))
}
