//! Envoy as the proxies of a service mesh configure it: routes, retries, limits, outlier detection and RBAC; no access log.
//!
//! Never with more work than ours has: what a row measures is on in both.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::Pair;
use crate::app::{HOST, Service};
use crate::certificates::{CLIENT, Certificates, SERVER};
use crate::process::Process;

const API: &str = "type.googleapis.com/envoy.extensions";

/// `two`: HTTP/2 between the two, whatever the client speaks.
pub(super) fn start(
    name: &str,
    envoy: &Path,
    two: bool,
    certificates: &Certificates,
    directory: &Path,
) -> Result<Pair> {
    let octet = 20 + u8::from(two);
    let addresses = Service::ALL.map(|service| {
        let client = ([127, 83, octet, 11], 10_080 + service.offset()).into();
        (service, client)
    });
    let mut processes = Vec::new();
    for role in ["client", "server"] {
        let mut listeners = String::new();
        let mut clusters = String::new();
        for service in Service::ALL {
            let between = two || service == Service::Grpc;
            let host = |last: u8| format!("127.83.{octet}.{last}");
            let (down, up) = match role {
                "client" => ((host(11), 10_080), (host(21), 9_080)),
                _ => ((host(21), 9_080), (HOST.to_string(), 8_080)),
            };
            let of_app = service == Service::Grpc;
            let up_two = if role == "client" { between } else { of_app };
            listeners += &listener(
                service,
                role,
                (&down.0, down.1 + service.offset()),
                certificates,
            );
            clusters += &cluster(
                service,
                role,
                (&up.0, up.1 + service.offset()),
                up_two,
                certificates,
            );
        }
        let text = format!("static_resources:\n  listeners:\n{listeners}  clusters:\n{clusters}");
        let file = directory.join(format!("envoy-{role}-{two}.yaml"));
        std::fs::write(&file, text)?;
        let mut command = Command::new(envoy);
        command.args([
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--config-path",
        ]);
        command.arg(file);
        let process = Process::start(&format!("envoy-{role}-{two}"), &mut command, directory)?;
        process.says("starting main dispatch loop")?;
        processes.push(process);
    }
    Pair::new(name, processes, addresses.to_vec())
}

fn tls(role: &str, certificates: &Certificates) -> String {
    let (context, more, peer) = match role {
        "client" => ("UpstreamTlsContext", "", SERVER),
        _ => (
            "DownstreamTlsContext",
            "require_client_certificate: true, ",
            CLIENT,
        ),
    };
    let file = |name: &str| certificates.path(name);
    format!(
        "{{name: tls, typed_config: {{\"@type\": {API}.transport_sockets.tls.v3.{context}, {more}common_tls_context: {{\
         tls_params: {{tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}}, \
         tls_certificates: [{{certificate_chain: {{filename: {}}}, private_key: {{filename: {}}}}}], \
         validation_context: {{trusted_ca: {{filename: {}}}, match_typed_subject_alt_names: [{{san_type: URI, matcher: {{exact: \"{peer}\"}}}}]}}}}}}}}",
        file(&format!("{role}.pem")),
        file(&format!("{role}.key")),
        file("ca.pem"),
    )
}

fn listener(
    service: Service,
    role: &str,
    (host, port): (&str, u16),
    certificates: &Certificates,
) -> String {
    let name = service.name();
    let rules = format!(
        "rules: {{action: ALLOW, policies: {{web: {{permissions: [{{any: true}}], principals: [{{authenticated: {{principal_name: {{exact: \"{CLIENT}\"}}}}}}]}}}}}}"
    );
    let server = role == "server";
    let filters = match service {
        Service::Tcp => {
            let rbac = format!(
                "{{name: rbac, typed_config: {{\"@type\": {API}.filters.network.rbac.v3.RBAC, stat_prefix: {name}, {rules}}}}}, "
            );
            let rbac = if server { rbac.as_str() } else { "" };
            format!(
                "{rbac}{{name: tcp, typed_config: {{\"@type\": {API}.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: {name}, cluster: {name}}}}}"
            )
        }
        Service::Http | Service::Grpc => {
            let rbac = format!(
                "{{name: rbac, typed_config: {{\"@type\": {API}.filters.http.rbac.v3.RBAC, {rules}}}}}, "
            );
            let (rbac, retries) = match server {
                true => (rbac.as_str(), ""),
                false => (
                    "",
                    ", retry_policy: {retry_on: \"gateway-error,connect-failure,refused-stream\", num_retries: 5}",
                ),
            };
            format!(
                "{{name: http, typed_config: {{\"@type\": {API}.filters.network.http_connection_manager.v3.HttpConnectionManager, \
                 stat_prefix: {name}, route_config: {{virtual_hosts: [{{name: all, domains: [\"*\"], routes: [{{match: {{prefix: /}}, route: {{cluster: {name}, timeout: 15s{retries}}}}}]}}]}}, \
                 http_filters: [{rbac}{{name: router, typed_config: {{\"@type\": {API}.filters.http.router.v3.Router}}}}]}}}}"
            )
        }
    };
    let transport = match server {
        true => format!(", transport_socket: {}", tls(role, certificates)),
        false => String::new(),
    };
    format!(
        "  - {{name: {name}, address: {{socket_address: {{address: {host}, port_value: {port}}}}}, filter_chains: [{{filters: [{filters}]{transport}}}]}}\n"
    )
}

fn cluster(
    service: Service,
    role: &str,
    (host, port): (&str, u16),
    two: bool,
    certificates: &Certificates,
) -> String {
    let name = service.name();
    let transport = match role {
        "client" => format!(", transport_socket: {}", tls(role, certificates)),
        _ => String::new(),
    };
    let protocol = match two && service != Service::Tcp {
        true => format!(
            ", typed_extension_protocol_options: {{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {{\"@type\": {API}.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {{http2_protocol_options: {{}}}}}}}}"
        ),
        false => String::new(),
    };
    let most = 10_000;
    format!(
        "  - {{name: {name}, type: STATIC, connect_timeout: 5s, outlier_detection: {{}}, \
         circuit_breakers: {{thresholds: [{{max_connections: {most}, max_pending_requests: {most}, max_requests: {most}, max_retries: 100}}]}}, \
         load_assignment: {{cluster_name: {name}, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {host}, port_value: {port}}}}}}}}}]}}]}}{transport}{protocol}}}\n"
    )
}
