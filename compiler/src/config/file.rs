//! The text of `meshc.toml`.
//!
//! Never passes over a key that it does not know, and tells everything that is wrong at once.

mod gates;
mod rollout;
mod tokens;
mod traffic;

use std::collections::BTreeMap;
use std::ops::Range;

use globset::{GlobBuilder, GlobMatcher};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::gates::{Gates, Told};
use super::key::{KEYS, Key, Values, key};
use super::lint::{Level, Lint};
use super::rollout::Rollout;
use super::{Flaw, Flaws, MOST_BYTES};
use crate::diag::{Code, Severity, codes, safe};
use crate::similar;
use crate::world::ConfigFile;

/// Patterns of one file.
const MOST_PATTERNS: usize = 1_000;

/// What stands in it.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// With their lines.
    pub(super) values: Vec<(&'static Key, String, u32)>,
    pub(super) lint: Lint,
    pub(super) gates: Option<Gates>,
    pub(super) revoked_tokens: Vec<Told<String>>,
    pub(super) rollout: Option<Rollout>,
}

/// Reads it.
pub(super) fn read(file: &ConfigFile) -> Result<Content, Flaws> {
    let mut reader = Reader {
        path: &file.path,
        text: "",
        content: Content::default(),
        flaws: Vec::new(),
    };
    if file.bytes.len() as u64 > MOST_BYTES {
        reader.complain(None, format!("it is larger than {MOST_BYTES} bytes"), None);
        return reader.end();
    }
    match std::str::from_utf8(&file.bytes) {
        Ok(text) => reader.text = text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(_) => reader.complain(None, "it is not UTF-8", None),
    }
    let directory = file.path.rfind('/').and_then(|end| file.path.get(..=end));
    reader.content.lint.directory = directory.unwrap_or_default().to_owned();
    match DeTable::parse(reader.text) {
        Ok(table) => reader.table(table.get_ref()),
        Err(error) => {
            let message = error.message().to_lowercase();
            let first = message.lines().next().unwrap_or_default();
            reader.complain(error.span(), first, None);
        }
    }
    reader.end()
}

type Entry<'a, 'i> = (
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
);

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    content: Content,
    flaws: Vec<Flaw>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>) {
        for entry in table {
            let (name, value) = entry;
            match (key(name.get_ref()), name.get_ref().as_ref()) {
                (Some(key), _) => self.value(key, value),
                (None, "lint") => self.lint(value),
                (None, "gates") => self.gates(value),
                (None, "tokens") => self.tokens(value),
                (None, "rollout") => self.rollout(value),
                (None, _) => {
                    let known = KEYS
                        .iter()
                        .map(|key| key.name)
                        .chain(["lint", "gates", "tokens", "rollout"]);
                    self.unknown("setting", entry, known);
                }
            }
        }
    }

    fn value(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>) {
        let text = match (value.get_ref(), &key.values) {
            (DeValue::Boolean(on), Values::Switch) => on.to_string(),
            (DeValue::String(text), Values::Label | Values::Word(_)) => text.to_string(),
            (other, values) => {
                let wanted = match values {
                    Values::Switch => "`true` or `false`",
                    Values::Label | Values::Word(_) => "a text",
                };
                let message = format!("`{}` is {wanted}, not {}", key.name, kind(other));
                return self.complain(Some(value.span()), message, None);
            }
        };
        match key.judge(&text) {
            Ok(()) => {
                let line = self.place(value.span().start).0;
                self.content.values.push((key, text, line));
            }
            Err((message, help)) => self.complain(Some(value.span()), message, help),
        }
    }

    fn lint(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`lint` is a table, not {}", kind(value.get_ref()));
            return self.complain(Some(value.span()), message, None);
        };
        let mut everywhere = BTreeMap::new();
        for entry in table {
            match entry.0.get_ref().as_ref() {
                "per-file" => self.per_file(entry.1),
                _ => everywhere.extend(self.level(entry)),
            }
        }
        self.content.lint.codes = everywhere;
    }

    fn per_file(&mut self, value: &Spanned<DeValue<'_>>) {
        let tables = value.get_ref().as_table();
        let Some(tables) = tables.filter(|tables| tables.len() <= MOST_PATTERNS) else {
            let message = format!("`lint.per-file` is a table of at most {MOST_PATTERNS} patterns");
            return self.complain(Some(value.span()), message, None);
        };
        // In the order of the text: the last pattern that fits counts.
        let mut tables: Vec<_> = tables.iter().collect();
        tables.sort_by_key(|(pattern, _)| pattern.span().start);
        for (pattern, value) in tables {
            let Some(matcher) = self.pattern(pattern) else {
                continue;
            };
            let Some(table) = value.get_ref().as_table() else {
                let message = "for each pattern there is a table of codes".to_owned();
                self.complain(Some(value.span()), message, None);
                continue;
            };
            let mut levels = BTreeMap::new();
            for entry in table {
                levels.extend(self.level(entry));
            }
            self.content.lint.files.push((matcher, levels));
        }
    }

    fn pattern(&mut self, pattern: &Spanned<std::borrow::Cow<'_, str>>) -> Option<GlobMatcher> {
        let text = pattern.get_ref();
        // `*` ends at a `/`, as in .gitignore; `**` goes on.
        match GlobBuilder::new(text).literal_separator(true).build() {
            Ok(glob) => Some(glob.compile_matcher()),
            Err(error) => {
                let message = format!("`{text}` is no pattern: {}", error.kind());
                self.complain(Some(pattern.span()), message, None);
                None
            }
        }
    }

    fn level(&mut self, entry: Entry<'_, '_>) -> Option<(Code, Level)> {
        let (name, value) = entry;
        let Some(info) = codes().iter().find(|info| info.code.0 == name.get_ref()) else {
            self.unknown("code", entry, codes().iter().map(|info| info.code.0));
            return None;
        };
        let word = value.get_ref().as_str().unwrap_or_default();
        let Some(level) = Level::ALL.into_iter().find(|level| level.word() == word) else {
            let message = format!(
                "`{}` is `\"off\"`, `\"warning\"` or `\"error\"`",
                info.code.0
            );
            self.complain(Some(value.span()), message, None);
            return None;
        };
        if info.severity == Severity::Error && level != Level::Error {
            let message = format!("`{}` is an error whatever a setting says", info.code.0);
            let help = "an error keeps a bundle from being made: mend what it is about".to_owned();
            self.complain(Some(value.span()), message, Some(help));
            return None;
        }
        Some((info.code, level))
    }

    fn unknown(
        &mut self,
        what: &str,
        (name, _): Entry<'_, '_>,
        known: impl Iterator<Item = &'static str>,
    ) {
        let help = similar::nearest(name.get_ref(), known);
        let help = help.map(|near| format!("did you mean `{near}`?"));
        let message = format!("there is no {what} `{}`", name.get_ref());
        self.complain(Some(name.span()), message, help);
    }

    fn complain(
        &mut self,
        span: Option<Range<usize>>,
        message: impl AsRef<str>,
        help: Option<String>,
    ) {
        self.flaws.push(Flaw {
            path: self.path.to_owned(),
            place: span.map(|span| self.place(span.start)),
            message: safe(message.as_ref()).into_owned(),
            help,
        });
    }

    /// Line and column, from 1.
    fn place(&self, at: usize) -> (u32, u32) {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        let brief = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        (brief(line), brief(column))
    }

    fn end(mut self) -> Result<Content, Flaws> {
        if self.flaws.is_empty() {
            return Ok(self.content);
        }
        self.flaws.sort_by_key(|flaw| flaw.place);
        Err(Flaws { list: self.flaws })
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
