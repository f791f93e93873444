//! Our own proxies, configured by a real meshd from a real repository.
//!
//! Never a configuration that a user could not write.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Pair;
use crate::app::{HOST, Service};
use crate::options::Options;
use crate::process::{Process, run};

const MESHD: &str = "127.83.0.1:5680";

/// What the configuration of a pair holds beside what every pair has.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Size {
    /// Which its client can reach; none of them has an instance.
    pub(crate) services: usize,
    /// Rules of the route that requests do not match, and that are tried before the one that they do.
    pub(crate) routes: usize,
}

/// A pair of each build; the first is the one that is measured.
pub(super) fn start(options: &Options, directory: &Path) -> Result<Vec<Pair>> {
    let mut builds = vec![("mesh", &options.proxy, Size::default())];
    let other = options.against.as_ref();
    builds.extend(other.map(|other| ("mesh, the other build", other, Size::default())));
    start_each(options, &builds, directory)
}

/// A pair for each of these: its name, its build, and the size of its configuration.
pub(crate) fn start_each(
    options: &Options,
    builds: &[(&str, &PathBuf, Size)],
    directory: &Path,
) -> Result<Vec<Pair>> {
    let state = directory.join("meshd");
    let sizes = builds.iter().map(|(_, _, size)| *size);
    let repository = repository(directory, sizes)?;
    let mut meshd = Command::new(&options.meshd);
    meshd.args(["run", "--ref", "main", "--listen", MESHD]);
    meshd.args(["--admin", "127.83.0.1:5681"]);
    meshd
        .arg("--repo")
        .arg(&repository)
        .arg("--state-dir")
        .arg(&state);
    let meshd = Process::start("meshd", &mut meshd, directory)?;
    meshd.says("published")?;
    let mut pairs = Vec::new();
    for (number, (name, build, _)) in builds.iter().enumerate() {
        let proxy = |role: &str| -> Result<Process> {
            let dataplane = format!("{role}-{number}");
            let token = directory.join(format!("{dataplane}.token"));
            let mut command = Command::new(&options.meshd);
            command.args(["token", "--mesh", "default", "--dataplane", &dataplane]);
            command
                .arg("--output")
                .arg(&token)
                .arg("--state-dir")
                .arg(&state);
            run(&mut command)?;
            let mut command = Command::new(build);
            command.args(["run", "--meshd", MESHD, "--workers", "1"]);
            // Room for those that rest, and for some more.
            let most = options.resting.max(16_000) + 384;
            command.args(["--max-connections", &most.to_string(), "--token-file"]);
            command
                .arg(&token)
                .arg("--state-dir")
                .arg(directory.join(&dataplane));
            Process::start(&dataplane, &mut command, directory)
        };
        let processes = vec![proxy("web")?, proxy("api")?];
        for process in &processes {
            process.says("ready")?;
        }
        let services = Service::ALL.map(|service| (service, outbound(number, service)));
        let pair = Pair::new(name, processes, services.to_vec());
        pairs.push(pair.with_context(|| (*name).to_owned())?);
    }
    for pair in &pairs {
        meshd
            .says("clients speak mTLS")
            .with_context(|| pair.name.clone())?;
    }
    if let Some(pair) = pairs.first_mut() {
        pair.beside = Some(meshd);
    }
    Ok(pairs)
}

fn outbound(number: usize, service: Service) -> SocketAddr {
    let number = u8::try_from(number).unwrap_or(u8::MAX);
    ([127, 83, 10 + number, 11], 10_080 + service.offset()).into()
}

fn repository(directory: &Path, sizes: impl Iterator<Item = Size>) -> Result<PathBuf> {
    let repository = directory.join("repository");
    std::fs::create_dir_all(&repository)?;
    std::fs::write(repository.join("mesh.yaml"), MESH)?;
    for (number, size) in sizes.enumerate() {
        let text = pair(number, size);
        std::fs::write(repository.join(format!("pair-{number}.yaml")), text)?;
        for (part, text) in services(number, size.services).into_iter().enumerate() {
            let file = repository.join(format!("services-{number}-{part}.yaml"));
            std::fs::write(file, text)?;
        }
    }
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(&repository).args(words);
        run(&mut command)
    };
    git(&["init", "--quiet", "--initial-branch=main"])?;
    git(&["add", "--all"])?;
    let name = ["-c", "user.name=load", "-c", "user.email=load@load.test"];
    git(&[name.as_slice(), &["commit", "--quiet", "--message=Begin"]].concat())?;
    Ok(repository)
}

/// What every pair has: identities, retries, limits, outlier detection, timeouts.
const MESH: &str = "\
type: Mesh
name: default
---
type: MeshIdentity
mesh: default
name: identity
spec:
  selector: {dataplane: {matchLabels: {}}}
  provider: {type: Bundled, bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}}
---
type: MeshRetry
mesh: default
name: retries
spec:
  to:
    - targetRef: {kind: Mesh}
      default:
        http: {numRetries: 5, retryOn: [GatewayError, ConnectFailure, RefusedStream]}
        grpc: {numRetries: 5, retryOn: [Unavailable]}
---
type: MeshCircuitBreaker
mesh: default
name: limits
spec:
  to:
    - targetRef: {kind: Mesh}
      default:
        connectionLimits: {maxConnections: 10000, maxPendingRequests: 10000, maxRequests: 10000, maxRetries: 100}
        outlierDetection: {detectors: {totalFailures: {consecutive: 5}}}
  rules:
    - default:
        connectionLimits: {maxConnections: 10000, maxPendingRequests: 10000, maxRequests: 10000}
";

/// Of the services that are there to be many, in one file and in one rule.
const EACH: usize = 500;

/// Services that are there to be many.
fn services(number: usize, count: usize) -> Vec<String> {
    let service = |index: usize| {
        format!(
            "type: MeshService\nmesh: default\nname: of-{number}-{index}\nlabels: {{team: load, n: of-{number}-{index}}}\nspec:\n  selector: {{dataplaneLabels: {{matchLabels: {{app: nobody-{index}}}}}}}\n  ports: [{{name: http, port: 80, targetPort: 8080, appProtocol: http}}]\n"
        )
    };
    let documents: Vec<String> = (0..count).map(service).collect();
    documents
        .chunks(EACH)
        .map(|part| part.join("---\n"))
        .collect()
}

/// Rules that make a client know of them, and that no request of the load matches.
fn reach(number: usize, services: usize) -> String {
    let all: Vec<usize> = (0..services).collect();
    let rule = |(place, part): (usize, &[usize])| {
        let backends: Vec<String> = part
            .iter()
            .map(|index| {
                format!(
                    "            - {{kind: MeshService, labels: {{n: of-{number}-{index}}}, port: 80}}\n"
                )
            })
            .collect();
        format!(
            "        - matches: [{{path: {{type: Exact, value: /of/{place}}}}}]\n          default:\n            backendRefs:\n{}",
            backends.concat()
        )
    };
    all.chunks(EACH).enumerate().map(rule).collect()
}

/// Rules that no request of the load matches.
fn rules(number: usize, count: usize) -> String {
    let rule = |index: usize| {
        format!(
            "        - matches: [{{path: {{type: PathPrefix, value: /route-{index}}}}}]\n          default: {{backendRefs: [{{kind: MeshService, labels: {{kuma.io/display-name: api-{number}}}, port: 80}}]}}\n"
        )
    };
    (0..count).map(rule).collect()
}

/// Two Dataplanes, a service for each protocol, a permission, and a route.
fn pair(number: usize, size: Size) -> String {
    let host = |last: u8| format!("127.83.{}.{last}", 10 + number);
    let (mut inbound, mut outbound, mut ports) = (String::new(), String::new(), String::new());
    for service in Service::ALL {
        let (name, offset) = (service.name(), service.offset());
        inbound += &format!(
            "    - {{name: {name}, port: {}, servicePort: {}, serviceAddress: {HOST}, protocol: {name}}}\n",
            9_080 + offset,
            service.address().port(),
        );
        outbound += &format!(
            "    - {{address: {}, port: {}, backendRef: {{kind: MeshService, name: api-{number}, port: {}}}}}\n",
            host(11),
            10_080 + offset,
            80 + offset,
        );
        ports += &format!(
            "    - {{name: {name}, port: {}, targetPort: {name}, appProtocol: {name}}}\n",
            80 + offset,
        );
    }
    let labels =
        |role: &str| format!("labels: {{app: {role}-{number}, kuma.io/workload: {role}-{number}}}");
    format!(
        "\
type: Dataplane
mesh: default
name: web-{number}
{}
networking:
  address: {}
  outbound:
{outbound}---
type: Dataplane
mesh: default
name: api-{number}
{}
networking:
  address: {}
  inbound:
{inbound}---
type: MeshService
mesh: default
name: api-{number}
labels: {{team: load}}
spec:
  selector: {{dataplaneLabels: {{matchLabels: {{app: api-{number}}}}}}}
  ports:
{ports}---
type: MeshTrafficPermission
mesh: default
name: api-{number}
spec:
  targetRef: {{kind: Dataplane, labels: {{app: api-{number}}}}}
  rules:
    - default:
        allow:
          - spiffeID: {{type: Exact, value: spiffe://default.default.mesh.local/workload/web-{number}}}
---
type: MeshHTTPRoute
mesh: default
name: api-{number}
spec:
  to:
    - targetRef: {{kind: MeshService, labels: {{kuma.io/display-name: api-{number}}}, sectionName: http}}
      rules:
{}{}        - matches: [{{path: {{type: PathPrefix, value: /}}}}]
          default: {{backendRefs: [{{kind: MeshService, labels: {{kuma.io/display-name: api-{number}}}, port: 80}}]}}
",
        labels("web"),
        host(11),
        labels("api"),
        host(21),
        reach(number, size.services),
        rules(number, size.routes),
    )
}
