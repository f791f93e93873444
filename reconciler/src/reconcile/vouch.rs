//! Whether a commit is one that the operator wants at all, before anything of it is read.
//!
//! Never asks the commit: what counts are the history and who signed it.

use super::{Trouble, broken};
use crate::git::{Commit, Failure, Source, Verdict};
use crate::settings;

/// Of troubles with signatures.
pub(crate) const UNVERIFIED: [&str; 5] = [
    "NotSigned",
    "InvalidSignature",
    "UntrustedKey",
    "TooManyCommits",
    "AllowedSignersNotReadable",
];

/// Who signed it, where somebody must; trouble where it must not take the place of `last`.
pub(super) async fn vouch(
    wanted: &settings::Source,
    source: &Source,
    commit: &Commit,
    last: Option<String>,
) -> Result<Option<String>, Trouble> {
    let may_rewind = wanted.allow_rewind;
    let (source, commit) = (source.clone(), commit.clone());
    let id = commit.id.clone();
    let asked =
        tokio::task::spawn_blocking(move || ask(&source, &commit, last.as_deref(), may_rewind));
    match asked.await.map_err(|error| broken(&error))? {
        Ok(Ok(signed)) => Ok(signed),
        Ok(Err(trouble)) => Err(trouble.about(&id)),
        Err(failure) => Err(Trouble::from(failure).about(&id)),
    }
}

fn ask(
    source: &Source,
    commit: &Commit,
    last: Option<&str>,
    may_rewind: bool,
) -> Result<Result<Option<String>, Trouble>, Failure> {
    let news = last.filter(|last| *last != commit.id && !may_rewind);
    // An old commit is as well signed as it ever was: only one that builds on the last good one may take its place.
    if let Some(why) = news.map_or(Ok(None), |last| source.succeeds(&commit.id, last))? {
        let help = "bring it back on top of it (git revert), or set `allow-rewind`";
        let message = format!("{why}; {help}");
        return Ok(Err(Trouble::stalled("HistoryRewritten", message)));
    }
    Ok(match source.verify(commit, last)? {
        None => Ok(None),
        Some(Verdict::Proven(who)) => Ok(Some(who)),
        Some(Verdict::Unproven { reason, message }) => Err(Trouble::stalled(reason, message)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Unproven;

    #[test]
    fn every_reason_of_a_signature_is_known() {
        let fingerprint = String::new();
        for unproven in [
            Unproven::Unsigned,
            Unproven::Malformed(""),
            Unproven::OtherFormat,
            Unproven::Wrong {
                fingerprint: fingerprint.clone(),
            },
            Unproven::Untrusted {
                fingerprint,
                why: "",
            },
        ] {
            assert!(UNVERIFIED.contains(&unproven.reason()), "{unproven}");
        }
    }
}
