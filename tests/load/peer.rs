//! Pairs of proxies: ours, and those they are compared with.
//!
//! Never a peer that silently is not there: what is missing is named with its reason.

mod debian;
mod envoy;
pub(crate) mod mesh;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::app::Service;
use crate::certificates::Certificates;
use crate::cost;
use crate::options::Options;
use crate::process::Process;

/// What every other pair is compared with.
pub(crate) const REFERENCE: &str = "Envoy";

/// Two proxies with the application behind them.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) name: String,
    #[expect(dead_code, reason = "they end with the pair")]
    processes: Vec<Process>,
    /// What they need and nobody counts.
    beside: Option<Process>,
    pids: Vec<u32>,
    services: Vec<(Service, SocketAddr)>,
    idle: f64,
}

impl Pair {
    fn new(
        name: &str,
        processes: Vec<Process>,
        services: Vec<(Service, SocketAddr)>,
    ) -> Result<Self> {
        let pids: Vec<u32> = processes.iter().map(Process::pid).collect();
        Ok(Self {
            name: name.to_owned(),
            idle: cost::anonymous(&pids)?,
            processes,
            beside: None,
            pids,
            services,
        })
    }

    /// No proxies: what the others add to.
    fn direct() -> Result<Self> {
        let services = Service::ALL.map(|service| (service, service.address()));
        Self::new("no proxy", Vec::new(), services.to_vec())
    }

    pub(crate) fn pids(&self) -> &[u32] {
        &self.pids
    }

    pub(crate) fn serves(&self, service: Service) -> bool {
        self.address(service).is_some()
    }

    /// Where the load sends to.
    pub(crate) fn address(&self, service: Service) -> Option<SocketAddr> {
        let found = self.services.iter().find(|(served, _)| *served == service);
        found.map(|(_, address)| *address)
    }

    /// KiB that both held before there was any work.
    pub(crate) fn idle(&self) -> f64 {
        self.idle
    }
}

/// All pairs that can be started, and why others cannot.
pub(crate) fn start(options: &Options, directory: &Path) -> Result<(Vec<Pair>, Vec<String>)> {
    let mut pairs = vec![Pair::direct()?];
    let mut missing = Vec::new();
    if options.peers {
        let certificates = Certificates::write(directory)?;
        let mut add = |name: &str, pair: Result<Pair>| match pair.with_context(|| name.to_owned()) {
            Ok(pair) => pairs.push(pair),
            Err(why) => missing.push(format!("{why:#}")),
        };
        for (name, two) in [(REFERENCE, false), ("Envoy, HTTP/2 between", true)] {
            let envoy = options.envoy.as_deref().context("it is not there");
            let pair =
                envoy.and_then(|envoy| envoy::start(name, envoy, two, &certificates, directory));
            add(name, pair);
        }
        add("nginx", debian::nginx(&certificates, directory));
        add("HAProxy", debian::haproxy(&certificates, directory));
        missing.push("linkerd2-proxy, ztunnel: no registry has them".to_owned());
    }
    pairs.extend(mesh::start(options, directory)?);
    Ok((pairs, missing))
}
