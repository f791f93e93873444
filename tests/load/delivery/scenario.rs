//! What is done to a fleet, and the figures of it.
//!
//! Never a figure of something that did not happen to everybody: each scenario ends when the last proxy has told so.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::bytes;
use super::fleet::Fleet;
use super::proxy::{Order, What};
use super::repository::{Commit, Policy, Repository, Shape};
use super::server::{PORT, Server};
use super::table::{Figure, Goal};

/// A fleet at rest, with the meshd and the repository that it follows.
struct Mesh {
    repository: Repository,
    server: Server,
    fleet: Fleet,
    shape: Shape,
    certificates: usize,
    figures: Vec<Figure>,
    /// Removed last.
    _directory: tempfile::TempDir,
}

/// Everything, for one point of the curve.
pub(crate) fn curve(meshd: &Path, shape: Shape, repeat: usize) -> Result<Vec<Figure>> {
    let mut mesh = Mesh::start(meshd, shape)?;
    mesh.change_all(repeat, Policy::Timeout)?;
    mesh.change_one(repeat)?;
    mesh.endpoint(repeat)?;
    mesh.certificates()?;
    mesh.authority()?;
    mesh.restart()?;
    Ok(mesh.figures)
}

/// What Kong's benchmark measures, as far as it is about the control plane.
pub(crate) fn kong(meshd: &Path, shape: Shape, repeat: usize) -> Result<Vec<Figure>> {
    let mut mesh = Mesh::start(meshd, shape)?;
    mesh.change_all(repeat, Policy::RateLimit)?;
    mesh.endpoint(repeat)?;
    mesh.authority()?;
    Ok(mesh.figures)
}

impl Mesh {
    /// From nothing to a fleet where every proxy has its configuration and its certificate.
    fn start(meshd: &Path, shape: Shape) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("mesh-load-").tempdir()?;
        let repository = Repository::write(&directory.path().join("repository"), shape)?;
        let (server, took) = Server::start(meshd, &repository.root, directory.path())?;
        let mut figures = vec![Figure::one("first start of meshd, ms", took, Goal::None)];
        let (memory, processor) = (server.memory()?, server.processor()?);
        let since = Instant::now();
        let fleet = Fleet::start(shape.proxies, &server.authority()?)?;
        let times = fleet.await_from(shape.proxies, since, |what| {
            matches!(what, What::Certified(_))
        })?;
        fleet.rest(|_| false);
        let each = 1.0 / count(shape.proxies);
        let spent = (server.processor()? - processor) * each * 1e6;
        let held = (server.memory()? - memory) * each;
        figures.extend([
            Figure::one("all of them join, ms", times.last(), Goal::None),
            Figure::one("meshd's CPU for each that joins, us", spent, Goal::None),
            Figure::one(
                "meshd's memory without proxies, MiB",
                memory / 1_024.0,
                Goal::None,
            ),
            Figure::one(
                "meshd's memory for each proxy, KiB",
                held,
                Goal::AtMost(64.0),
            ),
        ]);
        Ok(Self {
            repository,
            server,
            fleet,
            shape,
            certificates: 0,
            figures,
            _directory: directory,
        })
    }

    fn figure(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// A commit that changes what every proxy holds.
    fn change_all(&mut self, repeat: usize, policy: Policy) -> Result<()> {
        let (mut half, mut most, mut last, mut spent) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // The first one makes what others reuse.
        for turn in 0..=repeat {
            let before = self.server.processor()?;
            let Commit { revision, at } = self.repository.change_all(policy)?;
            let times = self.fleet.await_from(self.shape.proxies, at, |what| {
                *what == What::Applied(revision.clone())
            })?;
            self.fleet.rest(|_| false);
            if turn > 0 {
                half.push(times.share(0.5));
                most.push(times.share(0.99));
                last.push(times.last());
                spent.push((self.server.processor()? - before) * 1_000.0);
            }
        }
        self.figure(Figure::of("commit for all: p50, ms", half, Goal::None));
        self.figure(Figure::of(
            "commit for all: p99, ms",
            most,
            Goal::AtMost(2_000.0),
        ));
        self.figure(Figure::of("commit for all: the last, ms", last, Goal::None));
        self.figure(Figure::of(
            "commit for all: meshd's CPU, ms",
            spent,
            Goal::None,
        ));
        Ok(())
    }

    /// A commit that changes what one proxy holds.
    fn change_one(&mut self, repeat: usize) -> Result<()> {
        let (mut took, mut spent) = (Vec::new(), Vec::new());
        for turn in 0..=repeat {
            let before = self.server.processor()?;
            let Commit { revision, at } = self.repository.change_one(turn)?;
            // The one before has its old configuration back.
            let affected = if turn == 0 { 1 } else { 2 };
            let times = self.fleet.await_from(affected, at, |what| {
                *what == What::Applied(revision.clone())
            })?;
            self.fleet.rest(|_| false);
            if turn > 0 {
                took.push(times.last());
                spent.push((self.server.processor()? - before) * 1_000.0);
            }
        }
        self.figure(Figure::of(
            "commit for one: until it has it, ms",
            took,
            Goal::AtMost(100.0),
        ));
        self.figure(Figure::of(
            "commit for one: meshd's CPU, ms",
            spent,
            Goal::None,
        ));
        Ok(())
    }

    /// An instance goes and comes.
    fn endpoint(&mut self, repeat: usize) -> Result<()> {
        let (mut took, mut sizes) = (Vec::new(), Vec::new());
        for turn in 0..repeat {
            let instance = turn * 3 + 1;
            let interested = self.shape.interested(instance);
            for draining in [true, false] {
                let before = bytes::sent(PORT)?;
                let at = Instant::now();
                let order = Order {
                    draining,
                    certificates: self.certificates,
                };
                self.fleet.order(instance, &order);
                let times = self
                    .fleet
                    .await_from(interested, at, |what| *what == What::Endpoints)?;
                self.fleet.rest(|_| false);
                took.push(times.last());
                let sent = bytes::between(&before, &bytes::sent(PORT)?);
                // Most of what others were sent is nothing: a ping now and then.
                let told = sent.len().saturating_sub(interested);
                sizes.extend(sent.iter().skip(told).copied());
            }
        }
        self.figure(Figure::of(
            "one endpoint down or up: until all interested know, ms",
            took,
            Goal::None,
        ));
        self.figure(Figure::of(
            "one endpoint down or up: bytes to each interested",
            sizes,
            Goal::AtMost(300.0),
        ));
        Ok(())
    }

    /// Every proxy renews its certificate at once.
    fn certificates(&mut self) -> Result<()> {
        self.certificates += 1;
        let before = self.server.processor()?;
        let since = Instant::now();
        let order = Order {
            draining: false,
            certificates: self.certificates,
        };
        self.fleet.order_all(&order);
        let times = self.fleet.await_from(self.shape.proxies, since, |what| {
            matches!(what, What::Certified(_))
        })?;
        let spent = self.server.processor()? - before;
        self.fleet.rest(|_| false);
        let rate = count(self.shape.proxies) / spent;
        self.figure(Figure::one(
            "certificates a second and processor",
            rate,
            Goal::AtLeast(5_000.0),
        ));
        self.figure(Figure::one(
            "all renew at once, ms",
            times.last(),
            Goal::None,
        ));
        Ok(())
    }

    /// Another authority for everybody.
    fn authority(&mut self) -> Result<()> {
        let Commit { at, .. } = self.repository.change_authority()?;
        let times = self.fleet.await_from(
            self.shape.proxies,
            at,
            |what| matches!(what, What::Certified(issuer) if issuer.contains("other-")),
        )?;
        self.fleet.rest(|_| false);
        self.figure(Figure::one(
            "another authority: the last certificate, ms",
            times.last(),
            Goal::AtMost(10_000.0),
        ));
        Ok(())
    }

    /// meshd is killed and comes again.
    fn restart(&mut self) -> Result<()> {
        self.fleet.rest(|_| false);
        let since = Instant::now();
        let listening = self.server.restart()?;
        let times = self
            .fleet
            .await_from(self.shape.proxies, since, |what| *what == What::Connected)?;
        let resent = self.fleet.rest(|what| matches!(what, What::Applied(_)));
        self.figure(Figure::one(
            "kill and restart: meshd listens, ms",
            listening,
            Goal::None,
        ));
        self.figure(Figure::one(
            "kill and restart: all are back, ms",
            times.last(),
            Goal::AtMost(15_000.0),
        ));
        self.figure(Figure::one(
            "kill and restart: configurations sent",
            count(resent),
            Goal::AtMost(0.0),
        ));
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "fleets are small")]
fn count(number: usize) -> f64 {
    number as f64
}
