//! What the commands have in common that ask a running meshd: where it is, and how its answer is taken.
//!
//! Never opens the state directory itself: whoever may use the socket in it may ask.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::app::Failure;
use crate::control::{Answer, Client};
use crate::settings::Label;

/// An answer that is not waited for comes at once; a bundle may have to be compiled for it.
pub(super) const PROMPT: Duration = Duration::from_secs(150);

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Human,
    Json,
}

/// Which meshd.
#[derive(Debug, Args)]
pub(super) struct Ask {
    /// The state directory of the meshd that is asked
    #[arg(long, value_name = "DIR", env = "MESHD_STATE_DIR")]
    state_dir: PathBuf,
}

impl Ask {
    /// Asks, and waits for the answer for so long.
    pub(super) fn request(
        &self,
        (method, path): (&str, &str),
        body: Option<&Value>,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::System(error.to_string()))?;
        let client = Client::new(&self.state_dir);
        let body = body.map(ToString::to_string).unwrap_or_default();
        let asked = async {
            tokio::time::timeout(patience, client.ask((method, path), body))
                .await
                .unwrap_or_else(|_| Err(format!("meshd has not answered within {patience:?}")))
        };
        runtime.block_on(asked).map_err(Failure::System)
    }

    /// A question that is answered at once: anything but 200 and 202 is a failure, in meshd's words.
    pub(super) fn prompt(
        &self,
        what: (&str, &str),
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let answer = self.request(what, body, PROMPT)?;
        match answer.status {
            200 | 202 => answer.json().map_err(Failure::System),
            _ => Err(Failure::System(answer.text().trim().to_owned())),
        }
    }
}

/// Which of the sources that a meshd follows.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The source that is meant, as the settings of meshd call it, where there are several
    #[arg(long, value_name = "NAME", value_parser = source)]
    source: Option<String>,
}

impl Of {
    /// The path of a question about it.
    pub(super) fn at(&self, path: &str) -> String {
        let Some(source) = &self.source else {
            return path.to_owned();
        };
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}source={source}")
    }
}

/// The name of a source is a [`Label`].
fn source(text: &str) -> Result<String, String> {
    Label::try_from(text.to_owned()).map(|label| label.to_string())
}

/// Text that came over the wire, for a terminal: no control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The elements of a list; none where it is not there.
pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    let list = value.get(field).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// A text; empty where it is not there.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or("")
}

/// As git shortens what it shows: enough for eyes.
pub(super) fn short(digest: &str) -> String {
    let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
    match digest {
        "" => "-".to_owned(),
        _ => digest.chars().take(12).collect(),
    }
}

/// Columns of text, each as wide as its widest entry.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0))
        .map(width)
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be_and_nothing_moves_the_cursor() {
        let rows = [["a", "bb", ""], ["ccc", "d", "e"]];
        let rows: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
            .collect();
        assert_eq!(table(&rows), "a    bb\nccc  d   e\n");
        assert_eq!(plain("no\u{1b}[2J\nline"), "no [2J line");
    }
}
