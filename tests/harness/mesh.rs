//! All of it: a repository, meshd, a proxy for every Dataplane, and the workloads beside them.
//!
//! Never two meshes on one address, and never anything left behind when it is dropped.

mod held;
mod options;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_bundle::Bundle;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::client::Client;
use crate::dataplane::Dataplane;
use crate::disk::Disk;
use crate::meshd::{Meshd, Settled, Token};
use crate::proxy::Proxy;
use crate::repo::Repo;
use crate::secrecy;
use crate::workload::Workload;

pub use options::Options;

/// A mesh that runs.
#[derive(Debug)]
pub struct Mesh {
    // In the order in which they end: traffic first, the directories last.
    proxies: Mutex<BTreeMap<String, Arc<Proxy>>>,
    workloads: Mutex<BTreeMap<String, Arc<Workload>>>,
    meshd: Meshd,
    dataplanes: BTreeMap<String, Dataplane>,
    repo: Arc<Repo>,
    /// What the repository was when the proxies were started first.
    begun: OnceCell<Bundle>,
    /// What meshd has for its state, where it is not that of everybody.
    disk: Option<Disk>,
    state: TempDir,
}

impl Mesh {
    /// The mesh of `examples/<name>`: every Dataplane of it with its proxy and its workload.
    pub async fn from_example(name: &str) -> Self {
        Options::from_example(name).start().await
    }

    /// Starts a workload for every inbound of every Dataplane.
    pub async fn start_workloads(&self) {
        for dataplane in self.dataplanes.values() {
            for inbound in &dataplane.inbounds {
                let workload =
                    Workload::start(&dataplane.name, &inbound.protocol, inbound.workload).await;
                let mut workloads = self
                    .workloads
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                workloads.insert(dataplane.name.clone(), Arc::new(workload));
            }
        }
    }

    /// Starts a proxy for every Dataplane; returns when all of them know where the others are.
    pub async fn start_proxies(&self) {
        self.start_proxies_with(&[]).await;
    }

    /// The same, with more arguments for each of them.
    pub async fn start_proxies_with(&self, more: &[&str]) {
        self.start_proxies_as(|proxy| proxy.with(more)).await;
    }

    /// The same, each of them changed before it is started.
    pub async fn start_proxies_as(&self, change: impl Fn(Proxy) -> Proxy) {
        for name in self.dataplanes.keys() {
            let bound = Token::Dataplane(name);
            self.prepared(name, bound, &change).await.launch();
        }
        for name in self.dataplanes.keys() {
            self.proxy(name).ready().await;
        }
        self.connected().await;
    }

    /// A proxy with a token of its own, not started yet.
    pub async fn proxy_for(&self, name: &str, bound: Token<'_>, more: &[&str]) -> Arc<Proxy> {
        self.prepared(name, bound, |proxy| proxy.with(more)).await
    }

    async fn prepared(
        &self,
        name: &str,
        bound: Token<'_>,
        change: impl FnOnce(Proxy) -> Proxy,
    ) -> Arc<Proxy> {
        let token = self.state.path().join(format!("{name}.token"));
        self.meshd.token(bound, &token).await;
        let meshd = self.meshd.delivery().to_string();
        let proxy = Proxy::new(name, &meshd, &token, self.state.path());
        let proxy = Arc::new(change(proxy));
        let mut proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        proxies.insert(name.to_owned(), Arc::clone(&proxy));
        proxy
    }

    /// Stops the proxy of a Dataplane, takes everything that it knew, and starts it with a new token; returns when it is ready and
    /// knows where the others are.
    ///
    /// # Panics
    /// When its state cannot be taken.
    pub async fn fresh(&self, name: &str) {
        self.forget(name).await;
        self.proxy_for(name, Token::Dataplane(name), &[])
            .await
            .start()
            .await;
        self.connected().await;
    }

    /// Stops the proxy of a Dataplane and takes everything that it knew.
    ///
    /// # Panics
    /// When its state cannot be taken.
    pub async fn forget(&self, name: &str) {
        self.proxy(name).kill().await;
        let state = self.state.path().join(name);
        std::fs::remove_dir_all(&state)
            .unwrap_or_else(|error| panic!("{}: {error}", state.display()));
    }

    /// A directory that lives as long as the mesh.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.state.path()
    }

    /// The disk of meshd's own.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("a disk of its own")
    }

    /// The repository.
    #[must_use]
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// The control plane.
    #[must_use]
    pub fn meshd(&self) -> &Meshd {
        &self.meshd
    }

    /// The proxy of a Dataplane.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn proxy(&self, name: &str) -> Arc<Proxy> {
        let proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            proxies
                .get(name)
                .unwrap_or_else(|| panic!("no proxy {name}")),
        )
    }

    /// Every proxy.
    #[must_use]
    pub fn proxies(&self) -> Vec<Arc<Proxy>> {
        let proxies = self.proxies.lock().unwrap_or_else(PoisonError::into_inner);
        proxies.values().cloned().collect()
    }

    /// The workload of a Dataplane.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn workload(&self, name: &str) -> Arc<Workload> {
        let workloads = self
            .workloads
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            workloads
                .get(name)
                .unwrap_or_else(|| panic!("no workload {name}")),
        )
    }

    /// What the repository says of every Dataplane.
    pub fn dataplanes(&self) -> impl Iterator<Item = &Dataplane> {
        self.dataplanes.values()
    }

    /// What the repository says of a Dataplane.
    ///
    /// # Panics
    /// When it says nothing.
    #[must_use]
    pub fn dataplane(&self, name: &str) -> &Dataplane {
        let found = self.dataplanes.get(name);
        found.unwrap_or_else(|| panic!("no Dataplane {name}"))
    }

    /// Where the workload of `name` finds `service`.
    ///
    /// # Panics
    /// When it has no outbound for it.
    #[must_use]
    pub fn outbound(&self, name: &str, service: &str) -> SocketAddr {
        let outbounds = &self.dataplane(name).outbounds;
        let found = outbounds
            .iter()
            .find(|outbound| outbound.service == service);
        found
            .unwrap_or_else(|| panic!("{name} has no outbound for {service}"))
            .address
    }

    /// Where the proxy of `name` listens for its peers.
    ///
    /// # Panics
    /// When it has no inbound.
    #[must_use]
    pub fn inbound(&self, name: &str) -> SocketAddr {
        let inbound = self.dataplane(name).inbounds.first();
        inbound
            .unwrap_or_else(|| panic!("{name} has no inbound"))
            .proxy
    }

    /// HTTP/1.1 as the workload of `name` speaks it to `service`.
    #[must_use]
    pub fn client(&self, name: &str, service: &str) -> Client {
        Client::http1(self.outbound(name, service))
    }

    /// The revision that the branch is at.
    pub async fn head(&self) -> String {
        self.git(|repo| repo.git(&["rev-parse", "HEAD"])).await
    }

    /// Writes one file, commits it, and returns when every proxy has acknowledged the revision.
    ///
    /// # Panics
    /// When it is not published.
    pub async fn commit(&self, path: &str, text: &str) -> Settled {
        let (path, text) = (path.to_owned(), text.to_owned());
        self.change(move |repo| repo.write(&path, &text)).await
    }

    /// Changes the repository, commits, and returns when every proxy has acknowledged the revision.
    ///
    /// # Panics
    /// When it is not published.
    pub async fn change(&self, change: impl FnOnce(&Repo) + Send + 'static) -> Settled {
        let (revision, settled) = self.try_change(change).await;
        assert_eq!(
            settled.revision(),
            revision,
            "the revision was not published: {}\n{}",
            settled.status,
            self.meshd.process().log()
        );
        settled
    }

    /// Changes the repository, commits, and returns when meshd has made up its mind about the revision.
    pub async fn try_change(
        &self,
        change: impl FnOnce(&Repo) + Send + 'static,
    ) -> (String, Settled) {
        let revision = self
            .git(|repo| {
                change(repo);
                repo.commit("Change")
            })
            .await;
        let settled = self.meshd.settled(&revision).await;
        (revision, settled)
    }

    /// Works on the repository while everything else goes on.
    async fn git(&self, work: impl FnOnce(&Repo) -> String + Send + 'static) -> String {
        let repo = Arc::clone(&self.repo);
        let done = tokio::task::spawn_blocking(move || work(&repo)).await;
        done.unwrap_or_else(|error| panic!("work on the repository: {error}"))
    }
}

/// No test leaves a secret in a log. A test that fails shows what the processes said last; with `MESH_TEST_LOGS=1` every test does.
#[expect(
    clippy::print_stderr,
    reason = "the test's own output is where it belongs"
)]
impl Drop for Mesh {
    fn drop(&mut self) {
        let leak = secrecy::leak_of(self.state.path(), self.repo.path());
        assert!(leak.is_none() || std::thread::panicking(), "{leak:?}");
        if std::thread::panicking() || std::env::var_os("MESH_TEST_LOGS").is_some() {
            eprint!("{}", self.meshd.last_words());
            for proxy in self.proxies() {
                eprint!("{}", proxy.last_words());
            }
        }
    }
}
