//! The status as JSON: the same words for people, scripts and tests.
//!
//! Never an internal type: a field here is a promise.

use mesh_bundle::{Digest, Kri};
use serde::Serialize;

use crate::registry::{Seen, Standing};
use crate::rollout::View;
use crate::status::{Condition, Report};

#[derive(Serialize)]
struct Page<'a> {
    revision: Option<&'a str>,
    digest: Option<Digest>,
    seen: Option<&'a str>,
    conditions: &'a [Condition],
    diagnostics: Option<&'a str>,
    rollout: Option<&'a View>,
    proxies: Vec<Proxy<'a>>,
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

pub(super) fn status(report: &Report, proxies: &[Seen], rollout: Option<&View>) -> String {
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
        revision: served,
        digest: report.digest,
        seen: report.seen.as_deref(),
        conditions: &report.conditions,
        diagnostics: report.diagnostics.as_deref(),
        rollout,
        proxies: proxies.collect(),
    };
    // Texts, digests and flags: this cannot fail.
    serde_json::to_string_pretty(&page).unwrap_or_default() + "\n"
}
