//! Questions and answers, told as documents: every `tests/lsp/*.md` is asked of the server as an editor asks.
//!
//! Never writes, except with `MESH_GENERATE=1`: what is answered then has to be read before it is committed.
//!
//! The files of the first section are there in all others. A section holds files, one of them with a cursor `▮`, and a fence
//! with the answer, whose name is the question: `hover`, `definition`, `references`, `completion`, `actions`, `lens`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::project::{Project, range};

/// The cursor.
const CURSOR: char = '▮';

/// A question, and its answer as it is told.
struct Case {
    title: String,
    files: BTreeMap<String, String>,
    question: String,
    answer: String,
}

fn cases(text: &str) -> Vec<Case> {
    let mut shared: BTreeMap<String, String> = BTreeMap::new();
    let mut cases: Vec<Case> = Vec::new();
    let mut open: Option<Case> = None;
    let mut lines = text.lines();
    let mut sections = 0;
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix('#') {
            sections += 1;
            open = Some(Case {
                title: title.trim_start_matches('#').trim().to_owned(),
                files: shared.clone(),
                question: String::new(),
                answer: String::new(),
            });
            continue;
        }
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body = lines.by_ref().take_while(|line| *line != "```");
        let body: String = body.map(|line| format!("{line}\n")).collect();
        let case = open.as_mut().expect("a heading before the first fence");
        match info.split_once(" file=") {
            Some((_, name)) if sections == 1 => drop(shared.insert(name.to_owned(), body)),
            Some((_, name)) => drop(case.files.insert(name.to_owned(), body)),
            None => {
                let case = open.take().expect("a section has one question");
                cases.push(Case {
                    question: info.to_owned(),
                    answer: body,
                    ..case
                });
            }
        }
    }
    cases
}

/// What the server answers.
fn answer(case: &Case) -> String {
    let files: Vec<(&str, String)> = case
        .files
        .iter()
        .map(|(name, text)| (name.as_str(), text.replace(CURSOR, "")))
        .collect();
    let borrowed: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    let markdown = json!({"textDocument": {"hover": {"contentFormat": ["markdown"]}}});
    let mut project = Project::with(&borrowed, &markdown);
    let (name, text) = case
        .files
        .iter()
        .find(|(_, text)| text.contains(CURSOR))
        .unwrap_or_else(|| panic!("{}: no cursor", case.title));
    let (before, _) = text.split_once(CURSOR).expect("a cursor");
    let text = text.replace(CURSOR, "");
    // The repository first, as it was before somebody writes there.
    project.show(name, &text).findings(name);
    let position = json!({
        "line": before.matches('\n').count(),
        "character": before.rsplit('\n').next().unwrap_or_default().encode_utf16().count(),
    });
    let uri = project.uri(name);
    let document = json!({"uri": uri});
    let root = project.uri("");
    let mut ask = |method: &str, params: &Value| {
        let mut params = params.clone();
        params["textDocument"] = document.clone();
        project.editor.request(method, &params)
    };
    let at = json!({"position": position, "context": {"includeDeclaration": false}});
    let told = match case.question.as_str() {
        "hover" => {
            let hover = ask("textDocument/hover", &at);
            hover["contents"]["value"]
                .as_str()
                .unwrap_or("nothing")
                .to_owned()
        }
        "definition" => places(&ask("textDocument/definition", &at)),
        "references" => places(&ask("textDocument/references", &at)),
        "completion" => {
            let at = json!({"position": position});
            items(&ask("textDocument/completion", &at))
        }
        "lens" => lenses(&ask("textDocument/codeLens", &json!({}))),
        "actions" | "actions source.fixAll" => {
            let only = case.question.split_once(' ').map(|(_, only)| vec![only]);
            let here = json!({"start": position, "end": position});
            let mut context = json!({"diagnostics": []});
            if let Some(only) = only {
                context["only"] = json!(only);
            }
            let params = json!({"range": here, "context": context});
            actions(&ask("textDocument/codeAction", &params), &uri)
        }
        other => panic!("a question {other:?}"),
    };
    // A fence in a fence would end it.
    let told = told.replace(&root, "").replace("```", "~~~");
    format!("{}\n", told.trim_end())
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn places(answer: &Value) -> String {
    let place = |place: &Value| format!("{} {}", text(&place["uri"]), range(&place["range"]));
    let places: Vec<String> = list(answer).iter().map(place).collect();
    match places.is_empty() {
        true => "nothing".to_owned(),
        false => places.join("\n"),
    }
}

/// `label (detail)`, and what is written where that is not the label.
fn items(answer: &Value) -> String {
    let mut items = list(&answer["items"]);
    items.sort_by_key(|item| text(&item["sortText"]).to_owned());
    let item = |item: &Value| {
        let mut line = text(&item["label"]).to_owned();
        if let Some(detail) = item["detail"].as_str() {
            line.push_str(&format!(" ({detail})"));
        }
        let edit = &item["textEdit"];
        let written = text(&edit["newText"]);
        let place = range(&edit["range"]);
        format!("{line}: {place} {written:?}")
    };
    let items: Vec<String> = items.iter().map(item).collect();
    match items.is_empty() {
        true => "nothing".to_owned(),
        false => items.join("\n"),
    }
}

fn lenses(answer: &Value) -> String {
    let lens = |lens: &Value| {
        let line = &lens["range"]["start"]["line"];
        format!("{line}: {}", text(&lens["command"]["title"]))
    };
    list(answer).iter().map(lens).collect::<Vec<_>>().join("\n")
}

/// The title, how it is offered, and each of its edits.
fn actions(answer: &Value, uri: &str) -> String {
    let mut lines = Vec::new();
    for action in list(answer) {
        let preferred = match action["isPreferred"] == true {
            true => ", preferred",
            false => "",
        };
        let about = list(&action["diagnostics"]);
        let about = about.iter().map(|finding| text(&finding["code"]));
        let about: Vec<&str> = about.collect();
        let kind = text(&action["kind"]);
        lines.push(
            format!(
                "{} [{kind}{preferred}] {}",
                text(&action["title"]),
                about.join(" ")
            )
            .trim_end()
            .to_owned(),
        );
        for edit in list(&action["edit"]["changes"][uri]) {
            lines.push(format!(
                "  {} {:?}",
                range(&edit["range"]),
                text(&edit["newText"])
            ));
        }
    }
    match lines.is_empty() {
        true => "nothing".to_owned(),
        false => lines.join("\n"),
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lsp")
}

/// All sections of a file; with `MESH_GENERATE=1` they are written as they are answered.
#[track_caller]
fn check(name: &str) {
    let path = directory().join(name);
    let told = std::fs::read_to_string(&path).expect("a file of cases");
    let cases = cases(&told);
    assert!(!cases.is_empty(), "{name} has no case");
    let mut new = String::new();
    let mut rest = told.as_str();
    let mut complaints = Vec::new();
    for case in &cases {
        let found = answer(case);
        let fence = format!("```{}\n{}```\n", case.question, case.answer);
        let (before, after) = rest.split_once(&fence).expect("the fence of the case");
        new.push_str(&format!("{before}```{}\n{found}```\n", case.question));
        rest = after;
        if found != case.answer {
            complaints.push(format!("{}:\n{found}", case.title));
        }
    }
    new.push_str(rest);
    if std::env::var_os("MESH_GENERATE").is_some() {
        std::fs::write(&path, new).expect("written");
        return;
    }
    assert!(
        complaints.is_empty(),
        "{name} answers otherwise\n{}",
        complaints.join("\n")
    );
}

#[test]
fn hover() {
    check("hover.md");
}

#[test]
fn definition() {
    check("definition.md");
}

#[test]
fn completion() {
    check("completion.md");
}

#[test]
fn actions_of_findings() {
    check("actions.md");
}

#[test]
fn lens() {
    check("lens.md");
}

/// A file that no test reads says nothing.
#[test]
fn every_file_of_cases_is_asked() {
    let entries = std::fs::read_dir(directory()).expect("listed");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".md")).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "actions.md",
            "completion.md",
            "definition.md",
            "hover.md",
            "lens.md"
        ]
    );
}
