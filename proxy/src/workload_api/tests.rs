use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use mesh_delivery::workload_api::Svid;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls_pki_types::CertificateDer;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use super::*;
use crate::identity::PrivateKey;
use crate::identity::tests::Ca;

pub(crate) const WEB: &str = "spiffe://default.local/workload/web";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a stand-in for an agent says to everybody who asks.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    /// These bytes, and then whatever it says next.
    Bytes(Bytes),
    /// A gRPC status, and the end.
    Refusal(&'static str, &'static str),
    /// Nothing yet.
    Nothing,
}

/// A stand-in for an agent: real gRPC on a socket of its own.
pub(crate) struct Standin {
    say: watch::Sender<Says>,
    task: JoinHandle<()>,
}

impl Standin {
    pub(crate) fn start(socket: &Path, says: Says) -> Self {
        drop(std::fs::remove_file(socket));
        let listener = UnixListener::bind(socket).unwrap();
        let (say, said) = watch::channel(says);
        let task = tokio::spawn(async move {
            // They end with it.
            let mut calls = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                calls.spawn(serve(stream, said.clone()));
            }
        });
        Self { say, task }
    }

    pub(crate) fn say(&self, says: Says) {
        self.say.send_replace(says);
    }

    pub(crate) async fn stop(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

async fn serve(stream: tokio::net::UnixStream, said: watch::Receiver<Says>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(request, respond, said.clone()));
    }
}

async fn answer(
    request: Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    mut said: watch::Receiver<Says>,
) {
    assert_eq!(request.uri().path(), "/SpiffeWorkloadAPI/FetchX509SVID");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let head = Response::builder().header("content-type", "application/grpc");
    let head = head.body(()).unwrap();
    let mut stream = respond.send_response(head, false).unwrap();
    let refuse = |stream: &mut h2::SendStream<Bytes>, code: &str, message: &str| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", code.parse().unwrap());
        trailers.insert("grpc-message", message.parse().unwrap());
        drop(stream.send_trailers(trailers));
    };
    // As the specification has it: a request without it comes from somewhere else.
    if request
        .headers()
        .get("workload.spiffe.io")
        .is_none_or(|it| it != "true")
    {
        return refuse(&mut stream, "3", "security header missing");
    }
    let mut body = request.into_body();
    let asked = body.data().await.unwrap().unwrap();
    assert_eq!(&*asked, [0; 5]);
    loop {
        let says = said.borrow_and_update().clone();
        match says {
            Says::Bytes(bytes) => drop(stream.send_data(bytes, false)),
            Says::Refusal(code, message) => return refuse(&mut stream, code, message),
            Says::Nothing => {}
        }
        if said.changed().await.is_err() {
            return;
        }
    }
}

/// As the specification has it, by no code of the mesh.
fn framed(svids: &[Svid]) -> Bytes {
    fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
        message.push(number << 3 | 2);
        let mut length = bytes.len();
        while length > 0x7f {
            message.push(0x80 | (length & 0x7f) as u8);
            length >>= 7;
        }
        message.push(length as u8);
        message.extend_from_slice(bytes);
    }
    let mut message = Vec::new();
    for svid in svids {
        let mut one = Vec::new();
        field(&mut one, 1, svid.spiffe_id.as_bytes());
        field(&mut one, 2, &svid.chain);
        field(&mut one, 3, &svid.key);
        field(&mut one, 4, &svid.bundle);
        // What a later version may add, and a hint.
        field(&mut one, 5, b"internal");
        field(&mut message, 1, &one);
    }
    field(&mut message, 2, b"a list of revoked ones");
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(&message);
    bytes.freeze()
}

/// An identity that an authority of SPIRE has signed.
fn svid(ca: &Ca, name: &str, left: i64) -> Svid {
    let key = PrivateKey::generate().unwrap();
    let end = unix_now().saturating_add_signed(left);
    let leaf = ca.issue(&key.request().unwrap(), &[name], end);
    Svid {
        spiffe_id: name.to_owned(),
        chain: leaf.to_vec(),
        key: key.pkcs8().to_vec(),
        bundle: ca.certificate.to_vec(),
    }
}

fn all(svids: &[Svid]) -> Says {
    Says::Bytes(framed(svids))
}

/// One identity, as an agent gives it.
pub(crate) fn gives(ca: &Ca, name: &str) -> Says {
    all(&[svid(ca, name, 3_600)])
}

/// Waits until the agent gives, or does not give, what is wanted; what that is.
async fn until(agent: &mut Agent, name: &str, what: impl Fn(&Found) -> bool) -> Found {
    let name: SpiffeId = name.parse().unwrap();
    let found = async {
        loop {
            agent.has_news();
            let found = agent.certificate(&name);
            if what(&found) {
                return found;
            }
            agent.news().await;
        }
    };
    timeout(PATIENCE, found).await.expect("in time")
}

type Found = Result<Arc<Credential>, String>;

fn leaf(found: &Found) -> CertificateDer<'static> {
    found.as_ref().unwrap().chain()[0].clone()
}

#[tokio::test]
async fn what_an_agent_gives_is_taken_and_so_is_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let ca = Ca::new("spire");
    let standin = Standin::start(&socket, Says::Nothing);
    let mut agent = Agent::start(Some(socket.clone()));
    let unknown = agent.certificate(&WEB.parse().unwrap()).unwrap_err();
    assert_eq!(unknown, "it has not answered yet");

    let other = svid(&ca, "spiffe://default.local/workload/other", 3_600);
    standin.say(all(&[other.clone(), svid(&ca, WEB, 3_600)]));
    let first = leaf(&until(&mut agent, WEB, Result::is_ok).await);
    let next = all(&[svid(&ca, WEB, 3_600)]);
    standin.say(next);
    let is_next = |found: &Found| found.is_ok() && leaf(found) != first;
    let second = leaf(&until(&mut agent, WEB, is_next).await);

    // It gives something else: that is told.
    standin.say(all(&[other]));
    let why = until(&mut agent, WEB, Result::is_err).await.unwrap_err();
    assert!(
        why.contains("`spiffe://default.local/workload/other`, and not"),
        "{why}"
    );
    // It is gone, and another one is there.
    standin.stop().await;
    let standin = Standin::start(&socket, gives(&ca, WEB));
    let third = leaf(&until(&mut agent, WEB, Result::is_ok).await);
    assert!(third != second);
    standin.stop().await;
}

#[tokio::test]
async fn other_kinds_of_keys_are_taken() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let ca = Ca::new("spire");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key);
    let leaf = ca.issue(request.unwrap().der(), &[WEB], unix_now() + 3_600);
    let given = Svid {
        chain: leaf.to_vec(),
        key: key.serialize_der(),
        ..svid(&ca, WEB, 3_600)
    };
    let _standin = Standin::start(&socket, all(&[given]));
    let mut agent = Agent::start(Some(socket));
    until(&mut agent, WEB, Result::is_ok).await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_is_told_and_what_was_good_stays() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let ca = Ca::new("spire");
    let again = gives(&ca, WEB);
    let standin = Standin::start(&socket, again.clone());
    let mut agent = Agent::start(Some(socket));
    let good = leaf(&until(&mut agent, WEB, Result::is_ok).await);
    let fine = || svid(&ca, WEB, 3_600);
    let with = |change: fn(&mut Svid)| {
        let mut bad = fine();
        change(&mut bad);
        all(&[bad])
    };
    let long = Bytes::from_static(&[0, 0xff, 0xff, 0xff, 0xff]);
    let packed = Bytes::from_static(&[1, 0, 0, 0, 0]);
    let strange = Bytes::from_static(&[0, 0, 0, 0, 1, 0xff]);
    let two = [
        "spiffe://default.local/workload/web",
        "spiffe://default.local/b",
    ];
    let key = PrivateKey::generate().unwrap();
    let double = ca.issue(&key.request().unwrap(), &two, unix_now() + 60);
    let double = Svid {
        chain: double.to_vec(),
        key: key.pkcs8().to_vec(),
        ..fine()
    };
    for (says, why) in [
        (all(&[]), "it gives no identity"),
        (with(|bad| bad.chain.clear()), "the chain is empty"),
        (with(|bad| bad.chain.push(0)), "cannot be read"),
        (
            with(|bad| bad.key = PrivateKey::generate().unwrap().pkcs8().to_vec()),
            "another key",
        ),
        (with(|bad| bad.key.clear()), "cannot be read"),
        (with(|bad| bad.spiffe_id.push('2')), "was asked for"),
        (with(|bad| bad.spiffe_id = "web\n".to_owned()), "`web`"),
        (with(|bad| bad.bundle.clear()), "0 certificates"),
        (with(|bad| bad.bundle = bad.chain.clone()), "no authority"),
        (with(|bad| bad.bundle.truncate(9)), "cannot be read"),
        (all(&[svid(&ca, WEB, -60)]), "has ended"),
        (all(&[double]), "2 URI names"),
        (Says::Bytes(long), "at most"),
        (Says::Bytes(packed), "compressed"),
        (Says::Bytes(strange), "cannot be read"),
        (
            Says::Refusal("7", "no identity issued"),
            "7: no identity issued",
        ),
    ] {
        let trouble = |known: &Known| known.trouble.as_ref().is_some_and(|it| it.contains(why));
        standin.say(says);
        let known = agent.known.wait_for(trouble);
        let told = timeout(PATIENCE, known).await.is_ok();
        assert!(told, "{why}: {:?}", agent.known.borrow().trouble);
        assert_eq!(
            leaf(&agent.certificate(&WEB.parse().unwrap())),
            good,
            "{why}"
        );
        // Without this trouble the next one is not told from it.
        standin.say(Says::Nothing);
        standin.say(again.clone());
        let none = agent.known.wait_for(|known| known.trouble.is_none());
        drop(timeout(PATIENCE, none).await.expect(why).unwrap());
    }
}

#[tokio::test]
async fn an_agent_that_is_not_there_yet_is_found_later() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let mut agent = Agent::start(Some(socket.clone()));
    let away = |found: &Found| matches!(found, Err(why) if why.contains("agent.sock: the socket"));
    until(&mut agent, WEB, away).await.unwrap_err();
    let _standin = Standin::start(&socket, gives(&Ca::new("spire"), WEB));
    until(&mut agent, WEB, Result::is_ok).await.unwrap();

    let nowhere = Agent::start(None).certificate(&WEB.parse().unwrap());
    assert!(nowhere.unwrap_err().contains("SPIFFE_ENDPOINT_SOCKET"));
}

#[test]
fn a_socket_is_a_path() {
    for text in ["unix:///run/a.sock", "unix:/run/a.sock", "/run/a.sock"] {
        assert_eq!(socket(text), Ok(PathBuf::from("/run/a.sock")), "{text}");
    }
    for text in [
        "",
        "a.sock",
        "unix:a.sock",
        "unix://a/b",
        "tcp://127.0.0.1:1",
        "unix:///a?b",
    ] {
        assert!(socket(text).is_err(), "{text}");
    }
}
