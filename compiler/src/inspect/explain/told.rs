//! An answer for people and for programs.
//!
//! Never leaves anything out for the one that the other gets.

use serde_json::{Value, json};

use crate::inspect::json::text;
use crate::inspect::page::{Note, Page, Row};
use crate::inspect::words;

use super::remedy::Remedy;
use super::{Answer, Outcome, Question, Step};

pub(super) fn human(answers: &[Answer]) -> String {
    let mut page = Page::default();
    for answer in answers {
        page.gap();
        let because = answer.because.as_ref();
        let note = because.map_or(Note::Nothing, Note::from);
        page.noted(0, &title(answer), note);
        for step in &answer.steps {
            page.gap();
            page.extend(&step.rows);
        }
        if !answer.remedies.is_empty() {
            page.gap();
            page.line(0, "what would change the answer");
        }
        for remedy in &answer.remedies {
            match remedy {
                Remedy::Without { lines, outcome } => {
                    let text = format!("without     {}: {}", what(lines.len()), outcome.words());
                    page.noted(1, &text, Note::Lines(lines.clone()));
                }
                Remedy::Document {
                    yaml,
                    lines,
                    outcome,
                } => {
                    let outcome = outcome.words();
                    let (text, note) = match lines.is_empty() {
                        true => ("with        this document", Note::Nothing),
                        false => (
                            "without     what is named here, and with this document",
                            Note::Lines(lines.clone()),
                        ),
                    };
                    page.noted(1, &format!("{text}: {outcome}"), note);
                    page.gap();
                    for line in yaml.lines() {
                        page.line(2, line);
                    }
                }
                Remedy::Words(words) => page.line(1, words),
            }
        }
    }
    page.finish()
}

fn what(lines: usize) -> &'static str {
    match lines {
        1 => "this line",
        _ => "these lines",
    }
}

/// `web-1 to api:http, GET /orders: allowed`.
fn title(answer: &Answer) -> String {
    let id = answer.identity.as_ref().map(ToString::to_string);
    let client = match answer.clients.as_slice() {
        [] => id.unwrap_or_default(),
        clients => names(clients.iter()),
    };
    let request = answer.request.as_ref();
    let request = request.map_or_else(String::new, |request| format!(", {request}"));
    let port = words::port(&answer.port);
    format!("{client} to {port}{request}: {}", answer.outcome.words())
}

/// The first of many, and how many more there are.
pub(super) fn names<'k>(kris: impl ExactSizeIterator<Item = &'k mesh_bundle::Kri>) -> String {
    const MOST: usize = 4;
    let more = kris.len().saturating_sub(MOST);
    let shown: Vec<String> = kris.take(MOST).map(words::name).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

pub(super) fn json(question: &Question, answers: &[Answer]) -> String {
    let request = question.request.as_ref().map(ToString::to_string);
    text(&json!({
        "from": question.from,
        "to": question.to,
        "port": question.port,
        "mesh": question.mesh,
        "request": request,
        "answers": answers.iter().map(answer).collect::<Vec<_>>(),
    }))
}

fn answer(answer: &Answer) -> Value {
    let outcome = match answer.outcome {
        Outcome::Allowed => "allowed",
        Outcome::Partly => "partly",
        Outcome::Denied => "denied",
        Outcome::Redirected => "redirected",
        Outcome::NoWay => "no-way",
    };
    let step =
        |step: &Step| json!({"step": step.name, "facts": facts(&mut step.rows.as_slice(), 0)});
    let remedy = |remedy: &Remedy| match remedy {
        Remedy::Without { lines, outcome } => json!({"without": lines, "then": outcome.words()}),
        Remedy::Document {
            yaml,
            outcome,
            lines,
        } => {
            json!({"with": yaml, "without": lines, "then": outcome.words()})
        }
        Remedy::Words(words) => json!({"help": words}),
    };
    json!({
        "clients": answer.clients,
        "spiffeId": answer.identity,
        "destination": answer.port,
        "request": answer.request.as_ref().map(ToString::to_string),
        "outcome": outcome,
        "because": answer.because,
        "steps": answer.steps.iter().map(step).collect::<Vec<_>>(),
        "changes": answer.remedies.iter().map(remedy).collect::<Vec<_>>(),
    })
}

/// Rows that stand below others are facts about those.
fn facts(rows: &mut &[Row], depth: usize) -> Vec<Value> {
    let mut facts = Vec::new();
    while let Some((row, rest)) = rows.split_first() {
        if row.depth < depth {
            break;
        }
        *rows = rest;
        let words: Vec<&str> = row.text.split_whitespace().collect();
        let (origins, note) = match &row.note {
            Note::Nothing => (Vec::new(), None),
            Note::Words(words) => (Vec::new(), Some(words.as_str())),
            Note::Lines(lines) => (lines.clone(), None),
        };
        facts.push(json!({
            "text": words.join(" "),
            "origins": origins,
            "note": note,
            "facts": self::facts(rows, row.depth + 1),
        }));
    }
    facts
}
