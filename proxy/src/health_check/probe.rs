//! One probe of one instance.
//!
//! Never reads more of an answer than it takes to judge it.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::Body as _;
use mesh_bundle::resource::{HeaderModifier, HttpProbe, TcpProbe};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::RequestBody;
use crate::shared::Shared;
use crate::table::{ClusterTable, HeaderEdit, Hop, Instance};
use crate::upstream::{Answer, Outgoing, Via, send};

const AGENT: HeaderValue = HeaderValue::from_static("mesh-proxy/health");
/// Of what an instance answers.
const MOST_BYTES: usize = 64 << 10;

/// Asks for a path. `Err` says what is wrong.
pub(super) async fn http(
    shared: &Shared,
    cluster: &ClusterTable,
    instance: &Instance,
    probe: &HttpProbe,
) -> Result<(), String> {
    let path = probe.path.value.as_str();
    let target = PathAndQuery::try_from(path).map_err(|why| format!("`{path}`: {why}"))?;
    let authority = HeaderValue::from_str(&instance.label).map_err(|why| why.to_string())?;
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, AGENT);
    let pairs = |pairs: &Option<mesh_bundle::Sourced<Vec<_>>>| {
        pairs
            .as_ref()
            .map_or_else(Vec::new, |pairs| pairs.value.clone())
    };
    let edit = HeaderEdit::compile(&HeaderModifier {
        set: pairs(&probe.set_headers),
        add: pairs(&probe.add_headers),
        remove: Vec::new(),
    })?;
    edit.apply(&mut headers);
    let outgoing = Outgoing {
        method: Method::GET,
        authority,
        rewritten: false,
        target,
        headers,
        body: RequestBody::Empty,
        upgrade: None,
    };
    let via = Via::cluster(cluster).probing();
    let sent = send(&shared.upstreams, via, std::iter::once(instance), outgoing).await;
    let Answer {
        response, lease, ..
    } = sent.map_err(|refusal| refusal.row().body.to_owned())?;
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut read = 0;
    while read <= MOST_BYTES {
        match std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(0, |data| data.len()),
            Some(Err(_)) => break,
            None => {
                lease.finish();
                break;
            }
        }
    }
    match probe.expected_statuses.value.contains(&status) {
        true => Ok(()),
        false => Err(format!("the answer to `GET {path}` was {status}")),
    }
}

/// Connects, and says and hears what is to be said and heard.
pub(super) async fn tcp(
    shared: &Shared,
    cluster: &ClusterTable,
    instance: &Instance,
    probe: &TcpProbe,
) -> Result<(), String> {
    let refused = |refusal: crate::refusal::Refusal| refusal.row().body.to_owned();
    let tls = match &cluster.hop {
        Hop::Plain => None,
        Hop::Mesh(tls) => Some(&tls.tcp),
        Hop::Outside(tls) => Some(&tls.tcp),
        Hop::Unready | Hop::Locked => return Err("there is no certificate yet".to_owned()),
    };
    let via = Via::cluster(cluster).probing();
    let connected = shared.upstreams.connect(&via, instance, tls).await;
    let mut stream = connected.map_err(refused)?.stream;
    let broken = |why: std::io::Error| format!("the connection broke: {why}");
    if let Some(send) = &probe.send {
        stream
            .write_all(send.value.as_bytes())
            .await
            .map_err(broken)?;
        stream.flush().await.map_err(broken)?;
    }
    let Some(expected) = &probe.receive else {
        return Ok(());
    };
    let mut heard = Vec::new();
    let mut from = 0;
    for block in &expected.value {
        let block = block.as_bytes();
        loop {
            let rest = heard.get(from..).unwrap_or_default();
            if let Some(at) = find(rest, block) {
                from += at + block.len();
                break;
            }
            if heard.len() > MOST_BYTES {
                return Err("what was expected is not in the first 64 KiB".to_owned());
            }
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer).await.map_err(broken)? {
                0 => return Err("the connection ended before what was expected".to_owned()),
                read => heard.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
    Ok(())
}

fn find(bytes: &[u8], block: &[u8]) -> Option<usize> {
    if block.is_empty() {
        return Some(0);
    }
    bytes
        .windows(block.len())
        .position(|window| window == block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_where_they_are() {
        assert_eq!(find(b"+PONG\r\n", b"PONG"), Some(1));
        assert_eq!(find(b"+PON", b"PONG"), None);
        assert_eq!(find(b"", b""), Some(0));
    }
}
