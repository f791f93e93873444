//! Findings for people: the message, the lines it is about, what belongs to it, what helps.
//!
//! Never shows a line that holds a private key, and none of a Secret.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet,
};

use super::render::safe;
use super::secret::is_secret;
use super::{Diagnostic, Location, Severity};
use crate::edit::Editor;
use crate::source::Sources;

/// Longer lines are not shown: nobody reads them, and they may be a megabyte.
const LONGEST_LINE: usize = 300;

/// What the first and the last line of a private key in PEM hold (RFC 7468).
const KEY_MARK: &str = "PRIVATE KEY-----";

/// Lines of one excerpt; a related place that is farther away gets its own.
const MOST_LINES: usize = 60;

pub(super) fn render(
    diagnostic: &Diagnostic,
    sources: &Sources,
    editor: &mut Editor<'_>,
    color: bool,
) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(safe(&diagnostic.message))
        .id(diagnostic.code.0);
    let mut group = Group::with_title(title);
    for element in excerpts(diagnostic, sources) {
        group = group.element(element);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(safe(help)));
    }
    let renderer = match color {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    let renderer = renderer.decor_style(DecorStyle::Ascii);
    let mut groups = vec![group];
    groups.extend(patch(diagnostic, sources, editor));
    format!("{}\n\n", renderer.render(&groups))
}

/// What the fix would make of the lines that it is about.
fn patch<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
    editor: &mut Editor<'_>,
) -> Option<Group<'a>> {
    let fix = diagnostic.fix.as_ref()?;
    if is_secret(sources, &diagnostic.at) {
        return None;
    }
    let edits = editor.edits(fix, &diagnostic.at)?;
    let text = sources.text(&diagnostic.at.file)?;
    let (first, last) = (edits.first()?, edits.last()?);
    let lines = lines(text, first.span.start..last.span.end);
    let shown = text.get(lines.clone())?;
    if !is_fit(shown, text.get(..lines.start)?) || shown.lines().count() > MOST_LINES {
        return None;
    }
    // Nothing in it may act on a terminal: what is put in is made of the document too.
    if edits
        .iter()
        .any(|edit| safe(&edit.text) != edit.text && !edit.text.starts_with('\n'))
    {
        return None;
    }
    let patches = edits.into_iter().map(|edit| {
        let inside = edit.span.start - lines.start..edit.span.end - lines.start;
        Patch::new(inside, edit.text)
    });
    let how = if fix.safe { "--fix" } else { "--fix=unsafe" };
    let title = format!("`{how}` can {}", fix.description);
    let snippet = Snippet::source(shown)
        .line_start(text.get(..lines.start)?.matches('\n').count() + 1)
        .path(safe(&diagnostic.at.file))
        .fold(true)
        .patches(patches);
    Some(Group::with_title(Level::HELP.secondary_title(title)).element(snippet))
}

/// Can these lines be shown, after what stands before them?
fn is_fit(shown: &str, before: &str) -> bool {
    let unfit = |line: &str| line.len() > LONGEST_LINE || line.contains(KEY_MARK);
    !shown.trim().is_empty() && !shown.lines().any(unfit) && !ends_inside_key(before)
}

/// A place in one file with what to say about it.
struct Marked<'a> {
    at: &'a Location,
    words: Option<&'a str>,
}

fn excerpts<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Element<'a>> {
    let primary = Marked {
        at: &diagnostic.at,
        words: None,
    };
    let mut excerpts: Vec<Vec<Marked<'_>>> = vec![vec![primary]];
    for (at, words) in diagnostic.related.iter().take(8) {
        let marked = Marked {
            at,
            words: Some(words),
        };
        let near = excerpts.first_mut().filter(|first| {
            let line = sources.line(at);
            first.iter().all(|other| {
                let distance = sources.line(other.at).abs_diff(line);
                other.at.file == at.file && usize::try_from(distance).is_ok_and(|d| d < MOST_LINES)
            })
        });
        match near {
            Some(first) => first.push(marked),
            None => excerpts.push(vec![marked]),
        }
    }
    let mut main = true;
    let mut elements = Vec::new();
    for marked in &excerpts {
        elements.push(excerpt(marked, sources, main));
        main = false;
    }
    elements
}

/// The lines around some places of one file; only where they are, when the lines cannot be shown.
fn excerpt<'a>(marked: &[Marked<'a>], sources: &'a Sources, main: bool) -> Element<'a> {
    let Some(first) = marked.first() else {
        return Element::from(Level::NOTE.message(""));
    };
    let path = safe(&first.at.file);
    let text = sources.text(&first.at.file).unwrap_or_default();
    let spans: Vec<Range<usize>> = marked
        .iter()
        .map(|marked| span(sources, marked.at, text))
        .collect();
    let start = spans.iter().map(|span| span.start).min().unwrap_or(0);
    let end = spans.iter().map(|span| span.end).max().unwrap_or(0);
    let lines = lines(text, start..end);
    let shown = text.get(lines.clone()).unwrap_or_default();
    let before = text.get(..lines.start).unwrap_or_default();
    let place = sources.place(first.at);
    let secret = marked.iter().any(|marked| is_secret(sources, marked.at));
    if secret || !is_fit(shown, before) {
        let number = |n: u32| usize::try_from(n).unwrap_or(0);
        let origin = Origin::path(path)
            .line(number(place.line))
            .char_column(number(place.column));
        return Element::from(origin);
    }
    let annotations = marked
        .iter()
        .zip(&spans)
        .enumerate()
        .map(|(index, (marked, span))| {
            let kind = match main && index == 0 {
                true => AnnotationKind::Primary,
                false => AnnotationKind::Context,
            };
            let inside = span.start - lines.start..span.end - lines.start;
            let annotation: Annotation<'_> = kind.span(inside);
            annotation.label(marked.words.map(safe))
        });
    let snippet = Snippet::source(shown)
        .line_start(before.matches('\n').count() + 1)
        .path(path)
        .fold(true)
        .annotations(annotations);
    Element::from(snippet)
}

/// The bytes to underline: at least one character, at most a few lines.
fn span(sources: &Sources, at: &Location, text: &str) -> Range<usize> {
    let span = sources.span(at).unwrap_or_default();
    let start = span.start.min(text.len());
    let rest = text.get(start..).unwrap_or_default();
    let width = rest.chars().next().map_or(0, char::len_utf8);
    let end = span.end.clamp(start, text.len()).max(start + width);
    let inside = text.get(start..end).unwrap_or_default();
    // A value over many lines is shown by its first.
    match inside.match_indices('\n').nth(4) {
        Some(_) => start..start + inside.find('\n').unwrap_or(0).max(width),
        None => start..end,
    }
}

/// Does the text end between the first and the last line of a private key?
fn ends_inside_key(text: &str) -> bool {
    let mark = text.rfind(KEY_MARK).map(|at| text.split_at(at).0);
    let line = mark.and_then(|before| before.lines().next_back());
    line.is_some_and(|line| line.contains("-----BEGIN"))
}

/// Whole lines.
fn lines(text: &str, span: Range<usize>) -> Range<usize> {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = after.find('\n').map_or(text.len(), |at| span.end + at);
    start..end
}
