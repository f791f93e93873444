//! `meshd rollout pause`, `resume` and `abort`: what an operator tells a rollout.
//!
//! Never says which commit: that is git's.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use mesh_compiler::config::rollout::percent;
use serde_json::Value;

use super::ask::{Ask, Of, plain};
use super::print;
use crate::app::Failure;

/// What it is told.
#[derive(Debug, Subcommand)]
pub enum Rollout {
    /// Hold it at the wave that it has reached
    Pause(Steer),
    /// Let it go on, or try again what was taken back
    Resume(Steer),
    /// Take it back from everybody
    Abort(Steer),
}

/// Arguments of the three of them.
#[derive(Debug, Args)]
pub struct Steer {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
}

impl Rollout {
    pub(super) fn steer(&self) -> Result<ExitCode, Failure> {
        let (what, Steer { ask, of }) = match self {
            Self::Pause(steer) => ("pause", steer),
            Self::Resume(steer) => ("resume", steer),
            Self::Abort(steer) => ("abort", steer),
        };
        let path = of.at(&format!("/v1/rollout/{what}"));
        let rollout = ask.prompt(("POST", &path), None)?;
        print(&format!("{}\n", line(&rollout)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A rollout in one line.
pub(super) fn line(rollout: &Value) -> String {
    let text = |name: &str| rollout.get(name).and_then(Value::as_str).unwrap_or("");
    let number = |name: &str| rollout.get(name).and_then(Value::as_u64).unwrap_or(0);
    let revision = text("revision");
    if let Some(breach) = rollout.get("returned").filter(|breach| !breach.is_null()) {
        let part = |name: &str| breach.get(name).and_then(Value::as_str).unwrap_or("");
        let (gate, message) = (part("gate"), part("message"));
        return plain(&format!("{revision} was taken back, {gate}: {message}"));
    }
    let paused = match rollout.get("paused").and_then(Value::as_bool) {
        Some(true) => ", paused",
        _ => "",
    };
    let place = match text("wave") {
        "" => "before the first wave".to_owned(),
        wave => {
            let (held, expected) = (number("acknowledged"), number("expected"));
            format!(
                "wave {wave}, {held} of {expected} hold it, {}",
                text("phase")
            )
        }
    };
    let led = match text("role") {
        "leads" => ", led by this meshd",
        "follows" => ", led by another meshd, or by none while etcd is away",
        _ => "",
    };
    let traffic = traffic(rollout);
    plain(&format!(
        "{revision} is on its way: {place}{paused}{led}{traffic}"
    ))
}

/// What traffic shows of those who have it.
fn traffic(rollout: &Value) -> String {
    let shown = |way: &str| {
        let after = rollout.get("traffic")?.get(way)?.get("after")?;
        let number = |name: &str| after.get(name).and_then(Value::as_u64);
        let percent = |name: &str| {
            let millionths = number(name).and_then(|it| u32::try_from(it).ok());
            percent(millionths.unwrap_or_default() / 100 * 100)
        };
        let requests = number("requests")?;
        let (failures, denials) = (percent("failures"), percent("denials"));
        Some(format!(
            "; {way} {requests} requests, {failures} % failed, {denials} % denied"
        ))
    };
    let both = ["inbound", "outbound"].into_iter().filter_map(shown);
    both.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_one_line() {
        let mut rollout = json!({"revision": "c3d1", "wave": "canary", "phase": "baking", "paused": true,
            "acknowledged": 2, "expected": 3, "returned": null});
        assert_eq!(
            line(&rollout),
            "c3d1 is on its way: wave canary, 2 of 3 hold it, baking, paused"
        );
        let after = json!({"requests": 1200, "failures": 5000, "denials": 0, "p99": 12_345});
        rollout["traffic"] = json!({"inbound": {"before": null, "after": after}, "outbound": {"before": null, "after": null}});
        assert_eq!(
            line(&rollout),
            "c3d1 is on its way: wave canary, 2 of 3 hold it, baking, paused; inbound 1200 requests, 0.5 % failed, 0 % denied"
        );
        rollout["role"] = json!("leads");
        assert!(line(&rollout).contains("paused, led by this meshd; inbound"));
        rollout["returned"] = json!({"gate": "Rejected", "message": "2 proxies\u{1b}"});
        assert_eq!(line(&rollout), "c3d1 was taken back, Rejected: 2 proxies ");
    }
}
