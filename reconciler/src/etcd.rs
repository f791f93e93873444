//! etcd, as far as meshd needs it: keys under a prefix, leases, transactions and watches.
//!
//! Never waits without an end, and never decides what a value means: `share` does.

mod link;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use crate::settings;
use link::Link;
use wire::compare::{CompareResult, CompareTarget, TargetUnion};
use wire::event::EventType;
use wire::request_op::Request as Operation;
use wire::watch_request::RequestUnion;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Operations of one transaction; a server takes 128 by default.
const BATCH: usize = 100;
/// Keys of one answer.
const PAGE: i64 = 1_000;

/// Why etcd did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EtcdFailure {
    #[error("etcd cannot be used: {0}")]
    Configuration(String),
    #[error("no etcd server answers: {0}")]
    Unreachable(String),
    #[error("etcd answers {0}")]
    Refused(String),
    #[error("etcd has not answered within {} s", PATIENCE.as_secs())]
    Silent,
    /// What was seen of the store before is not enough to go on from.
    #[error("etcd forgot the changes since the last look; everything is read again")]
    Compacted,
    #[error("the lease in etcd ended: for some seconds no answer came through")]
    Expired,
}

impl From<Status> for EtcdFailure {
    fn from(status: Status) -> Self {
        Self::Refused(format!("{}: {}", status.code(), status.message()))
    }
}

/// One key with its value; `None`: it was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Without the prefix.
    pub(crate) key: String,
    pub(crate) value: Option<Bytes>,
}

impl Change {
    pub(crate) fn put(key: String, value: impl Into<Bytes>) -> Self {
        let value = Some(value.into());
        Self { key, value }
    }
}

/// A connection to one server of the cluster.
#[derive(Debug)]
pub(crate) struct Etcd {
    link: Link,
    prefix: String,
}

/// Changes as they come.
#[derive(Debug)]
pub(crate) struct Changes {
    stream: Streaming<wire::WatchResponse>,
    prefix: String,
    /// Kept open: its end would end the watch.
    _requests: tokio::sync::mpsc::Sender<wire::WatchRequest>,
}

/// A promise to say again and again that meshd is there.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) id: i64,
    requests: tokio::sync::mpsc::Sender<wire::LeaseKeepAliveRequest>,
    answers: Streaming<wire::LeaseKeepAliveResponse>,
}

impl Etcd {
    /// Connects to the first server that answers.
    pub(crate) async fn connect(config: &settings::Etcd) -> Result<Self, EtcdFailure> {
        Ok(Self {
            link: Link::open(config).await?,
            prefix: config.prefix.clone(),
        })
    }

    /// Everything below a part of the prefix, and the revision of the store that it was so at.
    pub(crate) async fn read(&mut self, part: &str) -> Result<(i64, Vec<Change>), EtcdFailure> {
        let from = format!("{}{part}", self.prefix);
        let end = behind(from.as_bytes());
        let (mut found, mut key, mut revision) = (Vec::new(), from.into_bytes(), 0);
        loop {
            let request = wire::RangeRequest {
                key: key.into(),
                range_end: end.clone().into(),
                limit: PAGE,
                // All pages are of one moment.
                revision,
            };
            let answer = answered(self.link.keys().range(request)).await?;
            revision = answer
                .header
                .map_or(revision, |header| header.revision.max(revision));
            let last = answer.kvs.last().map(|pair| pair.key.clone());
            found.extend(
                answer
                    .kvs
                    .into_iter()
                    .filter_map(|pair| self.change(pair, true)),
            );
            match last.filter(|_| answer.more) {
                // The first key behind it.
                Some(last) => key = [last.as_ref(), &[0]].concat(),
                None => return Ok((revision, found)),
            }
        }
    }

    fn change(&self, pair: wire::KeyValue, is_there: bool) -> Option<Change> {
        change(&self.prefix, pair, is_there)
    }

    /// Writes and removes; what belongs to a lease goes with it.
    pub(crate) async fn write(
        &mut self,
        changes: &[Change],
        lease: Option<i64>,
    ) -> Result<(), EtcdFailure> {
        for batch in changes.chunks(BATCH) {
            let success = batch
                .iter()
                .map(|change| self.operation(change, lease))
                .collect();
            let request = wire::TxnRequest {
                compare: Vec::new(),
                success,
            };
            answered(self.link.keys().txn(request)).await?;
        }
        Ok(())
    }

    /// The value of one key, and the revision of the store that changed it last: 0 where there is none.
    pub(crate) async fn get(&self, key: &str) -> Result<(Option<Bytes>, i64), EtcdFailure> {
        let request = wire::RangeRequest {
            key: Bytes::from(format!("{}{key}", self.prefix)),
            ..wire::RangeRequest::default()
        };
        let answer = answered(self.link.keys().range(request)).await?;
        let pair = answer.kvs.into_iter().next();
        let (value, changed) = pair.map(|pair| (pair.value, pair.mod_revision)).unzip();
        Ok((value, changed.unwrap_or_default()))
    }

    /// Writes one key, unless somebody has changed it since that revision; tells whether it did.
    pub(crate) async fn write_unchanged(
        &self,
        change: &Change,
        since: i64,
        lease: Option<i64>,
    ) -> Result<bool, EtcdFailure> {
        let same = wire::Compare {
            result: CompareResult::Equal.into(),
            target: CompareTarget::Mod.into(),
            key: Bytes::from(format!("{}{}", self.prefix, change.key)),
            target_union: Some(TargetUnion::ModRevision(since)),
        };
        let request = wire::TxnRequest {
            compare: vec![same],
            success: vec![self.operation(change, lease)],
        };
        Ok(answered(self.link.keys().txn(request)).await?.succeeded)
    }

    fn operation(&self, change: &Change, lease: Option<i64>) -> wire::RequestOp {
        let key = Bytes::from(format!("{}{}", self.prefix, change.key));
        let request = match &change.value {
            Some(value) => Operation::RequestPut(wire::PutRequest {
                key,
                value: value.clone(),
                lease: lease.unwrap_or_default(),
            }),
            None => Operation::RequestDeleteRange(wire::DeleteRangeRequest {
                key,
                range_end: Bytes::new(),
            }),
        };
        wire::RequestOp {
            request: Some(request),
        }
    }

    /// Everything below the prefix that changes after a revision.
    pub(crate) async fn watch(&mut self, after: i64) -> Result<Changes, EtcdFailure> {
        let (requests, outgoing) = tokio::sync::mpsc::channel(1);
        let create = wire::WatchCreateRequest {
            key: Bytes::from(self.prefix.clone()),
            range_end: behind(self.prefix.as_bytes()).into(),
            start_revision: after.saturating_add(1),
        };
        let request = wire::WatchRequest {
            request_union: Some(RequestUnion::CreateRequest(create)),
        };
        // It is the first in a queue of one.
        let _ = requests.try_send(request);
        let outgoing = Request::new(ReceiverStream::new(outgoing));
        let stream = answered(self.link.watches().watch(outgoing)).await?;
        Ok(Changes {
            stream,
            prefix: self.prefix.clone(),
            _requests: requests,
        })
    }

    /// A lease that lasts that long without [`Lease::keep`].
    pub(crate) async fn lease(&mut self, lasts: Duration) -> Result<Lease, EtcdFailure> {
        let request = wire::LeaseGrantRequest {
            ttl: i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX),
            id: 0,
        };
        let granted = answered(self.link.leases().lease_grant(request)).await?;
        if !granted.error.is_empty() {
            return Err(EtcdFailure::Refused(granted.error));
        }
        let (requests, outgoing) = tokio::sync::mpsc::channel(1);
        let _ = requests.try_send(wire::LeaseKeepAliveRequest { id: granted.id });
        let outgoing = Request::new(ReceiverStream::new(outgoing));
        let answers = answered(self.link.leases().lease_keep_alive(outgoing)).await?;
        let mut lease = Lease {
            id: granted.id,
            requests,
            answers,
        };
        lease.is_kept().await?;
        Ok(lease)
    }

    /// Ends a lease now, with all that belongs to it.
    pub(crate) async fn revoke(&mut self, lease: &Lease) -> Result<(), EtcdFailure> {
        let request = wire::LeaseRevokeRequest { id: lease.id };
        answered(self.link.leases().lease_revoke(request)).await?;
        Ok(())
    }
}

impl Lease {
    /// Says that meshd is there; to be called several times while the lease lasts.
    pub(crate) async fn keep(&mut self) -> Result<(), EtcdFailure> {
        let request = wire::LeaseKeepAliveRequest { id: self.id };
        let sent = timeout(PATIENCE, self.requests.send(request)).await;
        sent.map_err(|_| EtcdFailure::Silent)?
            .map_err(|_| EtcdFailure::Expired)?;
        self.is_kept().await
    }

    async fn is_kept(&mut self) -> Result<(), EtcdFailure> {
        let answer = timeout(PATIENCE, self.answers.message()).await;
        match answer.map_err(|_| EtcdFailure::Silent)?? {
            Some(answer) if answer.ttl > 0 => Ok(()),
            _ => Err(EtcdFailure::Expired),
        }
    }
}

impl Changes {
    /// What changed since the last call; may be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Vec<Change>, EtcdFailure> {
        loop {
            let Some(answer) = self.stream.message().await? else {
                return Err(EtcdFailure::Unreachable("etcd ended the watch".to_owned()));
            };
            if answer.compact_revision > 0 {
                return Err(EtcdFailure::Compacted);
            }
            if answer.canceled {
                return Err(EtcdFailure::Refused(answer.cancel_reason));
            }
            let changes = answer.events.into_iter().filter_map(|event| {
                let is_there = event.r#type() == EventType::Put;
                change(&self.prefix, event.kv?, is_there)
            });
            let changes: Vec<Change> = changes.collect();
            if !changes.is_empty() {
                return Ok(changes);
            }
        }
    }
}

/// Keys that are no text are not ours.
fn change(prefix: &str, pair: wire::KeyValue, is_there: bool) -> Option<Change> {
    let key = std::str::from_utf8(&pair.key).ok()?;
    Some(Change {
        key: key.strip_prefix(prefix)?.to_owned(),
        value: is_there.then_some(pair.value),
    })
}

/// The first key that does not begin like this.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // etcd's word for: to the end.
    vec![0]
}

async fn answered<T>(
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, EtcdFailure> {
    match timeout(PATIENCE, Box::pin(call)).await {
        Ok(answer) => Ok(answer?.into_inner()),
        Err(_) => Err(EtcdFailure::Silent),
    }
}
