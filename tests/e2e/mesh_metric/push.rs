//! A collector is sent metrics, by whatever protocol its document says.

use std::net::SocketAddr;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use prost::Message as _;

use mesh_tests::{Collector, Delivered, Reply};

use super::{API, SHOWN, application, policy, shop};

/// Every metric of what was delivered, over gRPC or HTTP.
fn metrics(delivered: &[Delivered]) -> Vec<(Vec<KeyValue>, Metric)> {
    let mut found = Vec::new();
    for request in delivered {
        let body = match request.path.ends_with("/Export") {
            true => request.body.slice(5..),
            false => request.body.clone(),
        };
        let export = ExportMetricsServiceRequest::decode(body).expect("OTLP");
        for of_resource in export.resource_metrics {
            let resource = of_resource.resource.expect("a resource").attributes;
            let metrics = of_resource
                .scope_metrics
                .into_iter()
                .flat_map(|scope| scope.metrics);
            found.extend(metrics.map(|metric| (resource.clone(), metric)));
        }
    }
    found
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let pair = attributes.iter().find(|pair| pair.key == key)?;
    match pair.value.clone()?.value? {
        any_value::Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}

fn requests(metrics: &[(Vec<KeyValue>, Metric)]) -> f64 {
    let mut most = 0.0_f64;
    for (_, metric) in metrics {
        if let Some(metric::Data::Sum(sum)) = &metric.data
            && metric.name == "mesh_requests_total"
        {
            assert!(
                sum.is_monotonic && sum.aggregation_temporality == 2,
                "{sum:?}"
            );
            for point in &sum.data_points {
                assert!(
                    point.start_time_unix_nano < point.time_unix_nano,
                    "{point:?}"
                );
                if let Some(number_data_point::Value::AsDouble(value)) = point.value {
                    most = most.max(value);
                }
            }
        }
    }
    most
}

#[tokio::test]
async fn a_collector_is_sent_them() {
    let mesh = shop().await;
    let ip = mesh.inbound("api-1").ip();
    let usual = Reply {
        body: SHOWN.to_owned(),
        ..Reply::default()
    };
    let workload = Collector::saying(SocketAddr::new(ip, 0), usual).await;
    let collector = Collector::start(SocketAddr::new(ip, 0)).await;
    for (protocol, path, delivered_to) in [
        (
            "grpc",
            "",
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        ),
        ("http", ", path: /otlp", "/otlp/v1/metrics"),
    ] {
        let port = collector.address().port();
        let backend = format!(
            "type: MeshOpenTelemetryBackend\nmesh: default\nname: collector\nlabels: {{telemetry: main}}\nspec: {{protocol: {protocol}, endpoint: {{address: {ip}, port: {port}{path}}}}}\n"
        );
        let push = "    backends: [{type: OpenTelemetry, openTelemetry: {refreshInterval: 1s, backendRef: {kind: MeshOpenTelemetryBackend, labels: {telemetry: main}}}}]\n";
        let text = policy("metrics", API, &(application(workload.address()) + push));
        mesh.change(move |repo| {
            repo.write("collector.yaml", &backend);
            repo.write("metrics.yaml", &text);
        })
        .await;
        let before = collector.count();
        for _ in 0..3 {
            assert_eq!(mesh.client("web-1", "api").get("/").await.status, 200);
        }
        let ours = |all: &[Delivered]| -> Vec<Delivered> {
            let ours = all
                .iter()
                .skip(before)
                .filter(|sent| sent.path == delivered_to);
            ours.cloned().collect()
        };
        let sent = collector
            .delivered("three requests", |all| {
                requests(&metrics(&ours(all))) >= 3.0
            })
            .await;
        understood(&metrics(&ours(&sent)));
    }
}

/// What a collector has of the workload and its proxy.
fn understood(sent: &[(Vec<KeyValue>, Metric)]) {
    let named = |name: &str| {
        let found = sent.iter().rev().find(|(_, metric)| metric.name == name);
        found.unwrap_or_else(|| panic!("no {name}")).clone()
    };
    let (resource, orders) = named("orders_total");
    for (key, expected) in [
        ("service.name", "api"),
        ("service.instance.id", "api-1"),
        ("kuma.mesh", "default"),
    ] {
        assert_eq!(
            attribute(&resource, key).as_deref(),
            Some(expected),
            "{resource:?}"
        );
    }
    let Some(metric::Data::Sum(sum)) = orders.data else {
        panic!("{orders:?}")
    };
    assert_eq!(
        attribute(&sum.data_points[0].attributes, "application").as_deref(),
        Some("shop")
    );
    let (_, took) = named("order_seconds");
    let Some(metric::Data::Histogram(histogram)) = took.data else {
        panic!("{took:?}")
    };
    let point = &histogram.data_points[0];
    assert_eq!(
        (
            point.bucket_counts.as_slice(),
            point.explicit_bounds.as_slice()
        ),
        (&[6, 1][..], &[0.5][..])
    );
    assert_eq!((point.count, point.sum), (7, Some(2.5)));
}
