//! Findings that somebody has looked at and wants no more of: `# meshc: ignore[code] reason`.
//!
//! Never hides an error, and never without a trace: what is suppressed is counted, and a comment that suppresses nothing is
//! a finding itself.

mod directive;
mod reach;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::diag::{Change, Code, Diagnostic, Diagnostics, Location, Pointer, Severity, Step};
use crate::source::{Document, Identity, Node, Sources};

use directive::Directive;
use reach::Reach;

/// A comment that can be read.
struct Suppression<'a> {
    file: &'a str,
    at: Location,
    codes: Vec<Code>,
    /// The bytes of the file that it is about.
    reach: Range<usize>,
}

/// Takes out what comments suppress, and adds what is wrong with the comments.
pub(crate) fn apply(sources: &Sources, partial: bool, diagnostics: &mut Diagnostics) {
    let (suppressions, flaws) = read(sources);
    if !suppressions.is_empty() {
        let unused = suppress(&suppressions, sources, diagnostics);
        // What was not looked for cannot be told from what is not there.
        let searched = |code: &Code| {
            let rest = partial && code.needs_repository();
            code.is_checked() && !rest && !diagnostics.has_errors()
        };
        let unused: Vec<_> = unused
            .into_iter()
            .filter(|(_, code)| searched(code))
            .collect();
        for (at, code) in unused {
            let message = format!("there is no `{}` here to be suppressed", code.0);
            let change = without(&at, code, sources);
            let finding = diagnostics.push(Diagnostic::new(Code::UNUSED_SUPPRESSION, at, message));
            finding.help("remove the code, so that a finding that comes later is not missed");
            finding.safe_fix("remove the code", |_| change.into_iter().collect());
        }
    }
    diagnostics.list.extend(flaws);
}

/// Takes out what comments suppress, of findings that `meshc check` does not look for.
pub(crate) fn hide(sources: &Sources, diagnostics: &mut Diagnostics) {
    suppress(&read(sources).0, sources, diagnostics);
}

/// The comment without one of its codes, or no comment where it was the only one.
fn without(at: &Location, code: Code, sources: &Sources) -> Option<Change> {
    let [Step::Comment(index)] = at.pointer.steps.as_slice() else {
        return None;
    };
    let span = sources.span(at)?;
    let comment = sources.text(&at.file)?.get(span.start..span.end)?;
    let (verb, rest) = comment.split_once('[')?;
    let (listed, reason) = rest.split_once(']')?;
    let listed = listed.split(',').map(str::trim);
    let left: Vec<&str> = listed.filter(|name| *name != code.0).collect();
    let words = format!("{verb}[{}]{reason}", left.join(", "));
    Some(Change::Comment(*index, (!left.is_empty()).then_some(words)))
}

fn read(sources: &Sources) -> (Vec<Suppression<'_>>, Vec<Diagnostic>) {
    let mut suppressions = Vec::new();
    let mut flaws = Vec::new();
    for (path, file) in sources.files() {
        if !file.is_addressed {
            continue;
        }
        let trees = sources.trees(path);
        let starts = trees.iter().flatten().map(|root| root.span.start);
        let first = starts.min().unwrap_or(usize::MAX);
        let parts = file.documents.iter().zip(&trees);
        for (document, root) in parts {
            let page = Page {
                path,
                text: file.text(),
                document,
                root: root.as_ref(),
                first,
            };
            of_document(page, &mut suppressions, &mut flaws);
        }
    }
    (suppressions, flaws)
}

/// A document with comments for us.
#[derive(Clone, Copy)]
struct Page<'a, 't> {
    path: &'a str,
    text: &'a str,
    document: &'a Document,
    root: Option<&'t Node>,
    /// Where the first document of the file begins.
    first: usize,
}

fn of_document<'a>(
    page: Page<'a, '_>,
    suppressions: &mut Vec<Suppression<'a>>,
    flaws: &mut Vec<Diagnostic>,
) {
    let Page {
        path,
        text,
        document,
        root,
        first,
    } = page;
    // Comments of other tools' documents are for those tools.
    let foreign = document.identity == Identity::Foreign;
    let mut reach = None;
    for (index, comment) in document.comments.iter().enumerate() {
        let words = text.get(comment.start..comment.end).unwrap_or_default();
        let Some((directive, found)) = directive::read(words) else {
            continue;
        };
        let whole_file = directive
            .as_ref()
            .is_some_and(|directive| directive.whole_file);
        if foreign && !whole_file {
            continue;
        }
        let at = Location {
            document: document.index,
            pointer: Pointer {
                steps: vec![Step::Comment(index)],
            },
            ..Location::of_file(path)
        };
        let flaw = |message: String, help: &str| {
            let mut finding = Diagnostic::new(Code::INVALID_SUPPRESSION, at.clone(), message);
            finding.help(help);
            finding
        };
        flaws.extend(
            found
                .into_iter()
                .map(|found| flaw(found.message, &found.help)),
        );
        let Some(Directive { codes, whole_file }) = directive else {
            continue;
        };
        if whole_file && comment.start > first {
            let message =
                "what is suppressed in a whole file is said above its first document".to_owned();
            flaws.push(flaw(message, "move the comment up, or use `ignore`"));
            continue;
        }
        let reach = match whole_file {
            true => Some(0..usize::MAX),
            false => reach
                .get_or_insert_with(|| Reach::new(text, document, root))
                .of(*comment),
        };
        suppressions.push(Suppression {
            file: path,
            at,
            codes,
            // A comment about nothing suppresses nothing.
            reach: reach.unwrap_or(0..0),
        });
    }
}

/// Takes out what is suppressed; gives back what was asked for in vain.
fn suppress(
    suppressions: &[Suppression<'_>],
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<(Location, Code)> {
    let mut found: BTreeMap<(&str, Code), Vec<usize>> = BTreeMap::new();
    let start = |finding: &Diagnostic| sources.span(&finding.at).unwrap_or_default().start;
    let files: BTreeMap<&str, ()> = suppressions.iter().map(|one| (one.file, ())).collect();
    let warnings = diagnostics.list.iter();
    for finding in warnings.filter(|finding| finding.severity == Severity::Warning) {
        if let Some((file, ())) = files.get_key_value(finding.at.file.as_str()) {
            found
                .entry((file, finding.code))
                .or_default()
                .push(start(finding));
        }
    }
    found.values_mut().for_each(|starts| starts.sort_unstable());
    let mut unused = Vec::new();
    let mut hidden: BTreeMap<(&str, Code), Vec<Range<usize>>> = BTreeMap::new();
    for suppression in suppressions {
        for code in &suppression.codes {
            let key = (suppression.file, *code);
            let starts = found.get(&key).map(Vec::as_slice).unwrap_or_default();
            let next = starts.partition_point(|start| *start < suppression.reach.start);
            match starts
                .get(next)
                .is_some_and(|start| suppression.reach.contains(start))
            {
                true => hidden
                    .entry(key)
                    .or_default()
                    .push(suppression.reach.clone()),
                false => unused.push((suppression.at.clone(), *code)),
            }
        }
    }
    let hidden: BTreeMap<_, _> = hidden
        .into_iter()
        .map(|(key, ranges)| (key, union(ranges)))
        .collect();
    let before = diagnostics.list.len();
    diagnostics.list.retain(|finding| {
        let ranges = hidden.get(&(finding.at.file.as_str(), finding.code));
        let Some(ranges) = ranges.filter(|_| finding.severity == Severity::Warning) else {
            return true;
        };
        let start = start(finding);
        let after = ranges.partition_point(|range| range.start <= start);
        let last = after.checked_sub(1).and_then(|last| ranges.get(last));
        !last.is_some_and(|range| range.contains(&start))
    });
    diagnostics.suppressed += before - diagnostics.list.len();
    unused
}

/// Ranges that do not overlap, in their order.
fn union(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut united: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match united.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => united.push(range),
        }
    }
    united
}
