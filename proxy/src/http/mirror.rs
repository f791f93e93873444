//! Copies of requests for another service (language 5.1.2): sent, and their answers thrown away.
//!
//! Never slows the original down and never fails it: a copy that does not keep up is given up.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use mesh_bundle::resource::Timeouts;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::body::MIRRORED_FRAMES;
use super::{Received, RequestBody};
use crate::session::Session;
use crate::table::ClusterTable;
use crate::upstream::{Answer, Outgoing, Via, send};

/// Copies under way at once, over all connections; more are not begun.
const MOST_COPIES: usize = 512;
/// A copy may take this long where the route sets no limit.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(60);

static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MOST_COPIES)));

/// Where the body of the original is copied to.
pub(super) type Copying = mpsc::Sender<Option<Frame<Bytes>>>;

/// Begins a copy to each of the clusters. A body is copied to the first of them only.
pub(super) fn start(
    session: &Arc<Session>,
    original: &Outgoing,
    clusters: &[&Arc<ClusterTable>],
    body: &Received,
    timeouts: &Timeouts,
) -> Option<Copying> {
    if original.upgrade.is_some() {
        return None;
    }
    let mut copying = None;
    for cluster in clusters {
        let Ok(permit) = Arc::clone(&ROOM).try_acquire_owned() else {
            return copying;
        };
        let body = match (body.is_end_stream(), &copying) {
            (true, _) => RequestBody::Empty,
            (false, None) => {
                let (sender, receiver) = mpsc::channel(MIRRORED_FRAMES);
                copying = Some(sender);
                RequestBody::Copy(receiver)
            }
            (false, Some(_)) => return copying,
        };
        let outgoing = Outgoing {
            method: original.method.clone(),
            authority: original.authority.clone(),
            rewritten: original.rewritten,
            target: original.target.clone(),
            headers: original.headers.clone(),
            upgrade: None,
            deadline: None,
        };
        let (session, cluster) = (Arc::clone(session), Arc::clone(cluster));
        let limit = timeouts.request.value.limit().unwrap_or(LONGEST);
        tokio::spawn(async move {
            let copy = copy(&session, &cluster, &outgoing, body);
            if timeout(limit, copy).await.is_err() {
                tracing::debug!(
                    cluster = &*cluster.label,
                    "a mirrored request took too long"
                );
            }
            drop(permit);
        });
    }
    copying
}

async fn copy(session: &Session, cluster: &ClusterTable, outgoing: &Outgoing, body: RequestBody) {
    let upstreams = &session.shared.upstreams;
    let via = Via::cluster(cluster);
    let Ok(Answer {
        response, lease, ..
    }) = send(upstreams, via, cluster.in_turn(None), outgoing, body).await
    else {
        return;
    };
    let mut body = response.into_body();
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        match frame {
            Some(Ok(_)) => {}
            Some(Err(_)) => return,
            None => return lease.finish(),
        }
    }
}
