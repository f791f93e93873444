//! A repository as a large user has it, the same on every run: the input of `cargo xtask bench compile`.
//!
//! Never random: document number `i` depends on `i` and the size alone, so that figures of two days compare.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// Files to a directory: nobody keeps ten thousand in one.
const PER_DIRECTORY: usize = 100;
/// Of ten resources: one service, two dataplanes, and policies and routes.
const SERVICES_OF_TEN: usize = 1;
const DATAPLANES_OF_TEN: usize = 2;
/// Services that a workload calls.
const CALLS: usize = 3;
/// Services of one team.
const TEAM: usize = 20;

/// Writes a repository of `resources` resources, each in a file of its own.
pub(super) fn write(root: &Path, resources: usize) -> io::Result<()> {
    let services = services(resources);
    let dataplanes = resources * DATAPLANES_OF_TEN / 10;
    for number in 0..resources {
        let directory = root.join(format!("{:04}", number / PER_DIRECTORY));
        if number % PER_DIRECTORY == 0 {
            fs::create_dir_all(&directory)?;
        }
        let text = document(number, services, dataplanes);
        fs::write(directory.join(format!("{number:06}.yaml")), text)?;
    }
    Ok(())
}

/// How many of so many resources are services.
pub(super) fn services(resources: usize) -> usize {
    (resources * SERVICES_OF_TEN / 10).max(1)
}

fn document(number: usize, services: usize, dataplanes: usize) -> String {
    let Some(number) = number.checked_sub(2) else {
        return [MESH, IDENTITY]
            .get(number)
            .copied()
            .unwrap_or(MESH)
            .to_owned();
    };
    let Some(number) = number.checked_sub(services) else {
        return service(number);
    };
    let Some(number) = number.checked_sub(dataplanes) else {
        return dataplane(number, services);
    };
    let (round, service) = (number / services, number % services);
    match round {
        0 => permission(service, services, "callers", 1),
        1 => permission(service, services, "batch", 2),
        2 => timeout_of_service(service),
        3 => timeout_of_clients(service),
        4 => timeout_of_inbound(service),
        5 if !is_http(service) => connections(service),
        _ => route(service, services, round),
    }
}

const MESH: &str = "type: Mesh\nname: default\n";
const IDENTITY: &str = "\
type: MeshIdentity
mesh: default
name: identity
spec:
  selector:
    dataplane:
      matchLabels: {}
  provider:
    type: Bundled
    bundled:
      insecureAllowSelfSigned: true
      autogenerate:
        enabled: true
";

fn head(kind: &str, name: &str, service: usize) -> String {
    let team = service / TEAM;
    format!("type: {kind}\nmesh: default\nname: {name}\nlabels:\n  team: team-{team}\n")
}

/// Every tenth speaks bytes, the others HTTP.
fn is_http(service: usize) -> bool {
    service % 10 != 9
}

fn protocol(service: usize) -> &'static str {
    match is_http(service) {
        true => "http",
        false => "tcp",
    }
}

fn service(number: usize) -> String {
    let protocol = protocol(number);
    let head = head("MeshService", &format!("svc-{number}"), number);
    format!(
        "{head}spec:
  selector:
    dataplaneLabels:
      matchLabels:
        app: svc-{number}
  ports:
    - name: main
      port: 80
      targetPort: main
      appProtocol: {protocol}
"
    )
}

fn dataplane(number: usize, services: usize) -> String {
    let service = number % services;
    let (high, low) = (number / 250 % 250, number % 250 + 1);
    let address = format!("10.{}.{high}.{low}", number / 62_500);
    let protocol = protocol(service);
    let mut text = head(
        "Dataplane",
        &format!("svc-{service}-{}", number / services),
        service,
    );
    let _ = write!(
        text,
        "  app: svc-{service}
  version: v{}
  kuma.io/workload: svc-{service}
networking:
  address: {address}
  inbound:
    - name: main
      port: 9080
      servicePort: 8080
      protocol: {protocol}
  outbound:
",
        number / services
    );
    for call in 1..=CALLS {
        let _ = write!(
            text,
            "    - address: 127.0.0.1
      port: {}
      backendRef:
        kind: MeshService
        name: svc-{}
        port: 80
",
            10_000 + call,
            called(service, call, services)
        );
    }
    text
}

/// Some services are called by many, most by few.
fn called(service: usize, call: usize, services: usize) -> usize {
    match call {
        1 => service % services.min(20),
        _ => (service * 7 + call * 13) % services,
    }
}

fn permission(service: usize, services: usize, name: &str, step: usize) -> String {
    let head = head(
        "MeshTrafficPermission",
        &format!("svc-{service}-{name}"),
        service,
    );
    let mut text = format!(
        "{head}spec:
  targetRef:
    kind: Dataplane
    labels:
      app: svc-{service}
  rules:
    - default:
        allow:
"
    );
    for caller in 1..=4 {
        let _ = write!(
            text,
            "          - spiffeID:
              type: Exact
              value: spiffe://default.default.mesh.local/workload/svc-{}
",
            (service + caller * step * 11) % services
        );
    }
    text
}

fn timeout_of_service(service: usize) -> String {
    let head = head("MeshTimeout", &format!("svc-{service}"), service);
    format!(
        "{head}spec:
  to:
    - targetRef:
        kind: MeshService
        labels:
          kuma.io/display-name: svc-{service}
      default:
        connectionTimeout: 2s
        http:
          requestTimeout: {}s
",
        service % 20 + 1
    )
}

fn timeout_of_clients(service: usize) -> String {
    let head = head("MeshTimeout", &format!("svc-{service}-clients"), service);
    format!(
        "{head}spec:
  targetRef:
    kind: Dataplane
    labels:
      app: svc-{service}
  to:
    - targetRef:
        kind: Mesh
      default:
        idleTimeout: {}m
",
        service % 5 + 1
    )
}

fn timeout_of_inbound(service: usize) -> String {
    let head = head("MeshTimeout", &format!("svc-{service}-inbound"), service);
    format!(
        "{head}spec:
  targetRef:
    kind: Dataplane
    labels:
      app: svc-{service}
    sectionName: main
  rules:
    - default:
        http:
          requestTimeout: {}s
",
        service % 20 + 2
    )
}

fn connections(service: usize) -> String {
    let head = head("MeshTCPRoute", &format!("svc-{service}-tcp"), service);
    format!(
        "{head}spec:
  to:
    - targetRef:
        kind: MeshService
        labels:
          kuma.io/display-name: svc-{service}
      rules:
        - default:
            backendRefs:
              - kind: MeshService
                labels:
                  kuma.io/display-name: svc-{service}
                port: 80
"
    )
}

fn route(service: usize, services: usize, round: usize) -> String {
    let head = head("MeshHTTPRoute", &format!("svc-{service}-{round}"), service);
    // Requests cannot be sent to what speaks bytes: such a team routes to its neighbour.
    let towards = match is_http(service) {
        true => service,
        false => service - 1,
    };
    let other = service / 10 * 10 % services;
    format!(
        "{head}spec:
  to:
    - targetRef:
        kind: MeshService
        labels:
          kuma.io/display-name: svc-{towards}
      rules:
        - matches:
            - path:
                type: PathPrefix
                value: /v{round}-{service}
              method: GET
            - path:
                type: Exact
                value: /v{round}-{service}/status
          default:
            backendRefs:
              - kind: MeshService
                labels:
                  kuma.io/display-name: svc-{towards}
                port: 80
                weight: 90
              - kind: MeshService
                labels:
                  kuma.io/display-name: svc-{other}
                port: 80
                weight: 10
"
    )
}
