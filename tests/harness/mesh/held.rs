//! What meshd and the proxies of a mesh hold, compared with each other and with what `meshc build` makes of its repository.
//!
//! Never takes the word of one of them for it.

use std::process::Command;

use mesh_bundle::Bundle;
use serde_json::Value;

use super::Mesh;
use crate::{binary, endpoints};

impl Mesh {
    /// What `meshc build` makes of the work tree.
    ///
    /// # Panics
    /// When it does not build.
    pub async fn built(&self) -> Bundle {
        let file = self.state.path().join("built.bundle");
        let mut command = Command::new(binary("meshc"));
        command
            .arg("build")
            .arg(self.repo.path())
            .arg("-o")
            .arg(&file);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("a task").expect("meshc");
        assert!(
            output.status.success(),
            "meshc build: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let bytes = std::fs::read(&file).expect("what meshc wrote");
        Bundle::decode(&bytes).unwrap_or_else(|error| panic!("meshc build: {error}"))
    }

    /// The proxies that hold what meshd wants of them, and those that hold something else: what each shows of itself is compared
    /// with what meshd believes.
    pub async fn holders(&self) -> (Vec<String>, Vec<String>) {
        let status = self.meshd.status().await.status;
        let known = status.get("proxies").and_then(Value::as_array);
        let (mut same, mut other) = (Vec::new(), Vec::new());
        for proxy in self.proxies() {
            let name = proxy.name();
            let named = |known: &&Value| known.get("name").and_then(Value::as_str) == Some(name);
            let known = known.and_then(|known| known.iter().find(named));
            let text = |field: &str| known?.get(field)?.as_str().map(str::to_owned);
            let config = proxy.config().await;
            let root = config.get("root").and_then(Value::as_str);
            let agreed = text("state").as_deref() == Some("acked")
                && text("revision")
                    == status
                        .get("revision")
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                && text("root").as_deref() == root;
            let list = if agreed { &mut same } else { &mut other };
            list.push(name.to_owned());
        }
        (same, other)
    }

    /// Returns when every proxy knows every other one that the repository, as it was when the mesh was started, lets it send to.
    pub(super) async fn connected(&self) {
        let bundle = self.begun.get_or_init(|| self.built()).await;
        let names: Vec<&str> = self.dataplanes.keys().map(String::as_str).collect();
        for (proxy, endpoints) in endpoints::expected(bundle, &names) {
            endpoints::known(&self.proxy(&proxy), &endpoints).await;
        }
    }
}
