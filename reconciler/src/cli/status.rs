//! `meshd status`: what is served, who holds it, and, for pipelines, whether a commit has arrived everywhere.
//!
//! Never calls a commit arrived that is still on its way, or that somebody who is connected has refused.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::ask::{Ask, Format, Of, list, plain, short, table, text};
use super::{at_least_a_second, print, print_error, rollout, suspension};
use crate::app::Failure;

/// One question waits no longer than this; a longer wait is several questions.
const TURN: Duration = Duration::from_mins(4);
/// Between two attempts to reach a meshd that is not there yet.
const AGAIN: Duration = Duration::from_millis(100);
/// The answer itself, beside the wait.
const SLACK: Duration = Duration::from_secs(30);

/// Arguments of `meshd status`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0, with --wait also: the commit is served and every connected proxy holds it; 1: it is \
not served, or a proxy refused it, or the time was over; 2: meshd could not be asked"
)]
pub struct Status {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
    /// Wait until this commit was judged and every connected proxy has answered to it
    #[arg(long, value_name = "COMMIT")]
    wait: Option<String>,
    /// For how long
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = at_least_a_second, requires = "wait")]
    timeout: Duration,
    /// A table for people, or everything for programs
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Whether the commit has settled, and how things stand; or why meshd does not answer that question.
type Asked = Result<(bool, Value), Failure>;

impl Status {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let (status, in_time) = match &self.wait {
            Some(commit) => self.waited(commit)?,
            None => (
                self.ask.prompt(("GET", &self.of.at("/v1/status")), None)?,
                true,
            ),
        };
        let text = match self.format {
            Format::Human => pages(&status),
            Format::Json => format!("{status:#}\n"),
        };
        print(&text)?;
        let Some(commit) = &self.wait else {
            return Ok(ExitCode::SUCCESS);
        };
        match missing(&status, commit, in_time) {
            None => Ok(ExitCode::SUCCESS),
            Some(why) => {
                print_error(&format!("meshd: {why}\n"));
                Ok(ExitCode::from(1))
            }
        }
    }

    /// The status as soon as the commit has settled, or when the time is over.
    fn waited(&self, commit: &str) -> Result<(Value, bool), Failure> {
        let begin = Instant::now();
        let mut told = false;
        loop {
            let left = self.timeout.saturating_sub(begin.elapsed());
            let turn = left.min(TURN);
            let path = format!("/v1/status?settled={commit}&timeout={}ms", turn.as_millis());
            let path = self.of.at(&path);
            let (settled, status) = match self.asked(&path, turn.saturating_add(SLACK)) {
                Ok(Ok(asked)) => asked,
                // Asked again, it would say so again.
                Ok(Err(refused)) => return Err(refused),
                // It may be about to start, or to start again.
                Err(failure) if left > AGAIN => {
                    if !told {
                        print_error(&format!("meshd: {failure}; waiting for it\n"));
                    }
                    told = true;
                    std::thread::sleep(AGAIN);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if settled || left <= TURN {
                return Ok((status, settled));
            }
        }
    }

    fn asked(&self, path: &str, patience: Duration) -> Result<Asked, Failure> {
        let answer = self.ask.request(("GET", path), None, patience)?;
        match answer.status {
            200 | 504 => Ok(Ok((
                answer.status == 200,
                answer.json().map_err(Failure::System)?,
            ))),
            400..500 => Ok(Err(Failure::System(answer.text().trim().to_owned()))),
            _ => Err(Failure::System(answer.text().trim().to_owned())),
        }
    }
}

/// What keeps the commit from being everywhere; `None`: nothing does.
fn missing(status: &Value, commit: &str, in_time: bool) -> Option<String> {
    let served = text(status, "revision");
    let seen = text(status, "seen");
    if !in_time && !seen.starts_with(commit) {
        return Some(format!("{commit} was not looked at in time"));
    }
    if !served.starts_with(commit) {
        let condition = conditions(status)
            .find(|condition| text(condition, "type") == "Ready")
            .map(|ready| format!("{}: {}", text(ready, "reason"), text(ready, "message")));
        let why = condition.unwrap_or_default();
        return Some(plain(&format!("{commit} is not served: {why}")));
    }
    let counts = Counts::of(status);
    if counts.refusing > 0 {
        let count = counts.refusing;
        return Some(format!("{commit} was refused by {count} of the proxies"));
    }
    if !in_time || counts.behind > 0 {
        let count = counts.behind;
        return Some(format!("{count} of the proxies have not answered in time"));
    }
    None
}

/// Proxies by how they stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    holding: usize,
    behind: usize,
    refusing: usize,
    offline: usize,
}

impl Counts {
    fn of(status: &Value) -> Self {
        let mut counts = Self::default();
        for proxy in list(status, "proxies") {
            let count = match text(proxy, "state") {
                "acked" => &mut counts.holding,
                "pending" => &mut counts.behind,
                "nacked" => &mut counts.refusing,
                _ => &mut counts.offline,
            };
            *count += 1;
        }
        counts
    }
}

/// One page, or one of each source.
fn pages(status: &Value) -> String {
    let sources = list(status, "sources");
    if sources.is_empty() {
        return human(status);
    }
    let page = |source: &Value| {
        format!(
            "source {}\n{}",
            plain(text(source, "source")),
            human(source)
        )
    };
    let pages: Vec<String> = sources.iter().map(page).collect();
    pages.join("\n")
}

fn human(status: &Value) -> String {
    let said = |name: &str| match text(status, name) {
        "" => "nothing yet".to_owned(),
        known => plain(known),
    };
    let mut rows = vec![
        vec!["serving".to_owned(), said("revision"), said("digest")],
        vec!["newest seen".to_owned(), said("seen")],
    ];
    for condition in conditions(status) {
        let name = format!("{}={}", text(condition, "type"), text(condition, "status"));
        let message = plain(text(condition, "message"));
        rows.push(vec![name, text(condition, "reason").to_owned(), message]);
    }
    if let Some(rollout) = status.get("rollout").filter(|rollout| !rollout.is_null()) {
        rows.push(vec!["rollout".to_owned(), rollout::line(rollout)]);
    }
    let suspended = status.get("suspended").filter(|it| !it.is_null());
    let mut page = suspended.map_or_else(String::new, |it| suspension::banner(it) + "\n");
    page.push_str(&table(&rows));
    if let Some(diagnostics) = status.get("diagnostics").and_then(Value::as_str) {
        page.push('\n');
        page.push_str(diagnostics);
    }
    let counts = Counts::of(status);
    let total = list(status, "proxies").len();
    page.push_str(&format!(
        "\n{total} proxies: {} hold what they should, {} behind, {} refusing, {} offline\n",
        counts.holding, counts.behind, counts.refusing, counts.offline
    ));
    page.push_str(&proxies(status));
    page
}

fn proxies(status: &Value) -> String {
    let header = [
        "PROXY",
        "MESH",
        "STATE",
        "READY",
        "CONFIGURATION",
        "REVISION",
        "WHY",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for proxy in list(status, "proxies") {
        let ready = proxy.get("ready").and_then(Value::as_bool);
        let state = match text(proxy, "state") {
            "acked" => "current",
            "pending" => "behind",
            "nacked" => "refusing",
            other => other,
        };
        rows.push(vec![
            plain(text(proxy, "name")),
            plain(text(proxy, "mesh")),
            state.to_owned(),
            if ready == Some(true) { "yes" } else { "no" }.to_owned(),
            short(text(proxy, "root")),
            short(text(proxy, "revision")),
            plain(text(proxy, "reason")),
        ]);
    }
    match rows.len() {
        1 => String::new(),
        _ => format!("\n{}", table(&rows)),
    }
}

fn conditions(status: &Value) -> impl Iterator<Item = &Value> {
    list(status, "conditions").iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn status(revision: &str, seen: &str, states: &[&str]) -> Value {
        let proxies = states.iter().map(|state| {
            json!({"name": "web-1", "mesh": "shop", "state": state, "ready": true, "root": "sha256:0123456789abcdef",
                   "revision": revision, "reason": null})
        });
        json!({
            "revision": revision, "digest": "sha256:aa", "seen": seen, "diagnostics": null,
            "conditions": [{"type": "Ready", "status": "False", "reason": "CompileFailed", "message": "2 errors"}],
            "proxies": proxies.collect::<Vec<_>>(),
        })
    }

    #[test]
    fn a_commit_has_arrived_when_it_is_served_and_nobody_refuses_or_lags() {
        let cases = [
            ("c3d1ab", "c3d1ab", vec!["acked", "offline"], true, None),
            (
                "c3d1ab",
                "c3d1ab",
                vec!["acked", "nacked"],
                true,
                Some("refused by 1 of the proxies"),
            ),
            (
                "c3d1ab",
                "c3d1ab",
                vec!["pending"],
                false,
                Some("1 of the proxies have not answered in time"),
            ),
            (
                "0ld",
                "c3d1ab",
                vec!["acked"],
                true,
                Some("not served: CompileFailed: 2 errors"),
            ),
            (
                "0ld",
                "0ld",
                vec!["acked"],
                false,
                Some("was not looked at in time"),
            ),
            ("0ld", "c3d1ab", vec!["acked"], false, Some("not served")),
        ];
        for (served, seen, states, in_time, expected) in cases {
            let why = missing(&status(served, seen, &states), "c3d1", in_time);
            match expected {
                None => assert_eq!(why, None),
                Some(part) => assert!(
                    why.as_ref().is_some_and(|why| why.contains(part)),
                    "{why:?}"
                ),
            }
        }
    }

    #[test]
    fn people_see_counts_conditions_and_each_proxy() {
        let page = human(&status("c3d1ab", "c3d1ab", &["acked", "nacked", "offline"]));
        for part in [
            "3 proxies: 1 hold what they should, 0 behind, 1 refusing, 1 offline",
            "Ready=False  CompileFailed  2 errors",
            "web-1  shop  refusing  yes    0123456789ab",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    }
}
