//! Against a real server, where there is one (Debian: etcd-server).

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use super::*;

/// A server of its own for one test.
pub(crate) struct Server {
    child: Option<Child>,
    address: SocketAddr,
    directory: tempfile::TempDir,
}

impl Server {
    /// `None`: this machine has no etcd, which is told.
    pub(crate) async fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut server = Self {
            child: None,
            address: free.local_addr().unwrap(),
            directory: tempfile::tempdir().unwrap(),
        };
        drop(free);
        server.run().await.then_some(server)
    }

    /// Starts it, or starts it again with what it kept.
    pub(crate) async fn run(&mut self) -> bool {
        let url = format!("http://{}", self.address);
        let mut command = Command::new("etcd");
        command
            .arg("--data-dir")
            .arg(self.directory.path().join("data"));
        command.args([
            "--listen-client-urls",
            &url,
            "--advertise-client-urls",
            &url,
        ]);
        command.args([
            "--listen-peer-urls",
            "http://127.0.0.1:0",
            "--logger",
            "zap",
        ]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                eprintln!("SKIPPED: `etcd` does not start ({error}); Debian has it in etcd-server");
                return false;
            }
        }
        // It goes on to write there, and must not be stopped by that.
        let output = self.child.as_mut().and_then(|child| child.stderr.take());
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut ready = Some(ready);
            for line in BufReader::new(output.unwrap())
                .lines()
                .map_while(Result::ok)
            {
                if line.contains("serving client traffic insecurely")
                    && let Some(ready) = ready.take()
                {
                    let _ = ready.send(());
                }
            }
        });
        let listens = timeout(Duration::from_secs(30), is_ready).await;
        listens.expect("etcd listens in time").unwrap();
        true
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn config(&self) -> settings::Etcd {
        settings::Etcd {
            endpoints: vec![
                "http://127.0.0.1:1".to_owned(),
                format!("http://{}", self.address),
            ],
            prefix: "/mesh/".to_owned(),
            ca: None,
            cert: None,
            key: None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn put(key: &str, value: &str) -> Change {
    Change::put(key.to_owned(), value.to_owned())
}

fn gone(key: &str) -> Change {
    Change {
        key: key.to_owned(),
        value: None,
    }
}

#[tokio::test]
async fn what_is_written_is_read_and_watched() {
    let Some(server) = Server::start().await else {
        return;
    };
    let mut etcd = Etcd::connect(&server.config()).await.unwrap();
    // More than a page and more than a transaction.
    let many: Vec<Change> = (0..2_500)
        .map(|n| put(&format!("live/{n:04}"), "x"))
        .collect();
    etcd.write(&many, None).await.unwrap();
    etcd.write(&[put("other", "y")], None).await.unwrap();
    let (revision, found) = etcd.read("live/").await.unwrap();
    assert_eq!(found, many);
    let mut changes = etcd.watch(revision).await.unwrap();
    etcd.write(&[put("live/0000", "z"), gone("live/0001")], None)
        .await
        .unwrap();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(changes.next().await.unwrap());
    }
    seen.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(seen, [put("live/0000", "z"), gone("live/0001")]);
}

#[tokio::test]
async fn of_two_who_change_the_same_one_does() {
    let Some(server) = Server::start().await else {
        return;
    };
    let etcd = Etcd::connect(&server.config()).await.unwrap();
    let other = Etcd::connect(&server.config()).await.unwrap();
    assert_eq!(etcd.get("used/a").await.unwrap(), (None, 0));
    let (one, two) = (put("used/a", "1"), put("used/a", "2"));
    let (one, two) = tokio::join!(
        etcd.write_unchanged(&one, 0, None),
        other.write_unchanged(&two, 0, None)
    );
    assert_ne!(one.unwrap(), two.unwrap());
    let (value, changed) = etcd.get("used/a").await.unwrap();
    assert!(value.is_some() && changed > 0);
    let next = put("used/a", "3");
    assert!(other.write_unchanged(&next, changed, None).await.unwrap());
    assert!(!etcd.write_unchanged(&next, changed, None).await.unwrap());
}

#[tokio::test]
async fn what_belongs_to_a_lease_goes_with_it() {
    let Some(server) = Server::start().await else {
        return;
    };
    let mut etcd = Etcd::connect(&server.config()).await.unwrap();
    let mut lease = etcd.lease(Duration::from_secs(60)).await.unwrap();
    etcd.write(&[put("mine", "1")], Some(lease.id))
        .await
        .unwrap();
    lease.keep().await.unwrap();
    let (revision, found) = etcd.read("").await.unwrap();
    assert_eq!(found, [put("mine", "1")]);
    let mut changes = etcd.watch(revision).await.unwrap();
    etcd.revoke(&lease).await.unwrap();
    assert_eq!(changes.next().await.unwrap(), [gone("mine")]);
    assert_eq!(lease.keep().await, Err(EtcdFailure::Expired));
}

#[tokio::test]
async fn a_server_that_is_gone_is_noticed() {
    let Some(mut server) = Server::start().await else {
        return;
    };
    let mut etcd = Etcd::connect(&server.config()).await.unwrap();
    let mut changes = etcd.watch(0).await.unwrap();
    server.stop();
    assert!(changes.next().await.is_err());
    let refused = Etcd::connect(&server.config()).await.unwrap_err();
    assert!(
        matches!(&refused, EtcdFailure::Unreachable(why) if why.contains("127.0.0.1:1")),
        "{refused}"
    );
    let mut config = server.config();
    config.endpoints = vec!["etcd:2379".to_owned()];
    let wrong = Etcd::connect(&config).await.unwrap_err();
    assert!(matches!(wrong, EtcdFailure::Configuration(_)), "{wrong}");
}

#[test]
fn a_prefix_has_an_end() {
    for (prefix, end) in [
        (&b"/mesh/"[..], &b"/mesh0"[..]),
        (b"a\xff", b"b"),
        (b"\xff", b"\0"),
        (b"", b"\0"),
    ] {
        assert_eq!(behind(prefix), end, "{prefix:?}");
    }
}
