//! Which signatures a commit has, and whether they are those that the operator wants.
//!
//! Never stops at the first commit: where all count, each one since the last good is looked at.

use git2::{ErrorCode, ObjectType, Oid, Repository, Sort};

use super::{COMMIT_LIMIT, Commit, Failure, damaged, transient};
use crate::settings::{Verify, VerifyMode};
use crate::signature::{AllowedSigners, Signer, Unproven, trailing, verify};

/// Commits between two that are served. More are hardly read by anybody, and would take minutes.
const MOST_COMMITS: usize = 10_000;

/// What the operator wants to be signed, and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is, by somebody who may; in words.
    Proven(String),
    /// Not so.
    Unproven {
        /// `NotSigned`, `InvalidSignature`, `UntrustedKey`.
        reason: &'static str,
        /// Which object, and what is wrong with it.
        message: String,
    },
}

/// Something with a signature.
struct Claim {
    what: String,
    armored: Option<String>,
    content: Vec<u8>,
    time: u64,
}

/// Checks what the operator wants to be checked; `last` is the last good commit.
pub(super) fn check(
    repository: &Repository,
    commit: &Commit,
    last: Option<&str>,
    wanted: &Verify,
) -> Result<Verdict, Failure> {
    let unproven = |reason, message| Ok(Verdict::Unproven { reason, message });
    let allowed = match AllowedSigners::read(&wanted.allowed_signers) {
        Ok(allowed) => allowed,
        Err(why) => return unproven("AllowedSignersNotReadable", why),
    };
    let id = Oid::from_str(&commit.id).map_err(|e| transient("reading the commit", &e))?;
    let claims = match wanted.mode {
        VerifyMode::Head => vec![id],
        VerifyMode::AllSinceLast => since(repository, id, last)?,
        VerifyMode::Tag => {
            let Some(tag) = &commit.tag else {
                let message = "it is not named by a tag that can be signed (git tag -s)";
                return unproven("NotSigned", message.to_owned());
            };
            return Ok(match judge(&tagged(repository, tag)?, &allowed) {
                Ok((what, signer)) => proven(&what, &signer),
                Err((reason, message)) => Verdict::Unproven { reason, message },
            });
        }
    };
    let count = claims.len();
    if count > MOST_COMMITS {
        let message = format!("there are more than {MOST_COMMITS} commits since the last good one");
        return unproven("TooManyCommits", message);
    }
    let mut newest = None;
    for id in claims {
        match judge(&committed(repository, id)?, &allowed) {
            Ok(said) => newest = newest.or(Some(said)),
            Err((reason, message)) => return unproven(reason, message),
        }
    }
    match newest {
        Some((what, signer)) if count > 1 => {
            let what = format!("{what} and {} commits before it are signed, it", count - 1);
            Ok(proven(&what, &signer))
        }
        Some((what, signer)) => Ok(proven(&what, &signer)),
        None => Ok(Verdict::Proven(
            "there is no commit since the last good one".to_owned(),
        )),
    }
}

fn proven(what: &str, signer: &Signer) -> Verdict {
    let Signer {
        principals,
        fingerprint,
    } = signer;
    Verdict::Proven(format!("{what} is signed by {principals}, {fingerprint}"))
}

fn judge(
    claim: &Claim,
    allowed: &AllowedSigners,
) -> Result<(String, Signer), (&'static str, String)> {
    let verified = match &claim.armored {
        Some(armored) => verify(armored, &claim.content, allowed, claim.time),
        None => Err(Unproven::Unsigned),
    };
    match verified {
        Ok(signer) => Ok((claim.what.clone(), signer)),
        Err(why) => Err((why.reason(), format!("{}: {why}", claim.what))),
    }
}

/// The newest first.
fn since(repository: &Repository, id: Oid, last: Option<&str>) -> Result<Vec<Oid>, Failure> {
    let failed = |error: git2::Error| transient("reading the history", &error);
    let last = last.and_then(|last| Oid::from_str(last).ok());
    let last = last.filter(|last| repository.find_commit(*last).is_ok());
    let Some(last) = last else {
        // There is nothing that it could be compared with: from here on everything counts.
        return Ok(vec![id]);
    };
    let mut walk = repository.revwalk().map_err(failed)?;
    walk.set_sorting(Sort::TOPOLOGICAL).map_err(failed)?;
    walk.push(id).map_err(failed)?;
    walk.hide(last).map_err(failed)?;
    let some: Result<Vec<_>, _> = walk.take(MOST_COMMITS + 1).collect();
    some.map_err(failed)
}

fn committed(repository: &Repository, id: Oid) -> Result<Claim, Failure> {
    let what = format!("commit {id}");
    let failed = |error: &git2::Error| damaged(&what, error);
    let odb = repository.odb().map_err(|e| failed(&e))?;
    let (size, _) = odb.read_header(id).map_err(|e| failed(&e))?;
    if size > COMMIT_LIMIT {
        let why = format!("{what}: it is larger than {COMMIT_LIMIT} bytes");
        return Err(Failure::Stalled(why));
    }
    let commit = repository.find_commit(id).map_err(|e| failed(&e))?;
    let (armored, content) = match repository.extract_signature(&id, None) {
        Ok((signature, content)) => {
            let text = std::str::from_utf8(&signature).ok().map(str::to_owned);
            // One that is no text is no signature, but it is not nothing either.
            (Some(text.unwrap_or_default()), content.to_vec())
        }
        Err(error) if error.code() == ErrorCode::NotFound => (None, Vec::new()),
        Err(error) => return Err(failed(&error)),
    };
    Ok(Claim {
        time: seconds(commit.time().seconds()),
        what,
        armored,
        content,
    })
}

fn tagged(repository: &Repository, id: &str) -> Result<Claim, Failure> {
    let failed = |error: &git2::Error| damaged("the tag", error);
    let id = Oid::from_str(id).map_err(|e| failed(&e))?;
    let odb = repository.odb().map_err(|e| failed(&e))?;
    let (size, kind) = odb.read_header(id).map_err(|e| failed(&e))?;
    if kind != ObjectType::Tag || size > COMMIT_LIMIT {
        let why = format!("object {id} is no tag, or larger than {COMMIT_LIMIT} bytes");
        return Err(Failure::Stalled(why));
    }
    let tag = repository.find_tag(id).map_err(|e| failed(&e))?;
    let object = odb.read(id).map_err(|e| failed(&e))?;
    let text = object.data();
    let (content, armored) = match trailing(text) {
        Some((begin, armored)) => (text.get(..begin), Some(armored.to_owned())),
        None => (None, None),
    };
    Ok(Claim {
        what: format!("tag {}", super::commit::line(tag.name_bytes())),
        armored,
        content: content.unwrap_or_default().to_vec(),
        time: tag
            .tagger()
            .map_or(0, |tagger| seconds(tagger.when().seconds())),
    })
}

/// Before 1970 is as early as there is.
fn seconds(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}
