//! `meshd suspend`, `resume` and `rollback`: whether git is followed, and where everybody is held meanwhile.
//!
//! Never without a reason: the next one on duty must know.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::ask::{Ask, Of, list, plain, text};
use super::{history, print};
use crate::app::Failure;

/// Arguments of `meshd suspend`.
#[derive(Debug, Args)]
pub struct Suspend {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    order: Order,
}

/// Arguments of `meshd resume`.
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    who: Who,
}

/// Arguments of `meshd rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The bundle, by the beginning of its commit or digest; `meshd history` shows them
    #[arg(value_name = "BUNDLE", value_parser = history::name)]
    to: String,
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
    #[command(flatten)]
    order: Order,
    /// Also where this version of meshd compiles the commit to something else than was published
    #[arg(long)]
    recompiled: bool,
}

/// Who does it, and why.
#[derive(Debug, Args)]
struct Order {
    #[command(flatten)]
    who: Who,
    /// Why, for whoever looks at it next
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Who does it.
#[derive(Debug, Args)]
struct Who {
    /// As whom [default: the user who logged in]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

impl Who {
    fn name(&self) -> String {
        let known = self.by.clone();
        let mut known = known.into_iter().chain(
            ["SUDO_USER", "USER", "LOGNAME"]
                .iter()
                .filter_map(|variable| std::env::var(variable).ok()),
        );
        let name = known.find(|name| !name.trim().is_empty());
        name.unwrap_or_else(|| "an operator".to_owned())
    }
}

impl Suspend {
    pub(super) fn tell(&self) -> Result<ExitCode, Failure> {
        let body = json!({ "by": self.order.who.name(), "reason": self.order.reason });
        let path = self.of.at("/v1/suspend");
        told(&self.ask.prompt(("POST", &path), Some(&body))?)
    }
}

impl Resume {
    pub(super) fn tell(&self) -> Result<ExitCode, Failure> {
        let body = json!({ "by": self.who.name() });
        let path = self.of.at("/v1/resume");
        self.ask.prompt(("POST", &path), Some(&body))?;
        print("git is followed again\n")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Rollback {
    pub(super) fn tell(&self) -> Result<ExitCode, Failure> {
        let (by, reason) = (self.order.who.name(), &self.order.reason);
        let body =
            json!({ "to": self.to, "by": by, "reason": reason, "recompiled": self.recompiled });
        let path = self.of.at("/v1/rollback");
        told(&self.ask.prompt(("POST", &path), Some(&body))?)
    }
}

fn told(suspended: &Value) -> Result<ExitCode, Failure> {
    print(&banner(suspended))?;
    Ok(ExitCode::SUCCESS)
}

/// What nobody is to overlook.
pub(super) fn banner(suspended: &Value) -> String {
    let what = match text(suspended, "revision") {
        "" => "SUSPENDED: git is not followed".to_owned(),
        revision => format!("ROLLED BACK: git is not followed, everybody is held at {revision}"),
    };
    let (by, since) = (text(suspended, "by"), text(suspended, "since"));
    let reason = text(suspended, "reason");
    let mut page = plain(&format!("{what} ({by}, {since}: {reason})"));
    page.push_str("\n  `meshd resume` follows git again\n");
    for withheld in list(suspended, "withheld") {
        let withheld = plain(withheld.as_str().unwrap_or_default());
        page.push_str(&format!("  {withheld}, and stays away\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_overlooks_it() {
        let mut suspended = json!({ "by": "ada", "since": "2026-11-28T01:02:03Z", "reason": "noon\u{1b}[2J",
            "revision": null, "withheld": [] });
        assert_eq!(
            banner(&suspended),
            "SUSPENDED: git is not followed (ada, 2026-11-28T01:02:03Z: noon [2J)\n  `meshd resume` follows git again\n"
        );
        suspended["revision"] = json!("c3d1");
        suspended["withheld"] = json!(["the Dataplane shop/x was removed since"]);
        let page = banner(&suspended);
        assert!(page.starts_with("ROLLED BACK: git is not followed, everybody is held at c3d1 ("));
        assert!(
            page.ends_with("  the Dataplane shop/x was removed since, and stays away\n"),
            "{page}"
        );
    }
}
