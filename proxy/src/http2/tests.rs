//! Both ends against each other and against another implementation of the protocol, over a pipe that holds little.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;

use super::frame::{DATA, END_HEADERS, END_STREAM, HEAD, HEADERS, Head};
use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const LIMITS: Limits = Limits {
    stream_window: 65_536,
    connection_window: 65_536,
    head_bytes: 65_536,
    streams: 100,
};

/// A request, and what is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    headers: Vec<(String, String)>,
    body: Vec<Bytes>,
    trailers: Option<Vec<(String, String)>>,
}

fn map(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        let name = HeaderName::try_from(name).unwrap();
        (name, HeaderValue::try_from(value).unwrap())
    };
    let mut map = HeaderMap::new();
    fields.iter().map(field).for_each(|(name, value)| {
        map.append(name, value);
    });
    map
}

/// What came back, in the form that both have.
type Echo = (HeaderMap, Vec<u8>, Option<HeaderMap>);

impl Message {
    fn echo(&self) -> Echo {
        let trailers = self.trailers.as_ref().map(|trailers| map(trailers));
        (map(&self.headers), self.body.concat(), trailers)
    }
}

async fn send(stream: &mut SendStream, data: Bytes, last: bool) -> Result<(), Error> {
    let mut data = data;
    if data.is_empty() {
        return if last { stream.end() } else { Ok(()) };
    }
    poll_fn(|cx| stream.poll_send(&mut data, last, cx)).await
}

async fn our_server(io: DuplexStream) {
    let mut server = Server::new(io, LIMITS);
    while let Some(begun) = poll_fn(|cx| server.poll_accept(cx)).await {
        let Begun { request, respond } = begun.unwrap();
        let request = request.unwrap();
        tokio::spawn(async move {
            let (parts, mut body) = request.into_parts();
            let answer = respond.send(StatusCode::OK, &parts.headers, false);
            let mut answer = answer.unwrap();
            while let Some(data) = poll_fn(|cx| body.poll_data(cx)).await {
                send(&mut answer, data.unwrap(), false).await.unwrap();
            }
            match body.take_trailers() {
                Some(trailers) => answer.send_trailers(&trailers).unwrap(),
                None => answer.end().unwrap(),
            }
        });
    }
}

async fn our_client(io: DuplexStream, messages: &[Message]) -> Vec<Echo> {
    let (client, connection) = connect(io, LIMITS);
    let driver = tokio::spawn(connection);
    let exchanges = messages.iter().map(async |message| {
        let head = RequestHead {
            method: &Method::POST,
            scheme: &Scheme::HTTP,
            authority: b"api",
            path: "/echo?x",
            headers: &map(&message.headers),
            instead: None,
        };
        let (mut answer, stream) = client.begin(&head, false).unwrap();
        let mut stream = stream.unwrap();
        let asking = async {
            for data in &message.body {
                send(&mut stream, data.clone(), false).await.unwrap();
            }
            match &message.trailers {
                Some(trailers) => stream.send_trailers(&map(trailers)).unwrap(),
                None => stream.end().unwrap(),
            }
        };
        let hearing = async {
            let answer = poll_fn(|cx| answer.poll(cx)).await.unwrap();
            let (parts, mut stream) = answer.into_parts();
            let mut body = Vec::new();
            while let Some(data) = poll_fn(|cx| stream.poll_data(cx)).await {
                body.extend_from_slice(&data.unwrap());
            }
            (parts.headers, body, stream.take_trailers())
        };
        tokio::join!(asking, hearing).1
    });
    let echoes = futures(exchanges).await;
    drop(client);
    assert_eq!(driver.await.unwrap(), Ok(()));
    echoes
}

async fn their_server(io: DuplexStream) {
    let mut server = h2::server::handshake(io).await.unwrap();
    while let Some(accepted) = server.accept().await {
        let (request, mut respond) = accepted.unwrap();
        tokio::spawn(async move {
            let (parts, mut body) = request.into_parts();
            let mut response = Response::new(());
            *response.headers_mut() = parts.headers;
            let mut answer = respond.send_response(response, false).unwrap();
            while let Some(data) = body.data().await {
                let data = data.unwrap();
                body.flow_control().release_capacity(data.len()).unwrap();
                answer.send_data(data, false).unwrap();
            }
            match body.trailers().await.unwrap() {
                Some(trailers) => answer.send_trailers(trailers).unwrap(),
                None => answer.send_data(Bytes::new(), true).unwrap(),
            }
        });
    }
}

async fn their_client(io: DuplexStream, messages: &[Message]) -> Vec<Echo> {
    let (client, connection) = h2::client::handshake(io).await.unwrap();
    let driver = tokio::spawn(connection);
    let exchanges = messages.iter().map(async |message| {
        let mut client = client.clone().ready().await.unwrap();
        let mut request = Request::post("http://api/echo?x").body(()).unwrap();
        *request.headers_mut() = map(&message.headers);
        let (answer, mut stream) = client.send_request(request, false).unwrap();
        for data in &message.body {
            stream.send_data(data.clone(), false).unwrap();
        }
        match &message.trailers {
            Some(trailers) => stream.send_trailers(map(trailers)).unwrap(),
            None => stream.send_data(Bytes::new(), true).unwrap(),
        }
        let (parts, mut stream) = answer.await.unwrap().into_parts();
        let mut body = Vec::new();
        while let Some(data) = stream.data().await {
            let data = data.unwrap();
            stream.flow_control().release_capacity(data.len()).unwrap();
            body.extend_from_slice(&data);
        }
        (parts.headers, body, stream.trailers().await.unwrap())
    });
    let echoes = futures(exchanges).await;
    drop(client);
    driver.await.unwrap().unwrap();
    echoes
}

/// All of them at once, in order.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    poll_fn(|cx| {
        for (one, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(output) = one.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        match all.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

fn a_message() -> impl Strategy<Value = Message> {
    let fields = || prop::collection::vec(("x-[a-z]{1,9}", "[!-~]{0,40}"), 0..6);
    let long = Just(vec![("x-long".to_owned(), "v".repeat(40_000))]);
    let headers = prop_oneof![9 => fields(), 1 => long];
    let chunk = prop_oneof![0..100_usize, 1_000..20_000_usize, Just(100_000)];
    let chunk = chunk.prop_map(|length| Bytes::from(vec![b'x'; length]));
    let body = prop::collection::vec(chunk, 0..4);
    let trailers = prop::option::of(fields().prop_filter("some", |all| !all.is_empty()));
    (headers, body, trailers).prop_map(|(headers, body, trailers)| Message {
        headers,
        body,
        trailers,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn messages_arrive_whole_whoever_is_at_the_other_end(
        messages in prop::collection::vec(a_message(), 1..12),
        pipe in 100..30_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let expected: Vec<_> = messages.iter().map(Message::echo).collect();
        for (ours, theirs) in [(true, false), (false, true), (true, true)] {
            let echoes = runtime.block_on(async { timeout(PATIENCE, async {
                let (near, far) = duplex(pipe);
                match theirs {
                    true => drop(tokio::spawn(our_server(far))),
                    false => drop(tokio::spawn(their_server(far))),
                }
                match ours {
                    true => our_client(near, &messages).await,
                    false => their_client(near, &messages).await,
                }
            }).await });
            prop_assert_eq!(echoes.unwrap(), expected.clone());
        }
    }

    #[test]
    fn no_bytes_make_either_end_panic(
        frames in prop::collection::vec(
            (0..11_u8, any::<u8>(), 0..6_u32, prop::collection::vec(any::<u8>(), 0..40)),
            1..40,
        ),
        client in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let mut bytes = if client { Vec::new() } else { crate::stream::PREFACE.to_vec() };
        bytes.extend(Head { length: 0, kind: 4, flags: 0, stream: 0 }.bytes());
        for (kind, flags, stream, payload) in frames {
            let length = payload.len();
            bytes.extend(Head { length, kind, flags, stream }.bytes());
            bytes.extend(payload);
        }
        let ended = runtime.block_on(async { timeout(PATIENCE, async {
            let (mut near, far) = duplex(1 << 20);
            near.write_all(&bytes).await.unwrap();
            near.shutdown().await.unwrap();
            if client {
                let (client, connection) = connect(far, LIMITS);
                let _ = connection.await;
                drop(client);
            } else {
                let mut server = Server::new(far, LIMITS);
                while let Some(Ok(begun)) = poll_fn(|cx| server.poll_accept(cx)).await {
                    drop(begun);
                }
            }
        }).await });
        prop_assert!(ended.is_ok());
    }
}

/// `GET /` as a client without any memory writes it.
fn asks(stream: u32) -> Vec<u8> {
    let block = [0x82, 0x84, 0x86, 0x41, 3, b'a', b'p', b'i'];
    let flags = END_HEADERS | END_STREAM;
    let head = Head {
        length: block.len(),
        kind: HEADERS,
        flags,
        stream,
    };
    [&head.bytes()[..], &block].concat()
}

fn greeting() -> Vec<u8> {
    let settings = Head {
        length: 0,
        kind: 4,
        flags: 0,
        stream: 0,
    };
    [crate::stream::PREFACE, &settings.bytes()].concat()
}

#[tokio::test(start_paused = true)]
async fn who_asks_and_does_not_listen_is_not_heard_any_more() {
    let (mut near, far) = duplex(4_096);
    let mut server = Server::new(far, LIMITS);
    let mut headers = HeaderMap::new();
    headers.insert("x-large", HeaderValue::try_from("v".repeat(1_000)).unwrap());
    let answering = async {
        let mut answered = 0;
        while let Some(Ok(begun)) = poll_fn(|cx| server.poll_accept(cx)).await {
            // One value for each, so that none is remembered.
            headers.insert("x-number", HeaderValue::from(answered));
            begun.respond.send(StatusCode::OK, &headers, true).unwrap();
            answered += 1;
            assert!(answered < 20_000, "it is never told to wait");
        }
    };
    let asking = async {
        near.write_all(&greeting()).await.unwrap();
        for number in 0..40_000 {
            near.write_all(&asks(2 * number + 1)).await.unwrap();
        }
    };
    // Time passes only when nobody has anything to do.
    let both = async { tokio::join!(answering, asking) };
    assert!(timeout(PATIENCE, both).await.is_err());
}

#[tokio::test]
async fn a_small_answer_does_not_wait_for_large_ones() {
    let (mut near, far) = duplex(64 * 1024);
    let limits = Limits {
        stream_window: 1 << 24,
        connection_window: 1 << 30,
        ..LIMITS
    };
    let mut server = Server::new(far, limits);
    tokio::spawn(async move {
        let mut number = 0;
        while let Some(Ok(Begun { respond, .. })) = poll_fn(|cx| server.poll_accept(cx)).await {
            number += 1;
            let mut answer = respond
                .send(StatusCode::OK, &HeaderMap::new(), false)
                .unwrap();
            tokio::spawn(async move {
                let small = number == 21;
                while send(&mut answer, Bytes::from(vec![b'.'; 50_000]), small)
                    .await
                    .is_ok()
                    && !small
                {}
            });
        }
    });
    near.write_all(&greeting()).await.unwrap();
    // As much as they like may come.
    let more = |stream: u32| {
        let head = Head {
            length: 4,
            kind: 8,
            flags: 0,
            stream,
        };
        [&head.bytes()[..], &0x7000_0000_u32.to_be_bytes()].concat()
    };
    near.write_all(&more(0)).await.unwrap();
    for stream in 0..20 {
        near.write_all(&asks(2 * stream + 1)).await.unwrap();
        near.write_all(&more(2 * stream + 1)).await.unwrap();
    }
    let mut received = 0;
    let last = async {
        let mut asked = false;
        loop {
            let mut head = [0; HEAD];
            near.read_exact(&mut head).await.unwrap();
            let head = Head::read(&head).unwrap();
            near.read_exact(&mut vec![0; head.length]).await.unwrap();
            received += head.length;
            if received > 4_000_000 && !asked {
                asked = true;
                received = 0;
                near.write_all(&asks(41)).await.unwrap();
            }
            if head.stream == 41 && head.kind == DATA && head.has(END_STREAM) {
                return;
            }
        }
    };
    timeout(PATIENCE, last).await.unwrap();
    assert!(received < 4_000_000, "{received} bytes came before it");
}
