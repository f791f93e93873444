//! `meshd history` and `meshd diff`: what was published, and what changed with it.
//!
//! Never compiles anything itself: meshd does, from what it has of the repository.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::ask::{Ask, Format, Of, list, plain, short, table, text};
use super::{print, print_error};
use crate::app::Failure;

/// Arguments of `meshd history`.
#[derive(Debug, Args)]
pub struct History {
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
    /// A table for people, or everything for programs
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// Arguments of `meshd diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0: compared; 1, with --exit-code: there is a difference; 2: meshd could not be asked, or \
cannot compile one of them any more"
)]
pub struct Diff {
    /// One bundle, by the beginning of its commit or digest, which is compared with the one before it; or two, the older
    /// first [default: what is served]
    #[arg(value_name = "BUNDLE", num_args = 0..=2, value_parser = name)]
    bundles: Vec<String>,
    #[command(flatten)]
    ask: Ask,
    #[command(flatten)]
    of: Of,
    /// A page, JSON, or a comment of a pull request, as `meshc diff` prints them
    #[arg(long, value_enum, default_value = "human")]
    format: Shape,
    /// Exit with 1 where something is different
    #[arg(long)]
    exit_code: bool,
}

/// How a difference is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    Human,
    Json,
    Markdown,
}

impl History {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let history = self.ask.prompt(("GET", &self.of.at("/v1/history")), None)?;
        print(&match self.format {
            Format::Human => human(&history),
            Format::Json => format!("{history:#}\n"),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Diff {
    pub(super) fn show(&self) -> Result<ExitCode, Failure> {
        let format = match self.format {
            Shape::Human => "human",
            Shape::Json => "json",
            Shape::Markdown => "markdown",
        };
        let mut path = self.of.at(&format!("/v1/diff?format={format}"));
        for bundle in &self.bundles {
            path.push_str(&format!("&of={bundle}"));
        }
        let answer = self.ask.prompt(("GET", &path), None)?;
        for remark in list(&answer, "remarks") {
            let remark = plain(remark.as_str().unwrap_or_default());
            print_error(&format!("meshd: {remark}\n"));
        }
        let told = answer.get("told").unwrap_or(&Value::Null);
        if self.format == Shape::Human {
            print(&heading(&answer))?;
        }
        print(&match told.as_str() {
            Some(page) => page.to_owned(),
            None => format!("{told:#}\n"),
        })?;
        let different = answer.get("different").and_then(Value::as_bool);
        Ok(match self.exit_code && different == Some(true) {
            true => ExitCode::from(1),
            false => ExitCode::SUCCESS,
        })
    }
}

/// The beginning of a commit or a digest.
pub(super) fn name(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("sha256:").unwrap_or(text);
    if !bare.is_empty() && bare.len() <= 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    Err("the beginning of a commit or of a digest; `meshd history` shows them".to_owned())
}

fn heading(answer: &Value) -> String {
    let side = |name: &str| {
        let sides = answer.get("sides").and_then(|sides| sides.get(name));
        let sides = sides.unwrap_or(&Value::Null);
        let (revision, digest) = (text(sides, "revision"), text(sides, "digest"));
        format!("{} ({})", short(revision), short(digest))
    };
    plain(&format!("{} to {}", side("before"), side("after"))) + "\n\n"
}

fn human(history: &Value) -> String {
    let entries = list(history, "entries");
    if entries.is_empty() {
        return "nothing was published yet\n".to_owned();
    }
    let header = [
        "PUBLISHED",
        "COMMIT",
        "DIGEST",
        "STATE",
        "PROXIES",
        "AUTHOR",
        "SUBJECT",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for entry in entries {
        let is_rollback = entry.get("rollback").and_then(Value::as_bool) == Some(true);
        let state = match (text(entry, "state"), is_rollback) {
            (state, true) => format!("{state} (rollback)"),
            (state, false) => state.to_owned(),
        };
        let proxies = entry.get("proxies").and_then(Value::as_u64).unwrap_or(0);
        let subject = match text(entry, "why") {
            "" => text(entry, "subject").to_owned(),
            why => format!("{} [{why}]", text(entry, "subject")),
        };
        rows.push(vec![
            plain(text(entry, "published")),
            plain(&short(text(entry, "revision"))),
            plain(&short(text(entry, "digest"))),
            plain(&state),
            proxies.to_string(),
            plain(text(entry, "author")),
            plain(&subject),
        ]);
    }
    let mut page = table(&rows);
    let others = history.get("others").and_then(Value::as_u64).unwrap_or(0);
    if others > 0 {
        page.push_str(&format!(
            "\n{others} connected proxies hold something else: `meshd status` shows them\n"
        ));
    }
    page
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_publication_is_a_line() {
        let entry = |state: &str, rollback: bool, why: Value| {
            json!({ "revision": "c3d1f00c3d1f00c3d1", "digest": "sha256:00aa00aa00aa00aa", "author": "Ada",
                "subject": "Wait\u{1b}[2J", "published": "2026-11-28T01:02:03Z", "state": state, "why": why,
                "rollback": rollback, "proxies": 2 })
        };
        let entries = [
            entry("live", true, Value::Null),
            entry("returned", false, json!("Rejected: 2 proxies")),
        ];
        let page = human(&json!({ "entries": entries, "others": 3 }));
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(
            lines[1],
            "2026-11-28T01:02:03Z  c3d1f00c3d1f  00aa00aa00aa  live (rollback)  2        Ada     Wait [2J"
        );
        assert!(
            lines[2].ends_with("Wait [2J [Rejected: 2 proxies]"),
            "{page}"
        );
        assert!(
            page.ends_with("3 connected proxies hold something else: `meshd status` shows them\n")
        );
        assert_eq!(
            human(&json!({ "entries": [] })),
            "nothing was published yet\n"
        );
    }

    #[test]
    fn a_bundle_is_named_by_hexadecimal_digits() {
        for (text, good) in [
            ("c3d1", true),
            ("sha256:00ff", true),
            ("HEAD", false),
            ("", false),
            ("sha256:", false),
            ("a&of=b", false),
        ] {
            assert_eq!(name(text).is_ok(), good, "{text}");
        }
    }
}
