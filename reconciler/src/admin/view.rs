//! The status as JSON: the same words for people, scripts and tests.
//!
//! Never an internal type: a field here is a promise.

use mesh_bundle::{Digest, Kri};
use serde::Serialize;

use crate::registry::{Seen, Standing};
use crate::rollout::View;
use crate::status::{Condition, Report};
use crate::suspension::Suspension;

#[derive(Serialize)]
struct Page<'a> {
    /// Where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    revision: Option<&'a str>,
    digest: Option<Digest>,
    seen: Option<&'a str>,
    conditions: &'a [Condition],
    diagnostics: Option<&'a str>,
    suspended: Option<Suspended<'a>>,
    rollout: Option<&'a View>,
    proxies: Vec<Proxy<'a>>,
}

/// git is not followed.
#[derive(Serialize)]
pub(super) struct Suspended<'a> {
    since: &'a str,
    by: &'a str,
    reason: &'a str,
    /// Of the bundle that everybody is held at.
    revision: Option<&'a str>,
    digest: Option<Digest>,
    /// What that bundle has and does not bring back.
    withheld: Vec<String>,
}

impl<'a> From<&'a Suspension> for Suspended<'a> {
    fn from(suspension: &'a Suspension) -> Self {
        let pin = suspension.pin.as_ref();
        Self {
            since: &suspension.since,
            by: &suspension.order.by,
            reason: &suspension.order.reason,
            revision: pin.map(|pin| pin.revision.as_str()),
            digest: pin.map(|pin| pin.digest),
            withheld: pin.map(|pin| pin.withheld.told()).unwrap_or_default(),
        }
    }
}

#[derive(Serialize)]
struct Proxy<'a> {
    name: &'a str,
    mesh: &'a str,
    kri: &'a Kri,
    state: &'static str,
    revision: Option<&'a str>,
    /// Of the configuration that it holds.
    root: Option<Digest>,
    /// Of the configuration that it should hold.
    wanted: Digest,
    ready: bool,
    reason: Option<&'a str>,
}

impl Standing {
    /// As it is written in a status and in a metric.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Acked => "acked",
            Self::Pending => "pending",
            Self::Nacked => "nacked",
            Self::Offline => "offline",
        }
    }
}

pub(super) fn status(
    (source, report): (Option<&str>, &Report),
    proxies: &[Seen],
    (rollout, suspension): (Option<&View>, Option<Suspension>),
) -> String {
    let served = report.revision.as_deref();
    let proxies = proxies.iter().map(|seen| Proxy {
        name: seen.name.name(),
        mesh: seen.name.mesh(),
        kri: &seen.name,
        state: seen.standing.as_str(),
        // What it holds is what this revision makes of it, whichever commit brought it there.
        revision: served.filter(|_| seen.current),
        root: seen.held,
        wanted: seen.wanted,
        ready: seen.ready,
        reason: seen.reason.as_deref(),
    });
    let page = Page {
        source,
        revision: served,
        digest: report.digest,
        seen: report.seen.as_deref(),
        conditions: &report.conditions,
        diagnostics: report.diagnostics.as_deref(),
        suspended: suspension.as_ref().map(Suspended::from),
        rollout,
        proxies: proxies.collect(),
    };
    // Texts, digests and flags: this cannot fail.
    serde_json::to_string_pretty(&page).unwrap_or_default() + "\n"
}

/// Those of several sources.
pub(super) fn all(pages: &[String]) -> String {
    let pages = pages.join(",");
    format!("{{ \"sources\": [{pages}] }}\n")
}
