//! Servers that hang, drip, lie and lead astray: each fetch ends in time, with a reason.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};

use super::server::tls;
use crate::git::{Failure, Source, SourceConfig};
use crate::settings::{self, Reference};

const LIMIT: Duration = Duration::from_millis(400);
/// Later than the deadline: a machine may be busy. Sooner than any other deadline.
const IN_TIME: Duration = Duration::from_secs(8);
const OID: &str = "1234567890123456789012345678901234567890";

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// What a server does with one request.
enum Act {
    /// Answers, and closes.
    Say(Vec<u8>),
    /// Says this, and nothing more.
    Hang(Vec<u8>),
    /// Says this, and then one byte after the other of that, without end.
    Drip(Vec<u8>, &'static [u8]),
}

fn http(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").into_bytes();
    answer.extend(body.as_ref());
    answer
}

fn refs(body: impl AsRef<[u8]>) -> Vec<u8> {
    let kind = "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement";
    http(kind, body)
}

fn pack(body: impl AsRef<[u8]>) -> Vec<u8> {
    let kind = "200 OK\r\nContent-Type: application/x-git-upload-pack-result";
    http(kind, body)
}

fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// One branch, with a commit that nobody has.
fn heads() -> String {
    let service = line("# service=git-upload-pack\n");
    let capabilities = "\0side-band-64k ofs-delta agent=x\n";
    let head = line(&format!("{OID} refs/heads/main{capabilities}"));
    format!("{service}0000{head}0000")
}

fn band(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut packet = format!("{:04x}", bytes.len() + 5).into_bytes();
    packet.push(number);
    packet.extend(bytes);
    packet
}

fn redirect(to: &str) -> Act {
    Act::Say(http(&format!("302 Found\r\nLocation: {to}"), ""))
}

fn act(mode: &str, inner: u16, own: u16) -> Act {
    const QUERY: &str = "info/refs?service=git-upload-pack";
    match mode {
        "hang" => Act::Hang(Vec::new()),
        "hang after headers" => Act::Hang(refs("")),
        "drip headers" => Act::Drip(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n"),
        "drip refs" => Act::Drip(
            refs("001e# service=git-upload-pack\n0000"),
            b"00391234567890123456789012345678901234567890 refs/tags/x\n",
        ),
        "500" => Act::Say(http("500 Oh", "no")),
        "401" => Act::Say(http("401 Unauthorized", "")),
        "403" => Act::Say(http("403 Forbidden", "")),
        "404" => Act::Say(http("404 Not Found", "")),
        "429" => Act::Say(http("429 Slow\r\nRetry-After: 7", "")),
        "503" => Act::Say(http("503 Away\r\nRetry-After: 99999999999999999999999", "")),
        "503 date" => Act::Say(http("503 Away\r\nRetry-After: Fri, 31 Dec 1999", "")),
        "loop" => redirect(&format!("/loop/{QUERY}")),
        "inner" => redirect(&format!("https://localhost:{inner}/x/{QUERY}")),
        "inner name" => redirect(&format!(
            "https://localhost:{own}@127.0.0.1:{inner}/{QUERY}"
        )),
        "plain" => redirect(&format!("http://localhost:{inner}/x/{QUERY}")),
        "file" => redirect(&format!("file:///etc/{QUERY}")),
        "garbage" => Act::Say(refs([0xff; 4000])),
        "html" => Act::Say(refs("<html>not a repository</html>")),
        "website" => Act::Say(http("200 OK\r\nContent-Type: text/html", "<html>")),
        "gzip" => Act::Say(http(
            "200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Encoding: gzip",
            [0x1f, 0x8b, 8, 0, 0, 0, 0, 0],
        )),
        "truncated" => Act::Say(refs(&heads().as_bytes()[..60])),
        "no branch" => Act::Say(refs(heads().replace("main", "niam"))),
        "many" => {
            let mut text = heads();
            text.truncate(text.len() - 4);
            for number in 0..100_000 {
                text.push_str(&line(&format!("{OID} refs/heads/b{number}\n")));
            }
            Act::Say(refs(text.replace("heads/main", "heads/niam") + "0000"))
        }
        "error" => Act::Say(refs(line("ERR \x1b[31mred\x07\n"))),
        "close" => Act::Say(Vec::new()),
        "long header" => Act::Say(http(&format!("200 OK\r\nX: {}", "x".repeat(10 << 20)), "")),
        "many headers" => Act::Say(http(&format!("200 OK{}", "\r\nX: y".repeat(1 << 20)), "")),
        _ => Act::Say(refs(heads())),
    }
}

/// The answer to what is asked for after the references.
fn act_on_want(mode: &str) -> Act {
    let nak = line("NAK\n").into_bytes();
    let sent = |number, bytes: &[u8]| pack([nak.clone(), band(number, bytes)].concat());
    match mode {
        "want refused" => Act::Say(pack(line(&format!("ERR upload-pack: not our ref {OID}")))),
        "want redirected" => redirect("/elsewhere"),
        "pack truncated" => Act::Say(sent(1, b"PACK\0\0\0\x02\0\0\0\x09")),
        "pack corrupt" => Act::Say(sent(
            1,
            &[b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), &[0x9a; 900]].concat(),
        )),
        "pack of millions" => Act::Say(sent(1, b"PACK\0\0\0\x02\xff\xff\xff\xff")),
        "pack hangs" => Act::Hang(sent(1, b"PACK\0\0\0\x02\0\0\0\x01")),
        "pack drips" => Act::Drip(sent(1, b"PACK\0\0\0\x02\0\0\0\x01"), b"0006\x01\x9a"),
        "progress" => Act::Drip(sent(2, b"\x1b[2J"), b"0006\x02."),
        "told" => Act::Say(sent(3, b"\x1b[31mno\x07")),
        _ => Act::Say(pack("")),
    }
}

fn serve(mut stream: BufReader<Stream>, inner: u16, own: u16) -> Option<()> {
    let mut request = String::new();
    stream.read_line(&mut request).ok()?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    stream.read_exact(&mut vec![0; length]).ok()?;
    let mode = request.split('/').nth(1)?.replace('_', " ");
    let act = match request.starts_with("POST") {
        true => act_on_want(&mode),
        false => act(&mode, inner, own),
    };
    let stream = stream.get_mut();
    let (say, drops) = match act {
        Act::Say(bytes) => {
            stream.write_all(&bytes).ok()?;
            stream.conn.send_close_notify();
            return stream.flush().ok();
        }
        Act::Hang(bytes) => (bytes, None),
        Act::Drip(bytes, drops) => (bytes, Some(drops)),
    };
    stream.write_all(&say).ok()?;
    stream.flush().ok()?;
    let pause = drops.map(|_| Duration::from_millis(3));
    stream.sock.set_read_timeout(pause).ok()?;
    for drop in drops.unwrap_or(b"-").iter().cycle() {
        // Until the client hangs up.
        match stream.sock.read(&mut [0; 512]) {
            Ok(0) => break,
            Err(error) if error.kind() != ErrorKind::WouldBlock => break,
            _ => {}
        }
        if drops.is_some() {
            stream.write_all(&[*drop]).ok()?;
            stream.flush().ok()?;
        }
    }
    Some(())
}

const CASES: [(&str, &str); 37] = [
    ("hang", "not done within"),
    ("hang after headers", "not done within"),
    ("drip headers", "fetching from"),
    ("drip refs", "not done within"),
    ("500", "does not serve it (status 500"),
    (
        "401",
        "asks for credentials, or does not take those that it is given (status 401",
    ),
    (
        "403",
        "asks for credentials, or does not take those that it is given (status 403",
    ),
    ("404", "no such repository (status 404"),
    ("429", "asked too often (status 429"),
    ("503", "does not serve it (status 503"),
    ("503 date", "does not serve it (status 503"),
    ("loop", "redirects too often"),
    ("inner", "redirects to another place"),
    ("inner name", "redirects to another place"),
    ("plain", "redirects to another place"),
    ("file", "redirects to another place"),
    ("garbage", "fetching from"),
    ("html", "fetching from"),
    ("website", "does not speak git's smart HTTP protocol"),
    ("gzip", "fetching from"),
    ("truncated", "fetching from"),
    ("no branch", "no branch or tag `main`"),
    ("many", "no branch or tag `main`"),
    ("error", "red"),
    ("close", "fetching from"),
    ("long header", "fetching from"),
    ("many headers", "fetching from"),
    ("want refused", "fetching from"),
    ("want redirected", "status 302"),
    ("want nothing", "fetching from"),
    ("pack truncated", "fetching from"),
    ("pack corrupt", "fetching from"),
    ("pack of millions", "fetching from"),
    ("pack hangs", "not done within"),
    ("pack drips", "fetching from"),
    ("progress", "not done within"),
    ("told", "no"),
];

#[test]
fn a_fetch_ends_in_time_whatever_the_server_does() {
    let directory = tempfile::tempdir().unwrap();
    let inner = TcpListener::bind("127.0.0.1:0").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    let (inside, own) = (port(&inner), port(&listener));
    let tls = tls(directory.path(), None);
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
            let stream = BufReader::new(StreamOwned::new(connection, socket));
            thread::spawn(move || serve(stream, inside, own));
        }
    });
    for (mode, expected) in CASES {
        // Where the end is not the deadline's, there is time enough.
        let waits = expected.starts_with("not done") || mode.contains("drip");
        let url = format!("https://localhost:{own}/{}", mode.replace(' ', "_"));
        let mut wanted = settings::Source::named(&url, Reference::Named("main".to_owned()));
        wanted.ca = Some(directory.path().join("ca.pem"));
        wanted.timeout = if waits { LIMIT } else { 2 * IN_TIME };
        let source = Source::open(SourceConfig {
            source: wanted,
            cache: directory.path().join("cache"),
        })
        .unwrap();
        let begin = Instant::now();
        let failure = source.fetch().unwrap_err();
        let took = begin.elapsed();
        assert!(took < IN_TIME, "{mode}: {took:?}");
        let text = failure.to_string();
        assert!(text.contains(expected), "{mode}: {text}");
        assert!(!text.contains(char::is_control), "{mode}: {text:?}");
        assert!(text.len() < 1000, "{mode}: {text}");
        let pause = match failure {
            Failure::Busy { after, .. } => Some(after.as_secs()),
            _ => None,
        };
        let asked = match mode {
            "429" => Some(7),
            "503" => Some(3600),
            _ => None,
        };
        assert_eq!(pause, asked, "{mode}");
    }
    inner.set_nonblocking(true).unwrap();
    let visit = inner.accept().unwrap_err();
    assert_eq!(
        visit.kind(),
        ErrorKind::WouldBlock,
        "somebody was led astray"
    );
}
