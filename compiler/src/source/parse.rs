//! Text to documents: runs the YAML parser over a file.
//!
//! Never gives a file up because of one document: what is broken costs itself, and the one after it is read.

use granit_parser::{ErrorKind, Event, Parser};

use super::build::{Builder, Fault, TOO_DEEP};
use super::limit::{self, FileLimits};
use super::plain::{self, NotPlain};
use super::{Parsed, Span, words};
use crate::diag::{Code, Diagnostic, Location};

/// The documents of one file.
pub(super) fn documents(file: &str, text: &str, limits: &mut FileLimits) -> Vec<Parsed> {
    match plain(file, text, limits) {
        Some(document) => vec![document],
        None => all(file, text, limits),
    }
}

/// The document of a file that has only one, and only what is plain in it.
pub(super) fn plain(file: &str, text: &str, limits: &mut FileLimits) -> Option<Parsed> {
    let before = *limits;
    let mut builder = Builder::new(file, text, 0);
    let told = plain::read(text, |event, at| {
        // What is too much is told by who reads everything.
        let step = builder.event(event, at, limits);
        step.map_err(|_| NotPlain)
    });
    if told.is_err() {
        *limits = before;
        return None;
    }
    Some(builder.finish())
}

/// The documents of any file.
pub(crate) fn all(file: &str, text: &str, limits: &mut FileLimits) -> Vec<Parsed> {
    let options = granit_parser::options! {
        flow_nesting_limit: limit::DEPTH,
        block_nesting_limit: limit::DEPTH,
        max_buffered_comment_events: limit::COMMENTS,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut documents: Vec<Parsed> = Vec::new();
    let mut builder = Builder::new(file, text, 0);
    // Comments before a document belong to it.
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((Event::DocumentEnd, _)) => {
                let index = documents.len() + 1;
                let done = std::mem::replace(&mut builder, Builder::new(file, text, index));
                documents.push(done.finish());
                Ok(())
            }
            Ok((event, at)) => builder.event(event, span(at), limits),
            Err(error) => Err(syntax(text, &error)),
        };
        let index = documents.len();
        let fault = match step {
            _ if index == limit::DOCUMENTS && builder.begun => Fault {
                code: Code::EXCEEDS_LIMIT,
                message: format!(
                    "this file exceeds the limit of {} documents",
                    limit::DOCUMENTS
                ),
                help: Some("spread them over several files".to_owned()),
                span: Span {
                    start: builder.began,
                    end: builder.began,
                },
                last: true,
            },
            Ok(()) => continue,
            Err(fault) => fault,
        };
        let last = fault.last;
        if index == limit::DOCUMENTS {
            // The file is refused, not the one document: the limit is all that is told of it.
            for document in &mut documents {
                document.root = None;
                document.findings.clear();
            }
        }
        documents.push(broken(file, index, fault));
        builder = Builder::new(file, text, index + 1);
        // What follows the broken document is read as if nothing had happened.
        if last || !parser.proceed_next_document().unwrap_or(false) {
            break;
        }
    }
    documents
}

fn broken(file: &str, index: usize, fault: Fault) -> Parsed {
    let at = Location {
        document: index,
        ..Location::of_file(file)
    };
    let mut finding = Diagnostic::new(fault.code, at, fault.message);
    finding.help = fault.help;
    Parsed {
        index,
        root: None,
        span: fault.span,
        findings: vec![finding],
        comments: Vec::new(),
    }
}

fn span(at: granit_parser::Span) -> Span {
    let range = at.byte_range().unwrap_or(0..0);
    let tag = at.tag_start().and_then(|tag| tag.byte_offset());
    Span {
        start: tag.map_or(range.start, |tag| tag.min(range.start)),
        end: range.end,
    }
}

fn syntax(text: &str, error: &granit_parser::ScanError) -> Fault {
    let start = error.marker().byte_offset().unwrap_or(0).min(text.len());
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(start..).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = after.lines().next().unwrap_or_default();
    let line = text.get(line_start..start + rest.len()).unwrap_or_default();
    let width = rest.chars().next().map_or(0, char::len_utf8);
    let (code, (message, help)) = match error.kind() {
        ErrorKind::RecursionLimitExceeded => (Code::EXCEEDS_LIMIT, (TOO_DEEP, None)),
        ErrorKind::TooManyComments => (Code::EXCEEDS_LIMIT, (TOO_MANY_COMMENTS, None)),
        kind => (Code::YAML_SYNTAX, words::of(kind)),
    };
    Fault {
        code,
        message: message.to_owned(),
        help: words::suspicion(line).or(help).map(str::to_owned),
        span: Span {
            start,
            end: start + width,
        },
        last: false,
    }
}

const TOO_MANY_COMMENTS: &str = "this exceeds the limit of 50000 comment lines in a row";
