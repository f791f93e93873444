//! Questions that are about others, passed on as they are.
//!
//! Never takes an answer from anybody but who was asked, nor one with another number than the question.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::{MESSAGE, read, write};

/// For one name server, before the next is asked.
const WAIT: Duration = Duration::from_secs(2);
/// Name servers that one question goes to: as many as the C library asks.
const MOST_SERVERS: usize = 3;

/// The answer to a datagram; `None` where nobody gave one.
pub(super) async fn datagram(question: &[u8], nameservers: &[SocketAddr]) -> Option<Vec<u8>> {
    for nameserver in nameservers.iter().take(MOST_SERVERS) {
        match timeout(WAIT, ask(question, *nameserver)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(why)) => tracing::debug!(%nameserver, %why, "no answer"),
            Err(_) => tracing::debug!(%nameserver, "no answer in time"),
        }
    }
    None
}

/// The answer to a message on a stream; `None` where nobody gave one.
pub(super) async fn stream(question: &[u8], nameservers: &[SocketAddr]) -> Option<Vec<u8>> {
    for nameserver in nameservers.iter().take(MOST_SERVERS) {
        let asked = async {
            let mut stream = TcpStream::connect(nameserver).await?;
            write(&mut stream, question).await?;
            read(&mut stream).await
        };
        match timeout(WAIT, asked).await {
            Ok(Ok(answer)) if answers(question, &answer) => return Some(answer),
            Ok(Ok(_) | Err(_)) | Err(_) => tracing::debug!(%nameserver, "no answer"),
        }
    }
    None
}

/// A socket of its own for each question: its port cannot be guessed, and nobody else's datagrams come to it.
async fn ask(question: &[u8], nameserver: SocketAddr) -> io::Result<Vec<u8>> {
    let any = match nameserver {
        SocketAddr::V4(_) => SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0),
        SocketAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(nameserver).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; MESSAGE];
    loop {
        let count = socket.recv(&mut buffer).await?;
        let answer = buffer.get(..count).unwrap_or_default();
        if answers(question, answer) {
            return Ok(answer.to_vec());
        }
    }
}

/// It has the number of the question, and says that it is an answer.
fn answers(question: &[u8], answer: &[u8]) -> bool {
    let is_answer = answer.get(2).is_some_and(|flags| flags & 0x80 != 0);
    is_answer && question.get(..2) == answer.get(..2)
}
