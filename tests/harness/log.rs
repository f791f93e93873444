//! What a process says on stderr, line by line.
//!
//! Never forgets a line: a wait may begin at a mark that was set before the line came.

use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::patience::PATIENCE;

/// How many lines a failure shows of each process.
const TAIL: usize = 25;

/// One line; fields where it is a JSON object.
#[derive(Debug, Clone)]
pub struct Line {
    text: String,
    fields: Map<String, Value>,
}

impl Line {
    fn new(text: String) -> Self {
        let fields = match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Self { text, fields }
    }

    /// The field as text; empty where it is not there.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        match self.fields.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    /// What the line is about.
    #[must_use]
    pub fn message(&self) -> String {
        self.field("message")
    }

    /// How grave it is: `INFO`, `WARN`, `ERROR`.
    #[must_use]
    pub fn level(&self) -> String {
        self.field("level")
    }

    /// True when every one of these fields has this value.
    #[must_use]
    pub fn has(&self, fields: &[(&str, &str)]) -> bool {
        fields
            .iter()
            .all(|(name, value)| self.field(name) == *value)
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The lines of one process so far.
#[derive(Debug, Clone)]
pub struct Log(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    lines: Mutex<Vec<Line>>,
    /// How many lines there are, and whether more can come.
    state: watch::Sender<(usize, bool)>,
}

impl Log {
    pub(crate) fn new(name: &str) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            lines: Mutex::default(),
            state: watch::Sender::new((0, true)),
        }))
    }

    /// Whose it is.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn push(&self, text: String) {
        let mut lines = self.lines();
        lines.push(Line::new(text));
        let count = lines.len();
        drop(lines);
        self.0.state.send_modify(|state| state.0 = count);
    }

    pub(crate) fn close(&self) {
        self.0.state.send_modify(|state| state.1 = false);
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place after the last line.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.lines().len()
    }

    /// Every line as it was said.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.lines().iter().map(Line::to_string).collect()
    }

    /// Every line after `mark` with this message for which `wanted` holds.
    #[must_use]
    pub fn all(&self, mark: usize, message: &str, wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
        let lines = self.lines();
        lines
            .iter()
            .skip(mark)
            .filter(|line| line.message() == message && wanted(line))
            .cloned()
            .collect()
    }

    /// The first such line, as soon as it is there.
    ///
    /// # Panics
    /// When the process ends first, or [`PATIENCE`] does.
    pub async fn wait(&self, mark: usize, message: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        let found = |line: &Line| line.message() == message && wanted(line);
        self.find(mark, &format!("`{message}`"), found).await
    }

    /// The first line after `mark` for which `wanted` holds, whatever its message; `what` names it where it never comes.
    ///
    /// # Panics
    /// When the process ends first, or [`PATIENCE`] does.
    pub async fn find(&self, mark: usize, what: &str, wanted: impl Fn(&Line) -> bool) -> Line {
        self.find_within(PATIENCE, mark, what, wanted).await
    }

    /// The same, for what takes longer.
    pub(crate) async fn find_within(
        &self,
        patience: Duration,
        mark: usize,
        what: &str,
        wanted: impl Fn(&Line) -> bool,
    ) -> Line {
        let mut state = self.0.state.subscribe();
        let search = async {
            loop {
                let (_, open) = *state.borrow_and_update();
                let found = self
                    .lines()
                    .iter()
                    .skip(mark)
                    .find(|line| wanted(line))
                    .cloned();
                if found.is_some() || !open || state.changed().await.is_err() {
                    return found;
                }
            }
        };
        match tokio::time::timeout(patience, search).await {
            Ok(Some(line)) => line,
            Ok(None) => panic!("{} ended and never said {what}\n{self}", self.0.name),
            Err(_) => panic!(
                "{} did not say {what} within {patience:?}\n{self}",
                self.0.name
            ),
        }
    }

    /// The first line after `mark` with this message and these fields, as soon as it is there.
    pub async fn says(&self, mark: usize, message: &str, fields: &[(&str, &str)]) -> Line {
        self.wait(mark, message, |line| line.has(fields)).await
    }
}

/// The last lines.
impl Display for Log {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let skipped = lines.len().saturating_sub(TAIL);
        writeln!(f, "--- {} ({skipped} earlier lines)", self.0.name)?;
        for line in lines.iter().skip(skipped) {
            writeln!(f, "    {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_found_before_and_after_it_comes() {
        let log = Log::new("a");
        log.push(r#"{"message":"listening","admin":"127.0.0.1:1","n":3}"#.to_owned());
        let line = log.says(0, "listening", &[("n", "3")]).await;
        assert_eq!(line.field("admin"), "127.0.0.1:1");
        let mark = log.mark();
        let (line, ()) = tokio::join!(log.says(mark, "listening", &[]), async {
            log.push("not JSON".to_owned());
            log.push(r#"{"message":"listening","admin":"x"}"#.to_owned());
        });
        assert_eq!(line.field("admin"), "x");
    }

    #[tokio::test]
    #[should_panic(expected = "never said `ready`")]
    async fn a_process_that_ends_is_not_waited_for() {
        let log = Log::new("a");
        log.close();
        log.says(0, "ready", &[]).await;
    }
}
