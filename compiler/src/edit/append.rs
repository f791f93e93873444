//! Documents that are put behind the last one of a file.
//!
//! Never makes a resource that the repository has, and never puts one behind what cannot be read: nobody knows where that
//! ends.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Edit;
use crate::diag::{Location, NewDocument};
use crate::source::{Document, Identity, SourceFile, Sources, Span};

/// Where the resources of a repository stand, by kind, mesh and name.
#[derive(Debug)]
pub(super) struct Resources(BTreeMap<(&'static str, String, String), Location>);

impl Resources {
    pub(super) fn of(sources: &Sources) -> Self {
        let mut places = BTreeMap::new();
        for (path, file) in sources.files() {
            for document in &file.documents {
                let Identity::Resource { kind, kri } = &document.identity else {
                    continue;
                };
                let key = (*kind, kri.mesh().to_owned(), kri.name().to_owned());
                let at = Location {
                    document: document.index,
                    ..Location::of_file(path)
                };
                places.entry(key).or_insert(at);
            }
        }
        Self(places)
    }

    /// Is it there already? `None` where its name is taken by something else.
    pub(super) fn hold(&self, made: &NewDocument, sources: &Sources) -> Option<bool> {
        let (kind, mesh, name) = made.key();
        let Some(at) = self.0.get(&(kind, mesh.to_owned(), name.to_owned())) else {
            return Some(false);
        };
        (made.or_any || spec(at, sources).as_ref() == Some(&made.spec)).then_some(true)
    }
}

fn spec(at: &Location, sources: &Sources) -> Option<Map<String, Value>> {
    let root = sources.trees(&at.file).into_iter().nth(at.document)??;
    match root.get("spec")?.to_json() {
        Value::Object(spec) => Some(spec),
        _ => None,
    }
}

/// Puts it behind the last document of a file.
pub(super) fn edit(made: &NewDocument, path: &str, file: &SourceFile) -> Option<Edit> {
    // A file of JSON is one document.
    if path.ends_with(".json") {
        return None;
    }
    let empty = Span::default();
    let readable = |document: &Document| document.outline.is_some() || document.span == empty;
    if !file.documents.iter().all(readable) {
        return None;
    }
    // Before the last line break, which then is the one of the new document: blank lines can belong to a text.
    let text = file.text();
    let end = text.strip_suffix('\n').unwrap_or(text).len();
    let (kind, mesh, name) = made.key();
    Some(Edit {
        span: Span { start: end, end },
        text: format!("\n---\n{}", made.text().trim_end()),
        makes: Some(format!("{kind} {mesh} {name}")),
    })
}
