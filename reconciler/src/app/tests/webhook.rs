//! A remote repository that is polled once an hour, and somebody who knocks.

use std::time::Duration;

use aws_lc_rs::hmac;

use super::super::Meshd;
use super::config;
use super::room::Room;
use crate::git::GitServer;
use crate::random;
use crate::settings::{Hook, Scheme, Settings, Webhook};

/// Knocks, and returns the answer with its head.
async fn knock(address: std::net::SocketAddr, secret: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let body = "{}";
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = random::to_hex(hmac::sign(&key, body.as_bytes()).as_ref());
    let request = format!(
        "POST /hooks/repository HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\nX-Signature: sha256={tag}\r\nContent-Length: 2\r\n\r\n{body}"
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_it_brings_the_next_commit() {
    let Some(server) = GitServer::start() else {
        return;
    };
    server.commit("type: Mesh\nname: one\n");
    let directory = tempfile::tempdir().unwrap();
    let secret_file = directory.path().join("secret");
    std::fs::write(&secret_file, "word").unwrap();
    let mut source = server.config("mesh.git").source;
    source.poll = Duration::from_secs(3_600);
    source.webhook = Some(Hook {
        kind: Scheme::Hmac,
        secret_file,
    });
    let meshd = Meshd::start(config(
        Settings {
            sources: vec![source],
            webhook: Some(Webhook {
                listen: "127.0.0.1:0".parse().unwrap(),
            }),
            ..Settings::default()
        },
        directory.path().join("state"),
    ))
    .await
    .unwrap();
    let first = meshd.revision();
    let mut changed = meshd.status().watch();
    server.commit("type: Mesh\nname: one\n# More.\n");
    let hooks = meshd.hooks.unwrap();
    assert!(knock(hooks, "another").await.starts_with("HTTP/1.1 401"));
    assert_eq!(meshd.revision(), first);
    assert!(knock(hooks, "word").await.starts_with("HTTP/1.1 202"));
    let mut last = first.clone();
    let mut follow = async |what: &str| {
        let followed = async {
            while meshd.revision() == last {
                changed.changed().await.unwrap();
            }
        };
        let followed = tokio::time::timeout(Duration::from_secs(20), followed);
        followed.await.expect(what);
        last = meshd.revision();
    };
    follow("a webhook").await;
    // An operator may ask as well; and what happened is told.
    server.commit("type: Mesh\nname: one\n# Still more.\n");
    let state = directory.path().join("state");
    let (status, _) = Room::at(&state, ("POST", "/v1/reconcile")).await;
    assert_eq!(status, 202);
    follow("an operator").await;
    // A commit is served before it is told.
    let all = async {
        loop {
            let (_, events) = Room::at(&state, ("GET", "/v1/events")).await;
            let events: serde_json::Value = serde_json::from_str(&events).unwrap();
            if events.as_array().unwrap().len() >= 4 {
                return events;
            }
        }
    };
    let events = tokio::time::timeout(Duration::from_secs(20), all).await;
    let events = events.expect("four events");
    let reasons: Vec<_> = events
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["reason"])
        .collect();
    assert_eq!(
        reasons,
        ["Published", "Published", "WebhookRefused", "Published"],
        "{events}"
    );
    meshd.end().await;
}
