//! What stands above a document: how many proxies a policy affects; how many are behind a service, and who may call it.
//!
//! Never counts before somebody looks, where there is much to count.

use gen_lsp_types::{CodeLens, CodeLensParams, Command, Position, Range};
use serde_json::{Value, json};

use super::callers::{callers, proxies};
use super::meaning::Meaning;
use super::question::Question;
use crate::diag::counted;
use crate::flow::Flows;
use crate::kinds::{KINDS, Resource};
use crate::policy::is_shadow;

/// In a mesh of more proxies each lens is counted when it is shown.
const LARGE: usize = 500;

/// The lenses of a document.
pub(super) fn lenses(question: &Question<'_>, _: &CodeLensParams) -> Option<Vec<CodeLens>> {
    let meaning = question.meaning()?;
    let resources = &meaning.analysis.resources;
    let first = resources.partition_point(|it| it.meta.at.file.as_str() < question.name);
    let own = resources.iter().skip(first);
    let own = own.take_while(|it| it.meta.at.file == question.name);
    let many = meaning
        .views()
        .iter()
        .map(|view| view.dataplanes.len())
        .sum::<usize>()
        > LARGE;
    let lens = |document: &Resource| {
        if !has_lens(document) {
            return None;
        }
        let line = question.range_of(&document.meta.at).start.line;
        let start = Position { line, character: 0 };
        let lens = CodeLens {
            range: Range { start, end: start },
            command: None,
            data: Some(json!({"uri": question.buffer.uri, "document": document.meta.at.document})),
        };
        Some(match many {
            true => lens,
            false => CodeLens {
                command: title(meaning, document).map(command),
                ..lens
            },
        })
    };
    Some(own.filter_map(|document| lens(document)).collect())
}

/// A lens with what it says.
pub(super) fn resolve(question: &Question<'_>, lens: &CodeLens) -> Option<CodeLens> {
    let data = lens.data.as_ref().and_then(|data| data.get("document"));
    let document = usize::try_from(data.and_then(Value::as_u64)?).ok()?;
    let meaning = question.meaning()?;
    let document = meaning.resource(question.name, document);
    let title = document.and_then(|document| title(meaning, document));
    Some(CodeLens {
        // Of a document that is gone meanwhile there is nothing to say.
        command: Some(command(title.unwrap_or_default())),
        ..lens.clone()
    })
}

/// Is it a policy, or a service?
fn has_lens(document: &Resource) -> bool {
    let short = document.meta.kri.kind();
    let mut kinds = KINDS.iter().filter(|kind| kind.is_policy);
    ["msvc", "mzsvc"].contains(&short) || kinds.any(|kind| kind.short == short)
}

fn title(meaning: &Meaning, document: &Resource) -> Option<String> {
    if let Some(affected) = meaning.affected(document) {
        let count = proxies(affected.len());
        return Some(match is_shadow(&document.meta) {
            true => format!("shadow: would affect {count}"),
            false => format!("affects {count}"),
        });
    }
    let service = meaning.service(&document.meta.kri)?;
    let members = meaning
        .view(document.meta.kri.mesh())?
        .members(service)
        .count();
    let flows = Flows::new(&meaning.analysis.compiled.bundle);
    let callers = callers(&flows, service);
    let who = match callers.anybody {
        true => "anybody may call it".to_owned(),
        false => counted(callers.identities.len(), "caller"),
    };
    Some(format!("{}, {who}", proxies(members)))
}

/// There is nothing to be done: it only says so.
fn command(title: String) -> Command {
    Command {
        title,
        tooltip: None,
        command: String::new(),
        arguments: None,
    }
}
