//! What a mesh is made of, before it is started.
//!
//! Never two meshes on one block of addresses.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::Mesh;
use crate::block::Block;
use crate::clock::Clock;
use crate::dataplane::{self, Dataplane};
use crate::disk::Disk;
use crate::meshd::Meshd;
use crate::repo::Repo;

/// Where meshd is in the block of a mesh.
const MESHD: u8 = 1;
const DELIVERY: u16 = 5_680;
const ADMIN: u16 = 5_681;

/// How a mesh is to be, before it is started.
#[derive(Debug)]
pub struct Options {
    repo: Repo,
    only: Option<Vec<String>>,
    url: Option<String>,
    arguments: Vec<String>,
    settings: Option<String>,
    /// KiB of the disk that meshd has for its state.
    disk: Option<u32>,
    clock: Option<Arc<Clock>>,
}

impl Options {
    /// A repository made from `examples/<name>` on addresses of its own.
    #[must_use]
    pub fn from_example(name: &str) -> Self {
        Self::on(Block::claim(), name)
    }

    /// A repository made from `examples/<name>` on these addresses.
    #[must_use]
    pub fn on(block: Block, name: &str) -> Self {
        Self {
            repo: Repo::from_example(name, block),
            only: None,
            url: None,
            arguments: Vec::new(),
            settings: None,
            disk: None,
            clock: None,
        }
    }

    /// Starts the proxies and workloads of these Dataplanes only.
    #[must_use]
    pub fn only(mut self, dataplanes: &[&str]) -> Self {
        self.only = Some(dataplanes.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Changes the repository before meshd sees it.
    #[must_use]
    pub fn with(self, change: impl FnOnce(&Repo)) -> Self {
        change(&self.repo);
        self.repo.commit("Prepare");
        self
    }

    /// Lets meshd read the repository from a URL.
    #[must_use]
    pub fn from_url(mut self, url: impl FnOnce(&Path) -> String) -> Self {
        self.url = Some(url(self.repo.path()));
        self
    }

    /// Arguments of `meshd run` beyond those that every mesh needs.
    #[must_use]
    pub fn meshd(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Lets meshd read its repository, and everything else, from a `meshd.toml` with this text.
    #[must_use]
    pub fn configured(mut self, text: impl FnOnce(&Repo) -> String) -> Self {
        self.settings = Some(text(&self.repo));
        self
    }

    /// Gives meshd a disk of its own with so many KiB for its state.
    #[must_use]
    pub fn disk(mut self, kib: u32) -> Self {
        self.disk = Some(kib);
        self
    }

    /// Lets meshd go by a clock of its own.
    #[must_use]
    pub fn clock(mut self, clock: &Arc<Clock>) -> Self {
        self.clock = Some(Arc::clone(clock));
        self
    }

    /// Addresses that this mesh needs and somebody else has.
    #[must_use]
    pub fn taken(&self) -> Vec<SocketAddr> {
        let meshd = self.repo.block().ip(MESHD);
        let mut needed = vec![(meshd, DELIVERY).into(), (meshd, ADMIN).into()];
        for dataplane in self.dataplanes().into_values() {
            needed.extend(dataplane.outbounds.iter().map(|outbound| outbound.address));
            for inbound in dataplane.inbounds {
                needed.extend([inbound.proxy, inbound.workload]);
            }
        }
        needed.retain(|address| TcpListener::bind(address).is_err());
        needed
    }

    fn dataplanes(&self) -> BTreeMap<String, Dataplane> {
        let files = self.repo.files();
        files
            .iter()
            .filter(|path| Path::new(path).extension().is_some_and(|e| e == "yaml"))
            .flat_map(|path| dataplane::read(&self.repo.read(path)))
            .filter(|dataplane| {
                let only = self.only.as_ref();
                only.is_none_or(|only| only.contains(&dataplane.name))
            })
            .map(|dataplane| (dataplane.name.clone(), dataplane))
            .collect()
    }

    /// Starts everything; returns when every proxy is ready and knows where the others are.
    pub async fn start(self) -> Mesh {
        let mesh = self.start_meshd().await;
        mesh.start_workloads().await;
        mesh.start_proxies().await;
        mesh
    }

    /// Starts meshd alone; returns when it serves what the repository holds.
    pub async fn start_meshd(self) -> Mesh {
        let state = TempDir::with_prefix("mesh-state-").expect("a temporary directory");
        let dataplanes = self.dataplanes();
        let repository = self
            .url
            .unwrap_or_else(|| self.repo.path().to_string_lossy().into_owned());
        let disk = self.disk.map(|kib| {
            let place = state.path().join("meshd");
            std::fs::create_dir(&place).expect("a directory");
            Disk::mount(&place, kib).unwrap_or_else(|why| panic!("a disk for meshd: {why}"))
        });
        let host = self.repo.block().ip(MESHD);
        let mut meshd = Meshd::new(
            &repository,
            &state.path().join("meshd"),
            (host, DELIVERY).into(),
            (host, ADMIN).into(),
        );
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        meshd.arguments(&arguments);
        if let Some(clock) = &self.clock {
            meshd.clocked(clock);
        }
        if let Some(text) = &self.settings {
            let file = state.path().join("meshd.toml");
            std::fs::write(&file, text).expect("a file of settings");
            meshd.configured(&file);
        }
        let mesh = Mesh {
            repo: Arc::new(self.repo),
            begun: OnceCell::new(),
            meshd,
            dataplanes,
            proxies: Mutex::default(),
            workloads: Mutex::default(),
            disk,
            state,
        };
        mesh.meshd.start().await;
        mesh.meshd.settled(&mesh.head().await).await;
        mesh
    }
}
