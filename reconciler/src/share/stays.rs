//! What meshds tell each other for good: Dataplanes that proxies brought, and what operators have revoked.
//!
//! Never takes anything back: what is gone from etcd, or was never there, stays as every meshd has it on its own disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_bundle::Digest;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

use super::Voucher;
use super::uses::{USED, understood};
use crate::authority::Gate;
use crate::etcd::Change;
use crate::registry::Now;
use crate::revocation::{self, KEPT, Revocations};
use crate::rollout::{Ordered, Registered};
use crate::state::StateFailure;
use crate::token;

/// Before the mesh and the name of a Dataplane that is not in git.
const DATAPLANE: &str = "dataplane/";
/// Before those of a Dataplane whose control certificates are revoked.
const REVOKED: &str = "revoked/";
/// Before those of a Dataplane whose identities peers are told not to believe.
const DISTRUSTED: &str = "distrusted/";
/// Before the identifier of a join token.
const ENDED: &str = "ended/";

/// Until when something is so. Seconds since 1970.
#[derive(Serialize, Deserialize)]
struct Until {
    until: u64,
    /// When nobody needs to know any more, where that is another moment.
    #[serde(default, skip_serializing_if = "is_none")]
    end: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
fn is_none(end: &u64) -> bool {
    *end == 0
}

/// What this meshd knows by itself.
#[derive(Debug)]
pub(super) struct Own {
    revoked: Arc<Revocations>,
    ended: BTreeMap<String, u64>,
    distrusted: BTreeMap<Pair, (u64, u64)>,
}

/// A mesh, and a name in it.
type Pair = (String, String);

/// What stands in etcd.
#[derive(Debug, Default)]
pub(super) struct Stays {
    /// When it was registered, and the digest of the document.
    documents: BTreeMap<Pair, (u64, Digest)>,
    revoked: BTreeMap<Pair, u64>,
    ended: BTreeMap<String, u64>,
    distrusted: BTreeMap<Pair, (u64, u64)>,
    /// Counted tokens, and when they expire.
    used: BTreeMap<String, u64>,
    /// A key with something that no meshd of this mesh has said.
    pub(super) doubted: Option<String>,
}

/// What was heard and has not been done yet: done beside the conversation with etcd, which must not wait for a compiler.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    heard: Mutex<Heard>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    documents: BTreeMap<Pair, Registered>,
    revoked: BTreeMap<Pair, u64>,
    ended: BTreeMap<String, u64>,
    distrusted: BTreeMap<Pair, (u64, u64)>,
    /// By source.
    ordered: BTreeMap<String, Ordered>,
}

impl Stays {
    /// Takes a word, if it is one of these. What is gone is forgotten, and told again where it is still so.
    pub(super) fn take(&mut self, change: &Change, voucher: &Voucher, inbox: &Inbox) {
        let parts: [&'static str; 5] = [DATAPLANE, REVOKED, DISTRUSTED, ENDED, USED];
        let name = |part: &&'static str| Some((*part, change.key.strip_prefix(*part)?));
        let Some((part, name)) = parts.iter().find_map(name) else {
            return;
        };
        let pair = || {
            let (mesh, name) = name.split_once('/')?;
            Some((mesh.to_owned(), name.to_owned()))
        };
        if self.doubted.as_ref() == Some(&change.key) {
            self.doubted = None;
        }
        let Some(value) = &change.value else {
            let _ = match (part, pair()) {
                (DATAPLANE, Some(pair)) => self.documents.remove(&pair).is_some(),
                (REVOKED, Some(pair)) => self.revoked.remove(&pair).is_some(),
                (DISTRUSTED, Some(pair)) => self.distrusted.remove(&pair).is_some(),
                (ENDED, _) => self.ended.remove(name).is_some(),
                _ => self.used.remove(name).is_some(),
            };
            return;
        };
        let body = voucher.heard(&change.key, value);
        let understood = body.and_then(|body| match part {
            USED => {
                let spent = understood(voucher, &change.key, value)?;
                self.used.insert(name.to_owned(), spent.expires);
                Some(())
            }
            DATAPLANE => {
                let (pair, told) = (pair()?, serde_json::from_slice::<Registered>(body).ok()?);
                self.documents.insert(
                    pair.clone(),
                    (told.at, Digest::of(told.document.as_bytes())),
                );
                inbox.put(|heard| {
                    heard.documents.insert(pair, told);
                });
                Some(())
            }
            REVOKED => {
                let (pair, told) = (pair()?, serde_json::from_slice::<Until>(body).ok()?);
                self.revoked.insert(pair.clone(), told.until);
                inbox.put(|heard| {
                    heard.revoked.insert(pair, told.until);
                });
                Some(())
            }
            DISTRUSTED => {
                let (pair, told) = (pair()?, serde_json::from_slice::<Until>(body).ok()?);
                let span = (told.until, told.end);
                self.distrusted.insert(pair.clone(), span);
                inbox.put(|heard| {
                    heard.distrusted.insert(pair, span);
                });
                Some(())
            }
            _ => {
                let told: Until = serde_json::from_slice(body).ok()?;
                self.ended.insert(name.to_owned(), told.until);
                inbox.put(|heard| {
                    heard.ended.insert(name.to_owned(), told.until);
                });
                Some(())
            }
        });
        if understood.is_none() {
            self.doubted = Some(change.key.clone());
        }
    }

    /// What the others do not know yet: of revocations whatever goes beyond theirs, of documents the newer ones.
    pub(super) fn untold(
        &self,
        registered: &BTreeMap<Pair, Registered>,
        own: &Own,
        voucher: &Voucher,
    ) -> Vec<Change> {
        let documents = registered.iter().filter(|(key, own)| {
            let theirs = self.documents.get(*key);
            theirs.is_none_or(|(at, digest)| {
                *digest != Digest::of(own.document.as_bytes()) && own.at > *at
            })
        });
        let documents = documents.map(|((mesh, name), own)| {
            let body = serde_json::to_vec(own);
            (format!("{DATAPLANE}{mesh}/{name}"), body)
        });
        let said = |key: String, until, end| (key, serde_json::to_vec(&Until { until, end }));
        let revoked = own.revoked.iter();
        let revoked =
            revoked.filter(|(key, until)| self.revoked.get(*key).is_none_or(|it| it < until));
        let revoked =
            revoked.map(|((mesh, name), until)| said(format!("{REVOKED}{mesh}/{name}"), until, 0));
        let distrusted = own.distrusted.iter();
        let distrusted = distrusted.filter(|(key, (until, _))| {
            let theirs = self.distrusted.get(*key);
            theirs.is_none_or(|(theirs, _)| theirs < until)
        });
        let distrusted = distrusted.map(|((mesh, name), (until, end))| {
            said(format!("{DISTRUSTED}{mesh}/{name}"), *until, *end)
        });
        let ended = own.ended.iter();
        let ended = ended.filter(|(id, _)| !self.ended.contains_key(*id));
        let ended = ended.map(|(id, until)| said(format!("{ENDED}{id}"), *until, 0));
        let all = documents.chain(revoked).chain(distrusted).chain(ended);
        let vouched = all.map(|(key, body)| {
            // Texts and numbers: this cannot fail.
            let value = voucher.say(&key, &body.unwrap_or_default());
            Change::put(key, value)
        });
        vouched.collect()
    }

    /// What nobody needs to know any more.
    pub(super) fn outlived(&self, now: u64) -> Vec<Change> {
        let pairs = self.revoked.iter();
        let revoked = pairs
            .filter(|(_, until)| until.saturating_add(KEPT.as_secs()) < now)
            .map(|((mesh, name), _)| format!("{REVOKED}{mesh}/{name}"));
        let ended = self.ended.iter().filter(|(_, until)| **until < now);
        let ended = ended.map(|(id, _)| format!("{ENDED}{id}"));
        let used = self.used.iter();
        let used =
            used.filter(|(_, expires)| expires.saturating_add(token::REMEMBERED.as_secs()) < now);
        let used = used.map(|(id, _)| format!("{USED}{id}"));
        let distrusted = self.distrusted.iter().filter(|(_, (_, end))| *end < now);
        let distrusted = distrusted.map(|((mesh, name), _)| format!("{DISTRUSTED}{mesh}/{name}"));
        let all = revoked.chain(ended).chain(used).chain(distrusted);
        all.map(|key| Change { key, value: None }).collect()
    }
}

impl Inbox {
    fn put(&self, put: impl FnOnce(&mut Heard)) {
        put(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_one();
    }

    /// Whether git is to be followed: the last word counts.
    pub(super) fn ordered(&self, source: &str, ordered: Ordered) {
        self.put(|heard| {
            heard.ordered.insert(source.to_owned(), ordered);
        });
    }

    /// Does what the others have said, until `stop`.
    pub(super) async fn work(&self, gate: Arc<Gate>, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.news.notified() => {}
            }
            let heard = {
                let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *heard)
            };
            let Heard {
                documents,
                revoked,
                ended,
                distrusted,
                ordered,
            } = heard;
            for (name, ordered) in ordered {
                if let Ok(source) = gate.sources.named(Some(&name)) {
                    source.rollout.ordered_elsewhere(ordered).await;
                }
            }
            if !revoked.is_empty() || !ended.is_empty() {
                let doing = Arc::clone(&gate);
                let done = tokio::task::spawn_blocking(move || revoke(&doing, &revoked, &ended));
                match done.await.map_err(|error| error.to_string()) {
                    Ok(Ok(())) => {}
                    Ok(Err(failure)) => unkept(&failure.to_string()),
                    Err(error) => unkept(&error),
                }
                gate.again.notify_one();
            }
            for (source, distrusted) in gate.sources.apart(distrusted) {
                source.rollout.distrust_too(distrusted).await;
            }
            for (source, documents) in gate.sources.apart(documents) {
                if let Err(error) = source.rollout.adopt(documents).await {
                    tracing::error!(
                        error,
                        "Dataplanes that joined at other meshds cannot be taken in"
                    );
                }
            }
        }
    }
}

fn unkept(error: &str) {
    tracing::error!(error, "what was revoked at another meshd cannot be kept");
}

/// As an operator would have done here.
fn revoke(
    gate: &Gate,
    revoked: &BTreeMap<Pair, u64>,
    ended: &BTreeMap<String, u64>,
) -> Result<(), StateFailure> {
    let (state, now) = (gate.sources.state(), Now::read().unix);
    let known = gate.revoked();
    for ((mesh, dataplane), until) in revoked {
        if !known.covers(mesh, dataplane, *until) {
            revocation::revoke(state, mesh, dataplane, *until)?;
        }
    }
    for id in ended.keys().filter(|id| token::is_id(id)) {
        if !gate.tokens.is_revoked(id) {
            token::revoke(state, id, now)?;
        }
    }
    Ok(())
}

impl Own {
    /// As of now.
    pub(super) fn of(gate: &Gate) -> Self {
        let until = Now::read().unix.saturating_add(token::LONGEST.as_secs());
        let ended = gate.tokens.revoked();
        let ended = ended.iter().filter(|id| token::is_id(id));
        Self {
            revoked: gate.revoked(),
            ended: ended.map(|id| (id.clone(), until)).collect(),
            distrusted: gate.sources.first().rollout.distrusts(),
        }
    }
}
