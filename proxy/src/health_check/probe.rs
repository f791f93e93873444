//! One probe of one instance.
//!
//! Never reads more of an answer than it takes to judge it.

mod grpc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::Body as _;
use mesh_bundle::resource::{GrpcProbe, HeaderModifier, HttpProbe, TcpProbe};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::{RequestBody, grpc_status};
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::table::{ClusterTable, HeaderEdit, Hop, Instance};
use crate::upstream::{Answer, Outgoing, Upstreams, Via, send};

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
        upgrade: None,
        deadline: None,
    };
    let answer = ask(shared, cluster, instance, (outgoing, RequestBody::Empty)).await?;
    let status = answer.status;
    match probe.expected_statuses.value.contains(&status) {
        true => Ok(()),
        false => Err(format!("the answer to `GET {path}` was {status}")),
    }
}

/// Calls `grpc.health.v1.Health/Check`. `Err` says what is wrong.
pub(super) async fn grpc(
    shared: &Shared,
    cluster: &ClusterTable,
    instance: &Instance,
    probe: &GrpcProbe,
) -> Result<(), String> {
    let authority = match &probe.authority {
        Some(authority) => authority.value.as_str(),
        None => cluster.kri.name(),
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, AGENT);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let service = probe.service_name.as_ref();
    let service = service.map_or("", |service| service.value.as_str());
    let outgoing = Outgoing {
        method: Method::POST,
        authority: HeaderValue::from_str(authority).map_err(|why| why.to_string())?,
        rewritten: true,
        target: PathAndQuery::from_static("/grpc.health.v1.Health/Check"),
        headers,
        upgrade: None,
        deadline: None,
    };
    let question = RequestBody::own(grpc::question(service));
    let answer = ask(shared, cluster, instance, (outgoing, question)).await?;
    grpc::judge(answer.status, answer.grpc, &answer.body)
}

/// All that a probe looks at of an answer.
struct Answered {
    status: u16,
    grpc: Option<u16>,
    /// As much of it as is looked at.
    body: Vec<u8>,
}

/// Sends a request to one instance, and hears its answer to the end.
async fn ask(
    shared: &Shared,
    cluster: &ClusterTable,
    instance: &Instance,
    (outgoing, body): (Outgoing, RequestBody),
) -> Result<Answered, String> {
    let refused = |refusal: Refusal| refusal.row().body.to_owned();
    let via = Via::cluster(cluster).probing();
    let check = cluster.health_check.as_ref();
    let apart = match check.is_some_and(|check| !check.reuse_connection.value) {
        true => Some(Upstreams::apart(&via, instance).map_err(refused)?),
        false => None,
    };
    let instance = apart.as_ref().unwrap_or(instance);
    let one = std::iter::once(instance);
    let sent = send(&shared.upstreams, via, one, &outgoing, body).await;
    let Answer {
        response, lease, ..
    } = sent.map_err(refused)?;
    let mut answered = Answered {
        status: response.status().as_u16(),
        grpc: grpc_status(response.headers()),
        body: Vec::new(),
    };
    let mut body = response.into_body();
    while answered.body.len() <= MOST_BYTES {
        match std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    answered.body.extend_from_slice(data);
                }
                let told = frame.trailers_ref().and_then(grpc_status);
                answered.grpc = told.or(answered.grpc);
            }
            Some(Err(_)) => break,
            None => {
                lease.finish();
                break;
            }
        }
    }
    if let Some(pool) = apart.as_ref().and_then(Instance::known_pool) {
        pool.retire();
    }
    Ok(answered)
}

/// Connects, and says and hears what is to be said and heard.
pub(super) async fn tcp(
    shared: &Shared,
    cluster: &ClusterTable,
    instance: &Instance,
    probe: &TcpProbe,
) -> Result<(), String> {
    let refused = |refusal: Refusal| refusal.row().body.to_owned();
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
