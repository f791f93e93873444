//! Metrics as texts of Prometheus and of `OpenMetrics`: read, and written.
//!
//! Never believes what it reads: a line that is no sample is left out and counted, and what was read cannot begin a line of
//! its own where it is written.

use std::borrow::Cow;

/// Of one sample; more of them are no description but data.
const MOST_LABELS: usize = 64;
/// Name and labels of one sample.
const LONGEST: usize = 4 * 1024;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Unknown,
}

/// One metric with all of its samples.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Family<'t> {
    /// As its samples show it: a counter has its `_total`.
    pub(crate) name: &'t str,
    pub(crate) kind: Kind,
    /// Escaped.
    pub(crate) help: &'t str,
    pub(crate) samples: Vec<Sample<'t>>,
}

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample<'t> {
    pub(crate) name: &'t str,
    /// What stands between the braces, well-formed.
    pub(crate) labels: &'t str,
    /// A number.
    pub(crate) value: &'t str,
}

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Exposition<'t> {
    pub(crate) families: Vec<Family<'t>>,
    /// Lines that are no samples, and samples beyond the limit.
    pub(crate) left_out: u64,
}

/// The metric that lines are read for.
struct Current<'t> {
    /// As its `# TYPE` names it.
    declared: &'t str,
    kind: Option<&'t str>,
    family: Family<'t>,
}

struct Reader<'t> {
    read: Exposition<'t>,
    current: Option<Current<'t>>,
    room: usize,
}

impl Kind {
    fn named(name: &str) -> Self {
        match name {
            "counter" => Self::Counter,
            "gauge" | "info" | "stateset" => Self::Gauge,
            "histogram" => Self::Histogram,
            "summary" => Self::Summary,
            _ => Self::Unknown,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
            Self::Unknown => "untyped",
        }
    }

    /// What may follow its name in a sample; `None` where it is nothing that is passed on.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total"],
            Self::Gauge => &["", "_info"],
            Self::Histogram => &["_bucket", "_sum", "_count"],
            Self::Summary => &["", "_sum", "_count"],
            Self::Unknown => &[""],
        }
    }
}

impl<'t> Exposition<'t> {
    /// Reads a text; samples beyond `most` are left out. Timestamps and exemplars are not kept: what is asked for now is of
    /// now.
    pub(crate) fn read(text: &'t str, most: usize) -> Self {
        let mut reader = Reader {
            read: Self::default(),
            current: None,
            room: most,
        };
        for line in text.lines() {
            match line.trim_start().strip_prefix('#') {
                Some(comment) => reader.comment(comment),
                None if line.trim().is_empty() => {}
                None => reader.sample(line),
            }
        }
        reader.begin(None);
        reader.read
    }
}

impl<'t> Reader<'t> {
    fn begin(&mut self, next: Option<Current<'t>>) {
        if let Some(done) = std::mem::replace(&mut self.current, next)
            && !(done.family.samples.is_empty() && done.kind.is_none())
        {
            self.read.families.push(done.family);
        }
    }

    fn comment(&mut self, comment: &'t str) {
        let mut words = comment.trim_start().splitn(3, [' ', '\t']);
        let (Some(what @ ("HELP" | "TYPE")), Some(name)) = (words.next(), words.next()) else {
            return;
        };
        let rest = words.next().unwrap_or_default().trim();
        if !is_name(name) {
            self.read.left_out += 1;
            return;
        }
        if self.current.as_ref().is_none_or(|it| it.declared != name) {
            self.begin(Some(Current::new(name)));
        }
        let Some(current) = &mut self.current else {
            return;
        };
        match what {
            "HELP" => current.family.help = rest,
            _ => {
                current.kind = Some(rest);
                current.family.kind = Kind::named(rest);
            }
        }
    }

    fn sample(&mut self, line: &'t str) {
        let Some(sample) = Sample::read(line).filter(|_| self.room > 0) else {
            self.read.left_out += 1;
            return;
        };
        let belongs = |current: &Current<'t>| {
            let suffix = sample.name.strip_prefix(current.declared);
            suffix.map(|suffix| (suffix, current.family.kind))
        };
        match self.current.as_ref().and_then(belongs) {
            // When something began to count is no metric of its own.
            Some(("_created", Kind::Counter | Kind::Histogram | Kind::Summary)) => return,
            Some((suffix, kind)) if kind.suffixes().contains(&suffix) => {}
            _ => self.begin(Some(Current::new(sample.name))),
        }
        if let Some(current) = &mut self.current {
            self.room -= 1;
            if matches!(current.family.kind, Kind::Counter | Kind::Gauge) {
                current.family.name = sample.name;
            }
            current.family.samples.push(sample);
        }
    }
}

impl<'t> Current<'t> {
    fn new(declared: &'t str) -> Self {
        Self {
            declared,
            kind: None,
            family: Family {
                name: declared,
                kind: Kind::Unknown,
                help: "",
                samples: Vec::new(),
            },
        }
    }
}

impl<'t> Sample<'t> {
    fn read(line: &'t str) -> Option<Self> {
        let line = line.trim();
        let end = line.find(['{', ' ', '\t'])?;
        let (name, rest) = line.split_at_checked(end)?;
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => {
                let end = closing_brace(rest)?;
                let (labels, rest) = rest.split_at_checked(end)?;
                (labels, rest.strip_prefix('}')?)
            }
            None => ("", rest),
        };
        let value = rest.split_whitespace().next()?;
        let number: Result<f64, _> = value.parse();
        let fits = name.len() + labels.len() <= LONGEST;
        (is_name(name) && fits && number.is_ok()).then_some(Self {
            name,
            labels: labels.trim().trim_end_matches(',').trim_end(),
            value,
        })
    }

    pub(crate) fn number(&self) -> f64 {
        self.value.parse().unwrap_or(f64::NAN)
    }
}

/// Where the labels end, if they are well-formed.
fn closing_brace(text: &str) -> Option<usize> {
    let mut rest = text.trim_start();
    let mut count = 0;
    while !rest.starts_with('}') {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let after = after.get(closing_quote(after)?..)?.strip_prefix('"')?;
        count += 1;
        if !is_label(name.trim()) || count > MOST_LABELS {
            return None;
        }
        rest = after.trim_start();
        rest = match rest.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
    Some(text.len() - rest.len())
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(good)
}

fn is_label(name: &str) -> bool {
    is_name(name) && !name.contains(':')
}

/// Names and escaped values of well-formed labels.
pub(crate) fn pairs(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = labels;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start().strip_prefix('"')?;
        let (value, after) = after.split_at_checked(closing_quote(after)?)?;
        let after = after.strip_prefix('"')?.trim_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        Some((name.trim(), value))
    })
}

/// A value of a label without its escapes.
pub(crate) fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(next) = chars.next() {
        match (next, next == '\\') {
            (_, true) => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            (other, false) => plain.push(other),
        }
    }
    Cow::Owned(plain)
}

/// A text as a value of a label.
pub(crate) fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', "\\\"");
    escaped.replace('\n', r"\n")
}

/// Writes a metric as Prometheus reads it (text format 0.0.4), each sample with the label that is given beside it.
pub(crate) fn write<'t>(
    text: &mut String,
    family: &Family<'t>,
    samples: impl Iterator<Item = (Sample<'t>, Option<(&'t str, &'t str)>)>,
) {
    let Family {
        name, kind, help, ..
    } = family;
    for part in [
        "# HELP ",
        name,
        " ",
        help,
        "\n# TYPE ",
        name,
        " ",
        kind.as_str(),
        "\n",
    ] {
        text.push_str(part);
    }
    for (sample, more) in samples {
        text.push_str(sample.name);
        let own = more.map(|(name, _)| name);
        let mut between = '{';
        let mut label = |before: &str, name: &str, value: &str| {
            text.push(between);
            between = ',';
            for part in [before, name, "=\"", value, "\""] {
                text.push_str(part);
            }
        };
        for (name, value) in pairs(sample.labels) {
            // As Prometheus does where a target has a label already that it is given by whoever asks it.
            let before = match own == Some(name) {
                true => "exported_",
                false => "",
            };
            label(before, name, value);
        }
        if let Some((name, value)) = more {
            label("", name, value);
        }
        if between == ',' {
            text.push('}');
        }
        text.push(' ');
        text.push_str(sample.value);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests;
