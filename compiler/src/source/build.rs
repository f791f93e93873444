//! Events of the YAML parser to one tree.
//!
//! Never recurses with the depth of the input, and never keeps more of an alias than its budget.

use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{Event, ScalarStyle, StructureStyle, Tag};

use super::limit::{self, FileLimits};
use super::node::{Entry, Layout, Node, NodeKind, Style};
use super::{Parsed, Span, key, scalar};
use crate::diag::{Code, Diagnostic, Location, Pointer, Step};

pub(super) const TOO_DEEP: &str = "this exceeds the limit of 64 levels of nesting";

/// Why a document cannot be read on.
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) span: Span,
    /// Nothing after it is read either.
    pub(super) last: bool,
}

/// A document as it grows.
pub(super) struct Builder<'t> {
    file: &'t str,
    text: &'t str,
    index: usize,
    /// A document has begun; before, there may be comments.
    pub(super) begun: bool,
    pub(super) began: usize,
    open: Vec<Open>,
    root: Option<Node>,
    findings: Vec<Diagnostic>,
    comments: Vec<Span>,
    /// Events since the first anchor, for aliases to be played again.
    record: Vec<(Event<'t>, Span)>,
    /// Where in the record an anchored node begins and ends.
    anchors: BTreeMap<usize, (usize, Option<usize>)>,
}

/// A collection that is not closed yet.
struct Open {
    span: Span,
    layout: Layout,
    anchor: usize,
    /// Where an alias stands that this is the expansion of.
    alias: Option<Span>,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<Entry>,
        key: Option<(String, Span)>,
    },
}

impl<'t> Builder<'t> {
    pub(super) fn new(file: &'t str, text: &'t str, index: usize) -> Self {
        Self {
            file,
            text,
            index,
            begun: false,
            began: 0,
            open: Vec::new(),
            root: None,
            findings: Vec::new(),
            comments: Vec::new(),
            record: Vec::new(),
            anchors: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> Parsed {
        let root = self.root.filter(|root| root.kind != NodeKind::Null);
        Parsed {
            index: self.index,
            span: root.as_ref().map_or_else(Span::default, |root| root.span),
            root,
            findings: self.findings,
            comments: self.comments,
        }
    }

    pub(super) fn event(
        &mut self,
        event: Event<'t>,
        at: Span,
        limits: &mut FileLimits,
    ) -> Result<(), Fault> {
        match &event {
            Event::Comment(..) => {
                self.comments.push(at);
                return Ok(());
            }
            Event::DocumentStart(..) => {
                self.begun = true;
                self.began = at.start;
                return Ok(());
            }
            _ => {}
        }
        let anchor = match &event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(_, anchor, _)
            | Event::MappingStart(_, anchor, _) => *anchor,
            _ => 0,
        };
        let position = self.record.len();
        if anchor > 0 {
            let end = matches!(event, Event::Scalar(..)).then_some(position + 1);
            self.anchors.insert(anchor, (position, end));
        }
        if !self.anchors.is_empty() {
            self.record.push((event.clone(), at));
        }
        self.node_event(event, at, None, limits)
    }

    fn node_event(
        &mut self,
        event: Event<'t>,
        at: Span,
        alias: Option<Span>,
        limits: &mut FileLimits,
    ) -> Result<(), Fault> {
        let exceeded = |message: String| Fault {
            code: Code::EXCEEDS_LIMIT,
            message,
            help: None,
            span: alias.unwrap_or(at),
            last: true,
        };
        match event {
            Event::Scalar(text, style, _, tag) => {
                limits.node().map_err(exceeded)?;
                let kind = self.scalar(&text, style, tag.as_deref());
                self.place(
                    Node {
                        kind,
                        span: alias.unwrap_or(at),
                    },
                    at,
                );
                Ok(())
            }
            Event::SequenceStart(style, anchor, tag) => {
                limits.node().map_err(exceeded)?;
                self.collection_tag(tag.as_deref(), "seq");
                let content = Content::Sequence(Vec::new());
                self.begin(content, style, anchor, at, alias)
            }
            Event::MappingStart(style, anchor, tag) => {
                limits.node().map_err(exceeded)?;
                self.collection_tag(tag.as_deref(), "map");
                let content = Content::Mapping {
                    entries: Vec::new(),
                    key: None,
                };
                self.begin(content, style, anchor, at, alias)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.end(at);
                Ok(())
            }
            Event::Alias(id) => self.alias(id, alias.unwrap_or(at), limits),
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        content: Content,
        style: StructureStyle,
        anchor: usize,
        span: Span,
        alias: Option<Span>,
    ) -> Result<(), Fault> {
        if self.open.len() >= limit::DEPTH {
            return Err(Fault {
                code: Code::EXCEEDS_LIMIT,
                message: TOO_DEEP.to_owned(),
                help: None,
                span: alias.unwrap_or(span),
                last: false,
            });
        }
        let layout = match style {
            StructureStyle::Flow => Layout::Flow,
            _ => Layout::Block,
        };
        self.open.push(Open {
            span,
            layout,
            anchor,
            alias,
            content,
        });
        Ok(())
    }

    fn end(&mut self, at: Span) {
        let Some(open) = self.open.pop() else {
            return;
        };
        let recorded = self.record.len();
        if let Some((_, end)) = self.anchors.get_mut(&open.anchor) {
            end.get_or_insert(recorded);
        }
        let (kind, last) = match open.content {
            Content::Sequence(items) => {
                let last = items.last().map(|item| item.span.end);
                (NodeKind::Sequence(items, open.layout), last)
            }
            Content::Mapping { entries, .. } => {
                let last = entries
                    .last()
                    .map(|entry| entry.value.span.end.max(entry.key_span.end));
                self.duplicates(&entries);
                (NodeKind::Mapping(entries, open.layout), last)
            }
        };
        // A block ends where the parser noticed, which may be many blank lines later.
        let end = match open.layout {
            Layout::Flow => at.end,
            Layout::Block => last.unwrap_or(at.end),
        };
        let written = Span {
            start: open.span.start,
            end: end.max(open.span.start),
        };
        let span = open.alias.unwrap_or(written);
        self.place(Node { kind, span }, written);
    }

    /// Puts a finished node where it belongs: under its key, into its list, or it is a key itself.
    fn place(&mut self, node: Node, written: Span) {
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::Sequence(items)) => items.push(node),
            Some(Content::Mapping { entries, key }) => match key.take() {
                Some((key, key_span)) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
                None => self.key(&node, written),
            },
        }
    }

    fn key(&mut self, node: &Node, written: Span) {
        let (name, trouble) = key::read(node, self.text, written);
        if let Some(Content::Mapping { key, .. }) =
            self.open.last_mut().map(|open| &mut open.content)
        {
            *key = Some((name, node.span));
        }
        if let Some((message, help)) = trouble {
            self.find(Code::UNSUPPORTED_YAML, message, help, true);
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>) -> NodeKind {
        let written = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            _ => Style::Block,
        };
        let as_text = || NodeKind::Text(text.to_owned(), written);
        let untagged = match written {
            Style::Plain => scalar::resolve(text),
            _ => as_text(),
        };
        let Some(tag) = tag else {
            return untagged;
        };
        let fits = match tag.core_suffix() {
            Some("str") => return as_text(),
            None if tag.original() == "!" => return as_text(),
            Some("int") => matches!(&untagged, NodeKind::Number(n) if !n.is_f64()),
            Some("float") => matches!(untagged, NodeKind::Number(_)),
            Some("bool") => matches!(untagged, NodeKind::Bool(_)),
            Some("null") => untagged == NodeKind::Null,
            _ => false,
        };
        if !fits {
            self.tag(tag);
        }
        untagged
    }

    fn collection_tag(&mut self, tag: Option<&Tag>, expected: &str) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix() != Some(expected)) {
            self.tag(tag);
        }
    }

    fn tag(&mut self, tag: &Tag) {
        self.find(
            Code::UNSUPPORTED_YAML,
            format!("the tag `{}` is not part of this language", tag.original()),
            "remove it; a text that begins with `!` needs quotes",
            false,
        );
    }

    /// Plays the events of an anchored node again.
    fn alias(&mut self, id: usize, at: Span, limits: &mut FileLimits) -> Result<(), Fault> {
        let fault = |code: Code, message: String, last: bool| Fault {
            code,
            message,
            help: None,
            span: at,
            last,
        };
        let Some((from, Some(to))) = self.anchors.get(&id).copied() else {
            let message = "this alias stands inside of what it stands for".to_owned();
            return Err(fault(Code::YAML_SYNTAX, message, false));
        };
        let mut alias = Some(at);
        for index in from..to {
            let Some((event, written)) = self.record.get(index).cloned() else {
                break;
            };
            let bytes = match &event {
                Event::Scalar(text, ..) => Some(text.len()),
                Event::SequenceStart(..) | Event::MappingStart(..) => Some(0),
                _ => None,
            };
            if let Some(bytes) = bytes {
                limits
                    .alias_node(bytes)
                    .map_err(|message| fault(Code::EXCEEDS_LIMIT, message, true))?;
            }
            self.node_event(event, written, alias.take(), limits)
                .map_err(|inner| Fault { span: at, ..inner })?;
        }
        Ok(())
    }

    fn duplicates(&mut self, entries: &[Entry]) {
        let mut seen = BTreeSet::new();
        let mut told = BTreeSet::new();
        for entry in entries {
            if seen.insert(&entry.key) || !told.insert(&entry.key) {
                continue;
            }
            let mut first = self.here();
            first.pointer = first.pointer.field(&entry.key);
            first.key = true;
            let mut again = self.here();
            again.pointer.steps.push(Step::Again(entry.key.clone()));
            again.key = true;
            let message = format!("`{}` is set twice in one mapping", entry.key);
            let mut finding = Diagnostic::new(Code::DUPLICATE_KEY, again, message);
            finding.related.push((first, "first set here".to_owned()));
            finding.help =
                Some("remove one of them: readers of YAML disagree about which counts".to_owned());
            self.findings.push(finding);
        }
    }

    fn find(&mut self, code: Code, message: String, help: &str, key: bool) {
        let at = Location { key, ..self.here() };
        let mut finding = Diagnostic::new(code, at, message);
        finding.help = Some(help.to_owned());
        self.findings.push(finding);
    }

    /// The node that is being built.
    fn here(&self) -> Location {
        let steps = self.open.iter().filter_map(|open| match &open.content {
            Content::Sequence(items) => Some(Step::Index(items.len())),
            Content::Mapping { key, .. } => key.as_ref().map(|(key, _)| Step::Field(key.clone())),
        });
        Location {
            file: self.file.to_owned(),
            document: self.index,
            pointer: Pointer {
                steps: steps.collect(),
            },
            key: false,
        }
    }
}
