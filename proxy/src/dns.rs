//! Names of the mesh for workloads whose traffic is captured (language 3.7): their questions come here, and those that are
//! about others are passed on.
//!
//! Never lets anybody else answer for a name of the mesh, and never waits for a name server without an end.

mod answer;
mod forward;
pub(crate) mod nameservers;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::shared::Shared;

pub(crate) use answer::Names;

/// What fits into a datagram.
const MESSAGE: usize = 65_535;
/// Questions that are passed on at once. Who asks more asks again.
const MOST_QUESTIONS: usize = 512;
/// Connections at once.
const MOST_CONNECTIONS: usize = 64;
/// For the next question on a connection (RFC 7766 6.2.3).
const NEXT_QUESTION: Duration = Duration::from_secs(10);
/// After an error of a socket: others need time to give back what was lacking.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers on loopback until it is dropped.
#[derive(Debug)]
pub(crate) struct Dns {
    answering: Vec<JoinHandle<()>>,
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.answering.iter().for_each(JoinHandle::abort);
    }
}

/// The sockets of one address.
pub(crate) type Sockets = (UdpSocket, TcpListener);

/// Takes a port of loopback, of IPv6 too where the host has it.
pub(crate) async fn bind(port: u16) -> io::Result<Vec<Sockets>> {
    let both = async |ip: IpAddr| {
        let address = SocketAddr::new(ip, port);
        let udp = UdpSocket::bind(address).await?;
        io::Result::Ok((udp, TcpListener::bind(address).await?))
    };
    let mut sockets = vec![both(Ipv4Addr::LOCALHOST.into()).await?];
    match both(Ipv6Addr::LOCALHOST.into()).await {
        Ok(more) => sockets.push(more),
        Err(why) => tracing::debug!(%why, "names are not answered over IPv6"),
    }
    Ok(sockets)
}

impl Dns {
    /// Begins to answer; what is passed on goes to the name servers of the host.
    pub(crate) fn start(shared: &Arc<Shared>, sockets: Vec<Sockets>, runtime: &Handle) -> Self {
        let server = Arc::new(Server {
            shared: Arc::clone(shared),
            nameservers: nameservers::of_the_host(),
            questions: Arc::new(Semaphore::new(MOST_QUESTIONS)),
            connections: Arc::new(Semaphore::new(MOST_CONNECTIONS)),
        });
        let answering = sockets.into_iter().flat_map(|(udp, tcp)| {
            [
                runtime.spawn(Arc::clone(&server).datagrams(udp)),
                runtime.spawn(Arc::clone(&server).accept(tcp)),
            ]
        });
        let answering = answering.collect();
        Self { answering }
    }
}

struct Server {
    shared: Arc<Shared>,
    nameservers: Vec<SocketAddr>,
    questions: Arc<Semaphore>,
    connections: Arc<Semaphore>,
}

impl Server {
    async fn datagrams(self: Arc<Self>, socket: UdpSocket) {
        let socket = Arc::new(socket);
        let mut buffer = vec![0; MESSAGE];
        loop {
            let Ok((count, from)) = socket.recv_from(&mut buffer).await else {
                sleep(PAUSE).await;
                continue;
            };
            let question = buffer.get(..count).unwrap_or_default();
            if let Some(answer) = self.own(question) {
                // Who asked asks again.
                drop(socket.send_to(&answer, from).await);
                continue;
            }
            let Ok(room) = Arc::clone(&self.questions).try_acquire_owned() else {
                continue;
            };
            let (server, socket, question) =
                (Arc::clone(&self), Arc::clone(&socket), question.to_vec());
            tokio::spawn(async move {
                let answer = forward::datagram(&question, &server.nameservers).await;
                if let Some(answer) = answer.or_else(|| answer::failure(&question)) {
                    drop(socket.send_to(&answer, from).await);
                }
                drop(room);
            });
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let Ok(room) = Arc::clone(&self.connections).try_acquire_owned() else {
                continue;
            };
            let server = Arc::clone(&self);
            tokio::spawn(async move {
                // Whatever ends a connection, its client asks again.
                drop(server.connection(stream).await);
                drop(room);
            });
        }
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let question = timeout(NEXT_QUESTION, read(&mut stream)).await??;
            let answer = match self.own(&question) {
                Some(answer) => Some(answer),
                None => forward::stream(&question, &self.nameservers).await,
            };
            let Some(answer) = answer.or_else(|| answer::failure(&question)) else {
                return Ok(());
            };
            timeout(NEXT_QUESTION, write(&mut stream, &answer)).await??;
        }
    }

    /// The answer to a question about the mesh.
    fn own(&self, question: &[u8]) -> Option<Vec<u8>> {
        answer::answer(question, &self.shared.table().names)
    }
}

/// One message of a stream, with its length before it (RFC 1035 4.2.2).
async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn write(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    stream
        .write_all(&[&length.to_be_bytes(), message].concat())
        .await
}
