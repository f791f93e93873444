//! What can be done about a finding: its fix, and a comment that suppresses it.
//!
//! Never offers an edit of a text that is not the one in the editor, and never a suppression without a place for its reason.

use gen_lsp_types::{CodeAction, CodeActionKind, CodeActionParams, TextEdit, WorkspaceEdit};

use super::diagnostics::{Ranges, diagnostic};
use super::question::Question;
use crate::diag::{Code, Diagnostic, Severity};
use crate::edit::{Edit, Editor};
use crate::source::{Sources, Span, broken};

/// Actions that an editor lists.
const MOST: usize = 100;

/// The answer.
pub(super) fn actions(
    question: &Question<'_>,
    params: &CodeActionParams,
) -> Option<Vec<CodeAction>> {
    let compiled = &question.folder.current()?.analysis.compiled;
    let sources = &compiled.sources;
    let asked = question.buffer.span(params.range, question.client.encoding);
    let wanted = |kind: &CodeActionKind| match &params.context.only {
        Some(only) => only.iter().any(|only| is_of(kind, only)),
        None => *kind != CodeActionKind::SourceFixAll,
    };
    let own = compiled.diagnostics.list.iter();
    let own = own.filter(|finding| finding.at.file == question.name);
    let mut actions = Vec::new();
    let mut editor = Editor::new(sources);
    if wanted(&CodeActionKind::QuickFix) {
        let mut ranges = Ranges::new(sources, question.client.encoding);
        let near = own.clone().filter(|finding| {
            let span = sources.span(&finding.at).unwrap_or_default();
            touch(span, asked)
        });
        for finding in near.take(MOST) {
            let shown = diagnostic(finding, question.folder, &mut ranges);
            let quick = [
                fix(question, finding, &mut editor),
                suppression(question, finding, sources),
            ];
            actions.extend(quick.into_iter().flatten().map(|action| CodeAction {
                diagnostics: Some(vec![shown.clone()]),
                ..action
            }));
        }
    }
    if wanted(&CodeActionKind::SourceFixAll) {
        let safe = own.filter_map(|finding| {
            let fix = finding.fix.as_ref().filter(|fix| fix.safe)?;
            editor.edits(fix, &finding.at)
        });
        actions.extend(all(question, safe.collect()));
    }
    Some(actions)
}

/// `source.fixAll` is of the kind `source`.
fn is_of(kind: &CodeActionKind, wanted: &CodeActionKind) -> bool {
    let text = |kind: &CodeActionKind| match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    };
    let (kind, wanted) = (text(kind), text(wanted));
    wanted.is_empty() || kind == wanted || kind.starts_with(&format!("{wanted}."))
}

fn fix(
    question: &Question<'_>,
    finding: &Diagnostic,
    editor: &mut Editor<'_>,
) -> Option<CodeAction> {
    let fix = finding.fix.as_ref()?;
    let edits = editor.edits(fix, &finding.at)?;
    let title = match fix.safe {
        true => fix.description.clone(),
        false => format!("{} (look at it: the meaning changes)", fix.description),
    };
    Some(CodeAction {
        title,
        kind: Some(CodeActionKind::QuickFix),
        is_preferred: fix.safe.then_some(true),
        edit: Some(written(question, &edits)?),
        ..CodeAction::default()
    })
}

/// A comment above the line, which lacks its reason: until somebody writes that, the finding stays, and says so.
fn suppression(
    question: &Question<'_>,
    finding: &Diagnostic,
    sources: &Sources,
) -> Option<CodeAction> {
    let about_comments = [Code::INVALID_SUPPRESSION, Code::UNUSED_SUPPRESSION];
    if finding.code.severity() != Severity::Warning || about_comments.contains(&finding.code) {
        return None;
    }
    let text = question.buffer.text();
    let at = sources.span(&finding.at)?.start;
    let before = text.get(..at)?;
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let rest = text.get(line..)?;
    let indent = rest.len() - rest.trim_start_matches(' ').len();
    let end = match text.contains("\r\n") {
        true => "\r\n",
        false => "\n",
    };
    let code = finding.code.0;
    let comment = format!("{}# meshc: ignore[{code}] {end}", " ".repeat(indent));
    let edit = Edit {
        span: Span {
            start: line,
            end: line,
        },
        text: comment,
        makes: None,
    };
    Some(CodeAction {
        title: format!("ignore this `{code}`, for a reason that you write"),
        kind: Some(CodeActionKind::QuickFix),
        edit: Some(written(question, &[edit])?),
        ..CodeAction::default()
    })
}

/// All that is safe, in one go; of what touches, the first.
fn all(question: &Question<'_>, fixes: Vec<Vec<Edit>>) -> Option<CodeAction> {
    let mut chosen: Vec<Edit> = Vec::new();
    for edits in fixes {
        let free = |edit: &Edit| chosen.iter().all(|taken| !touch(taken.span, edit.span));
        if edits.iter().all(free) {
            chosen.extend(edits);
        }
    }
    if chosen.is_empty() {
        return None;
    }
    chosen.sort();
    Some(CodeAction {
        title: "fix all that keeps the meaning".to_owned(),
        kind: Some(CodeActionKind::SourceFixAll),
        edit: Some(written(question, &chosen)?),
        ..CodeAction::default()
    })
}

fn touch(one: Span, other: Span) -> bool {
    one.start <= other.end && other.start <= one.end
}

/// Edits as the editor makes them; none where they would break the document.
fn written(question: &Question<'_>, edits: &[Edit]) -> Option<WorkspaceEdit> {
    let text = question.buffer.text();
    let mut new = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        new.push_str(text.get(at..edit.span.start)?);
        new.push_str(&edit.text);
        at = edit.span.end;
    }
    new.push_str(text.get(at..)?);
    if broken(&new) > broken(text) {
        return None;
    }
    let edits = edits.iter().map(|edit| TextEdit {
        range: question.range(edit.span),
        new_text: edit.text.clone(),
    });
    let changes = (question.buffer.uri.as_str().into(), edits.collect());
    Some(WorkspaceEdit {
        changes: Some([changes].into_iter().collect()),
        ..WorkspaceEdit::default()
    })
}
