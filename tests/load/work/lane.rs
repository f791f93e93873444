//! One connection of the load.
//!
//! Never ends by itself: it goes on until it is dropped, or something is not as it must be.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at};

use crate::app::Order;

/// What a call sends, and gets back: five bytes of gRPC and a message.
const MESSAGE: usize = 128;
const PIECE: usize = 256 * 1024;

type Sender = http1::SendRequest<Full<Bytes>>;

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The same where more of them are wanted than one address has ports.
async fn connect_from(number: u32, address: SocketAddr) -> Result<TcpStream> {
    const EACH: u32 = 20_000;
    let [.., host] = (number / EACH).to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 83, 200, host.saturating_add(1)], 0).into())?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn http(address: SocketAddr) -> Result<Sender> {
    http_over(connect(address).await?).await
}

async fn http_over(stream: TcpStream) -> Result<Sender> {
    let io = TokioIo::new(stream);
    let (sender, connection) = http1::handshake(io).await?;
    // How it ends is for its requests to see.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

async fn ask(sender: &mut Sender, bytes: usize) -> Result<()> {
    let request = Request::get(format!("/{bytes}"))
        .header("host", "api.load.test")
        .header("user-agent", "mesh-load")
        .body(Full::default())?;
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(status == StatusCode::OK, "{status} {body:?}");
    ensure!(body.len() == bytes, "{} bytes for {bytes}", body.len());
    Ok(())
}

/// Asks until there is an answer: proxies may serve before they know where the others are.
pub(crate) async fn awake(address: SocketAddr, patience: Duration) -> Result<()> {
    let mut ticks = interval_at(Instant::now(), Duration::from_millis(20));
    let deadline = Instant::now() + patience;
    loop {
        ticks.tick().await;
        let asked = async { ask(&mut http(address).await?, 128).await };
        match asked.await {
            Err(why) if Instant::now() > deadline => return Err(why),
            Err(_) => {}
            Ok(()) => return Ok(()),
        }
    }
}

/// One request after the other.
pub(super) async fn requests(address: SocketAddr, bytes: usize, done: Rc<Cell<f64>>) -> Result<()> {
    let mut sender = http(address).await?;
    loop {
        ask(&mut sender, bytes).await?;
        done.set(done.get() + 1.0);
    }
}

/// One request in each period, counted from when it was due.
pub(super) async fn paced(
    address: SocketAddr,
    (first, period): (Duration, Duration),
    done: Rc<Cell<f64>>,
    took: Rc<RefCell<Vec<f64>>>,
) -> Result<()> {
    let mut sender = http(address).await?;
    let mut ticks = interval_at(Instant::now() + first, period);
    loop {
        let due = ticks.tick().await;
        ask(&mut sender, 128).await?;
        done.set(done.get() + 1.0);
        took.borrow_mut()
            .push(due.elapsed().as_secs_f64() * 1_000.0);
    }
}

/// Calls over one connection, so many at once.
pub(super) async fn calls(address: SocketAddr, streams: usize, done: Rc<Cell<f64>>) -> Result<()> {
    let io = TokioIo::new(connect(address).await?);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
    // How it ends is for its requests to see.
    tokio::spawn(async move { drop(connection.await) });
    let mut running = JoinSet::new();
    for _ in 0..streams {
        let (sender, done) = (sender.clone(), Rc::clone(&done));
        running.spawn_local(call(sender, done));
    }
    running.join_next().await.context("no calls")??
}

async fn call(mut sender: http2::SendRequest<Full<Bytes>>, done: Rc<Cell<f64>>) -> Result<()> {
    let message = Bytes::from_static(&[0; MESSAGE]);
    loop {
        let request = Request::post("http://api.load.test/load.Echo/Say")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(message.clone()))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?;
        let code = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status"));
        ensure!(code.is_some_and(|code| code == "0"), "{status} {code:?}");
        ensure!(body.to_bytes() == message, "another message came back");
        done.set(done.get() + 1.0);
    }
}

/// One connection after the other.
pub(super) async fn connections(address: SocketAddr, done: Rc<Cell<f64>>) -> Result<()> {
    loop {
        drop(greet(connect(address).await?).await?);
        done.set(done.get() + 1.0);
    }
}

async fn greet(mut stream: TcpStream) -> Result<TcpStream> {
    stream.write_all(&[Order::Echo as u8, b'!']).await?;
    ensure!(stream.read_u8().await? == b'!', "another byte came back");
    Ok(stream)
}

/// Bytes one way.
pub(super) async fn stream(address: SocketAddr, order: Order, done: Rc<Cell<f64>>) -> Result<()> {
    let mut stream = connect(address).await?;
    let mut piece = vec![0; PIECE];
    stream.write_u8(order as u8).await?;
    loop {
        let length = match order {
            Order::Take => stream.write(&piece).await?,
            Order::Send | Order::Echo => stream.read(&mut piece).await?,
        };
        ensure!(length > 0, "the stream ended");
        #[expect(clippy::cast_precision_loss, reason = "a piece is small")]
        done.set(done.get() + length as f64);
    }
}

/// Connections that have had one request each, all at the same time, so that no proxy could do with fewer.
pub(crate) async fn rest_http(address: SocketAddr, count: u32) -> Result<Vec<impl Sized>> {
    // So many ask at once: the policies of the peers let more be refused.
    const AT_ONCE: u32 = 1_000;
    let mut held = Vec::new();
    for first in (0..count).step_by(AT_ONCE as usize) {
        let mut opened = Vec::new();
        for number in first..count.min(first + AT_ONCE) {
            opened.push(http_over(connect_from(number, address).await?).await?);
        }
        let mut asking = JoinSet::new();
        for mut sender in opened {
            asking.spawn(async move { ask(&mut sender, 128).await.map(|()| sender) });
        }
        while let Some(asked) = asking.join_next().await {
            held.push(asked??);
        }
    }
    Ok(held)
}

/// Connections that have carried one byte each way.
pub(crate) async fn rest_tcp(address: SocketAddr, count: u32) -> Result<Vec<impl Sized>> {
    let mut held = Vec::new();
    for number in 0..count {
        held.push(greet(connect_from(number, address).await?).await?);
    }
    Ok(held)
}
