use aws_lc_rs::hmac;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::random;
use crate::settings::{Reference, Scheme};
use crate::state::StateDir;

struct Door {
    directory: tempfile::TempDir,
    hooks: Arc<Hooks>,
    bell: Arc<Doorbell>,
    address: std::net::SocketAddr,
    _stop: watch::Sender<bool>,
}

impl Door {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let secret_file = directory.path().join("secret");
        std::fs::write(&secret_file, "word\n").unwrap();
        let mut source = Source::named("/r", Reference::Branch("main".to_owned()));
        source.webhook = Some(Hook {
            kind: Scheme::Github,
            secret_file,
        });
        let bell = Arc::new(Doorbell::default());
        let events = Events::open(&StateDir::open(directory.path()).unwrap());
        let hooks = Hooks::new([(&source, Arc::clone(&bell))], Arc::new(events));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = watch::Sender::new(false);
        tokio::spawn(Arc::clone(&hooks).serve(listener, stop.subscribe()));
        Self {
            directory,
            hooks,
            bell,
            address,
            _stop: stop,
        }
    }

    /// The status of the answer.
    async fn post(&self, path: &str, headers: &str, body: &[u8]) -> u16 {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Who refuses early does not read it all.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1);
        status
            .unwrap_or_else(|| panic!("{answer}"))
            .parse()
            .unwrap()
    }

    async fn is_rung(&self) -> bool {
        let rung = tokio::time::timeout(Duration::from_millis(20), self.bell.rung.notified());
        rung.await.is_ok()
    }
}

const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";

fn signed(body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"word");
    let tag = random::to_hex(hmac::sign(&key, body).as_ref());
    format!("{JSON}X-Hub-Signature-256: sha256={tag}\r\n")
}

#[tokio::test]
async fn only_who_knows_the_secret_wakes_meshd() {
    let door = Door::open().await;
    let body = b"{\"ref\":\"refs/heads/main\"}";
    let large = vec![b' '; MOST_BYTES + 1];
    let right = signed(body);
    let form = right.replace("application/json", "application/x-www-form-urlencoded");
    for (path, headers, body, status) in [
        ("/hooks/repository", right.as_str(), &body[..], 202),
        // What it says is nobody's business.
        ("/hooks/repository", &signed(b"no json"), b"no json", 202),
        ("/hooks/repository", &right, b"{}", 401),
        ("/hooks/repository", JSON, body, 401),
        ("/hooks/repository", &form, body, 415),
        ("/hooks/repository", &signed(&large), &large, 413),
        ("/hooks/other", &right, body, 404),
        ("/v1/status", &right, body, 404),
        ("/metrics", &right, body, 404),
    ] {
        assert_eq!(
            door.post(path, headers, body).await,
            status,
            "{path} {headers}"
        );
        assert_eq!(door.is_rung().await, status == 202, "{path} {headers}");
    }
    let events = door.hooks.events.list();
    let reasons: Vec<_> = events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!(reasons, ["WebhookRefused", "WebhookRefused"]);
    // Another secret counts at once; one that is gone is told.
    let file = door.directory.path().join("secret");
    std::fs::write(&file, "another").unwrap();
    assert_eq!(door.post("/hooks/repository", &right, body).await, 401);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(door.post("/hooks/repository", &right, body).await, 500);
    assert!(
        door.hooks.events.list()[0]
            .message
            .contains("cannot be read")
    );
}

#[tokio::test]
async fn a_flood_is_refused() {
    let door = Door::open().await;
    let mut refused = 0;
    for _ in 0..2 * BURST as u32 {
        refused += u32::from(door.post("/hooks/other", JSON, b"{}").await == 429);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn many_knocks_are_one_look_and_looks_are_apart() {
    let bell = Doorbell::default();
    for _ in 0..100 {
        bell.ring();
    }
    bell.rings().await;
    let first = Instant::now();
    let more = tokio::time::timeout(Duration::from_millis(10), bell.rings());
    assert!(more.await.is_err());
    bell.ring();
    bell.rings().await;
    assert!(
        first.elapsed() >= BREATH.mul_f64(0.9),
        "{:?}",
        first.elapsed()
    );
}
