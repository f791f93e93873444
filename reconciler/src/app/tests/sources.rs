//! One meshd over the repositories of two teams: each is a world of its own, and each mesh comes from one of them.

mod apart;
mod kept;
mod moves;
mod shared;
mod steered;

use serde_json::{Value, json};

use super::room::{IDENTITY, PATIENCE, PERMISSION};
use super::*;
use crate::settings::{Label, Source};

/// `shop` has the mesh of that name, `bank` its own; the meshd is that of the first room.
struct Two {
    shop: Room,
    bank: Room,
}

/// What a room writes, for another mesh.
fn of(mesh: &str, text: &str) -> String {
    text.replace("shop", mesh)
}

/// The files of a mesh of this name.
fn write_mesh(room: &Room, below: &str, mesh: &str) {
    std::fs::create_dir_all(room.repository().join(below)).unwrap();
    for (file, text) in [
        ("mesh.yaml", MESH.to_owned()),
        ("identity.yaml", IDENTITY.to_owned()),
        ("permission.yaml", PERMISSION.to_owned()),
        ("service.yaml", SERVICE.to_owned()),
        ("web.yaml", web("web-1")),
        ("api.yaml", api("api-1", 9080)),
    ] {
        room.write(&format!("{below}/{file}"), &of(mesh, &text));
    }
}

fn label(name: &str) -> Label {
    name.to_owned().try_into().unwrap()
}

impl Two {
    fn new() -> Self {
        let (shop, bank) = (Room::new(), Room::new());
        write_mesh(&bank, ".", "bank");
        shop.commit("first");
        bank.commit("first");
        Self { shop, bank }
    }

    async fn open() -> Self {
        let mut two = Self::new();
        two.start().await;
        two
    }

    fn source(room: &Room, name: &str) -> Source {
        let mut source = room.config().settings.sources.remove(0);
        source.name = label(name);
        source.allow_rewind = false;
        source
    }

    fn sources(&self) -> Vec<Source> {
        vec![
            Self::source(&self.shop, "shop"),
            Self::source(&self.bank, "bank"),
        ]
    }

    async fn start(&mut self) {
        let sources = self.sources();
        self.start_of(sources).await;
    }

    async fn start_of(&mut self, sources: Vec<Source>) {
        let started = self
            .shop
            .start_with(|config| config.settings.sources = sources);
        started.await.unwrap();
    }

    async fn status(&self, source: &str) -> Value {
        let (code, body) = self.shop.get(&format!("/v1/status?source={source}")).await;
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until a commit of a source has settled.
    async fn settled(&self, source: &str, revision: &str) -> Value {
        let path = format!("/v1/status?source={source}&settled={revision}&timeout=20s");
        let (code, body) = self.shop.get(&path).await;
        assert_eq!(code, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the status of a source is so.
    async fn told(&self, source: &str, so: impl Fn(&Value) -> bool) -> Value {
        let asked = async {
            loop {
                let status = self.status(source).await;
                if so(&status) {
                    return status;
                }
                let path = format!("/v1/status?source={source}&settled=0000000000&timeout=50ms");
                self.shop.get(&path).await;
            }
        };
        tokio::time::timeout(PATIENCE, asked)
            .await
            .expect("in time")
    }

    fn token(&self, mesh: &str, dataplane: &str) -> String {
        self.shop
            .token(mesh, room::scope(None, Some(dataplane), &[]))
    }
}

fn reason(status: &Value) -> &str {
    status["conditions"][0]["reason"]
        .as_str()
        .unwrap_or_default()
}
