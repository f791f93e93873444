//! The repository of a fleet, and commits to it that are there all at once.
//!
//! Never a clock that runs while git works: a commit is made beside the branch, and the branch is moved to it in one step.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::process::run;

/// Documents of one file.
const PER_FILE: usize = 100;
/// Services that a proxy sends traffic to.
const CALLS: usize = 3;
/// What one commit changes and the others do not.
const MESH_WIDE: &str = "mesh-wide.yaml";
const ONE: &str = "one.yaml";
const IDENTITY: &str = "identity.yaml";

/// How many of what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) proxies: usize,
    pub(crate) services: usize,
}

impl Shape {
    /// The service that a proxy is an instance of.
    fn service(self, proxy: usize) -> usize {
        proxy % self.services
    }

    /// The services that a proxy sends traffic to.
    fn calls(self, proxy: usize) -> impl Iterator<Item = usize> {
        (0..CALLS).map(move |call| (proxy * 7 + call * 13 + 1) % self.services)
    }

    /// Who hears of it when an instance comes or goes.
    pub(crate) fn interested(self, instance: usize) -> usize {
        let service = self.service(instance);
        let asks = |proxy: &usize| self.calls(*proxy).any(|called| called == service);
        (0..self.proxies).filter(asks).count()
    }
}

/// A policy for every proxy of the mesh.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Policy {
    Timeout,
    RateLimit,
}

/// The repository, with a branch that nobody follows in front of `main`.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) root: PathBuf,
    commits: usize,
}

impl Repository {
    pub(crate) fn write(root: &Path, shape: Shape) -> Result<Self> {
        std::fs::create_dir_all(root)?;
        let mut repository = Self {
            root: root.to_owned(),
            commits: 0,
        };
        repository.put("mesh.yaml", "type: Mesh\nname: default\n")?;
        repository.put(IDENTITY, &identity("first"))?;
        let services: Vec<String> = (0..shape.services).map(service).collect();
        let dataplanes: Vec<String> = (0..shape.proxies).map(|n| dataplane(shape, n)).collect();
        for (kind, documents) in [("services", services), ("dataplanes", dataplanes)] {
            for (part, documents) in documents.chunks(PER_FILE).enumerate() {
                repository.put(&format!("{kind}-{part}.yaml"), &documents.join("---\n"))?;
            }
        }
        repository.git(&["init", "--quiet", "--initial-branch=next"])?;
        repository.commit()?;
        Ok(repository)
    }

    /// Changes something for every proxy.
    pub(crate) fn change_all(&mut self, policy: Policy) -> Result<Commit> {
        let number = self.commits;
        let text = match policy {
            Policy::Timeout => timeout("all", "", number),
            Policy::RateLimit => rate_limit(number),
        };
        self.put(MESH_WIDE, &text)?;
        self.commit()
    }

    /// Changes something for one proxy.
    pub(crate) fn change_one(&mut self, proxy: usize) -> Result<Commit> {
        let target = format!("  targetRef: {{kind: Dataplane, labels: {{instance: p-{proxy}}}}}\n");
        self.put(ONE, &timeout("one", &target, self.commits))?;
        self.commit()
    }

    /// Gives every proxy another certificate authority.
    pub(crate) fn change_authority(&mut self) -> Result<Commit> {
        let name = format!("other-{}", self.commits);
        self.put(IDENTITY, &identity(&name))?;
        self.commit()
    }

    fn put(&self, file: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.root.join(file), text)?)
    }

    fn commit(&mut self) -> Result<Commit> {
        self.commits += 1;
        self.git(&["add", "--all"])?;
        let name = ["-c", "user.name=load", "-c", "user.email=load@load.test"];
        let message = format!("--message=Change {}", self.commits);
        self.git(&[name.as_slice(), &["commit", "--quiet", &message]].concat())?;
        let revision = self.git(&["rev-parse", "HEAD"])?.trim().to_owned();
        let at = Instant::now();
        self.git(&["update-ref", "refs/heads/main", &revision])?;
        Ok(Commit { revision, at })
    }

    fn git(&self, words: &[&str]) -> Result<String> {
        run(Command::new("git").arg("-C").arg(&self.root).args(words))
    }
}

/// A commit, and when its branch began to move to it.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) revision: String,
    pub(crate) at: Instant,
}

fn identity(name: &str) -> String {
    format!(
        "\
type: MeshIdentity
mesh: default
name: {name}
spec:
  selector: {{dataplane: {{matchLabels: {{}}}}}}
  provider: {{type: Bundled, bundled: {{insecureAllowSelfSigned: true, autogenerate: {{enabled: true}}}}}}
"
    )
}

fn service(number: usize) -> String {
    format!(
        "\
type: MeshService
mesh: default
name: s-{number}
spec:
  selector: {{dataplaneLabels: {{matchLabels: {{app: s-{number}}}}}}}
  ports: [{{name: http, port: 80, targetPort: http, appProtocol: http}}]
"
    )
}

fn dataplane(shape: Shape, number: usize) -> String {
    let service = shape.service(number);
    let (block, high, low) = (number / 62_500, number / 250 % 250, number % 250 + 1);
    let mut text = format!(
        "\
type: Dataplane
mesh: default
name: p-{number}
labels: {{app: s-{service}, instance: p-{number}, kuma.io/workload: s-{service}}}
networking:
  address: 10.{block}.{high}.{low}
  inbound: [{{name: http, port: 9080, servicePort: 8080, protocol: http}}]
  outbound:
"
    );
    for (place, called) in shape.calls(number).enumerate() {
        let port = 10_080 + place;
        let _ = writeln!(
            text,
            "    - {{port: {port}, backendRef: {{kind: MeshService, name: s-{called}, port: 80}}}}"
        );
    }
    text
}

/// Another value each time.
fn timeout(name: &str, target: &str, number: usize) -> String {
    let seconds = 20 + number;
    format!(
        "\
type: MeshTimeout
mesh: default
name: {name}
spec:
{target}  to:
    - targetRef: {{kind: Mesh}}
      default: {{http: {{requestTimeout: {seconds}s}}}}
"
    )
}

fn rate_limit(number: usize) -> String {
    let requests = 1_000 + number;
    format!(
        "\
type: MeshRateLimit
mesh: default
name: all
spec:
  rules:
    - default: {{local: {{http: {{requestRate: {{num: {requests}, interval: 1s}}}}}}}}
"
    )
}
