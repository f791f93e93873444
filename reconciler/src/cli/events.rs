//! `meshd events`: what an operator should hear of, the newest first; and `meshd reconcile`: look at the repository now.
//!
//! Never changes which commit is wanted: that is git's.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::ask::{Ask, Format, Of, list, plain, short, table, text};
use super::print;
use crate::app::Failure;

/// Arguments of `meshd events`.
#[derive(Debug, Args)]
pub struct Events {
    #[command(flatten)]
    ask: Ask,
    /// A table for people, or everything for programs
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Arguments of `meshd reconcile`.
#[derive(Debug, Args)]
pub struct Reconcile {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
}

impl Events {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let events = self.ask.prompt(("GET", "/v1/events"), None)?;
        print(&match self.format {
            Format::Human => human(&events),
            Format::Json => format!("{events:#}\n"),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Reconcile {
    pub(super) fn ask(&self) -> Result<ExitCode, Failure> {
        let path = self.of.at("/v1/reconcile");
        let answer = self.ask.prompt(("POST", &path), None)?;
        let served = |answer: &Value| match text(answer, "revision") {
            "" => "nothing".to_owned(),
            revision => plain(revision),
        };
        match list(&answer, "sources") {
            [] => print(&format!(
                "the repository is looked at; {} is served until then\n",
                served(&answer)
            ))?,
            sources => {
                let line = |source: &Value| {
                    let name = plain(text(source, "source"));
                    format!(
                        "{name} is looked at; {} is served until then\n",
                        served(source)
                    )
                };
                print(&sources.iter().map(line).collect::<String>())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn human(events: &Value) -> String {
    let events = events.as_array().map_or(&[][..], Vec::as_slice);
    if events.is_empty() {
        return "no events yet\n".to_owned();
    }
    let header = [
        "TIME", "SEVERITY", "ABOUT", "REASON", "COUNT", "COMMIT", "WHAT",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for event in events {
        let part = |field: &str, name: &str| event.get(field).map_or("", |part| text(part, name));
        let about = format!(
            "{}/{}",
            part("involvedObject", "kind"),
            part("involvedObject", "name")
        );
        let count = event.get("count").and_then(Value::as_u64).unwrap_or(1);
        rows.push(vec![
            plain(text(event, "timestamp")),
            plain(text(event, "severity")),
            plain(&about),
            plain(text(event, "reason")),
            count.to_string(),
            plain(&short(part("metadata", "revision"))),
            plain(text(event, "message")),
        ]);
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let events = json!([{
            "involvedObject": { "kind": "Source", "name": "mesh" }, "severity": "error", "reason": "CompileFailed",
            "message": "two errors\u{1b}[2J", "metadata": { "revision": "c3d1f00c3d1f00c3d1" },
            "timestamp": "2026-11-28T01:02:03Z", "count": 3,
        }]);
        let page = human(&events);
        let line = page.lines().nth(1).unwrap();
        assert_eq!(
            line,
            "2026-11-28T01:02:03Z  error     Source/mesh  CompileFailed  3      c3d1f00c3d1f  two errors [2J"
        );
        assert_eq!(human(&json!([])), "no events yet\n");
    }
}
