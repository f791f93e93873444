//! What older versions of this language had, and what took its place (language section 8).
//!
//! Never rewrites a document: a form is recognised as it was written, and told once, with the modern form in the user's own
//! names. Whatever else would be said about the same place follows from it, and is not said.

mod conf;
mod dataplane;
mod from;
pub(crate) mod gateway_api;
mod home;
mod inbound;
mod kind;
mod mesh;
mod reference;
mod service;

use crate::diag::{Change, Code, Diagnostic, Diagnostics, Location, NewDocument, Pointer};
use crate::envelope::Draft;
use crate::model::Settings;
use crate::source::{MappingEntry, Node, NodeKind};

pub(crate) use home::Home;
pub(crate) use kind::{PATCH, replacement};

/// One form of an older version.
#[derive(Debug)]
pub(crate) struct Form {
    /// Where it stands, from the root of the document.
    at: Pointer,
    /// Is it a field that should not be there?
    key: bool,
    /// Nothing else is said about these places, what they hold and what holds them.
    covers: Vec<Pointer>,
    message: String,
    help: String,
    fix: Option<(bool, Vec<Change>)>,
}

/// The forms of one document, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Forms(Vec<Form>);

const MODERN: &str = "write the modern form";

/// A node and where it stands, from the root of the document.
#[derive(Debug, Clone)]
struct Place<'a> {
    node: &'a Node,
    at: Pointer,
}

/// The forms of a document.
pub(crate) fn of(draft: &Draft<'_>, settings: &Settings) -> Forms {
    let home = Home::of(&draft.meta, settings);
    find(draft.kind.name, draft.root, &draft.meta.body, &home)
}

/// The forms of a document of a kind. `body` is where its fields stand, `home` where documents go that it becomes.
pub(crate) fn find(kind: &str, root: &Node, body: &Pointer, home: &Home<'_>) -> Forms {
    let mut forms = Forms::default();
    let Some(node) = root.find(body) else {
        return forms;
    };
    let body = Place {
        node,
        at: body.clone(),
    };
    match kind {
        "Mesh" => mesh::find(&body, home, &mut forms),
        "Dataplane" => dataplane::find(&body, root, home, &mut forms),
        "MeshService" | "MeshExternalService" => service::find(&body, &mut forms),
        _ => {
            reference::find(&body, kind, &mut forms);
            from::find(&body, kind, root, &mut forms);
            conf::find(&body, kind, home, &mut forms);
        }
    }
    forms
}

impl Forms {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reports them; `document` is where they stand.
    pub(crate) fn report(&self, document: &Location, diagnostics: &mut Diagnostics) {
        for form in &self.0 {
            let at = Location {
                pointer: form.at.clone(),
                key: form.key,
                ..document.clone()
            };
            let finding = Diagnostic::new(Code::LEGACY, at, form.message.clone());
            let finding = diagnostics.push(finding);
            finding.help(form.help.clone());
            match &form.fix {
                Some((true, changes)) => finding.safe_fix(MODERN, |_| changes.clone()),
                Some((false, changes)) => finding.unsafe_fix(MODERN, |_| changes.clone()),
                None => finding,
            };
        }
    }

    /// Takes back what was said about them otherwise, from the given finding on.
    pub(crate) fn silence(&self, diagnostics: &mut Diagnostics, from: usize) {
        if !self.0.is_empty() {
            let said = diagnostics.list.split_off(from);
            let left = said.into_iter().filter(|finding| !self.explain(finding));
            diagnostics.list.extend(left);
        }
    }

    /// Whether a finding about the same document follows from one of them.
    fn explain(&self, finding: &Diagnostic) -> bool {
        let at = &finding.at.pointer.steps;
        // What is not there, or seems not to be, is there in another form.
        let missing = [Code::MISSING_FIELD, Code::NO_EFFECT].contains(&finding.code);
        let near = |place: &Pointer| {
            at.starts_with(&place.steps) || (missing && place.steps.starts_with(at))
        };
        let mut covered = self.0.iter().flat_map(|form| &form.covers);
        finding.code != Code::LEGACY && covered.any(near)
    }

    fn add(&mut self, form: Form) {
        self.0.push(form);
    }
}

impl Form {
    /// A field that does not exist any more.
    fn field(at: Pointer, name: &str, help: impl Into<String>) -> Self {
        Self {
            key: true,
            message: format!("`{name}` does not exist any more"),
            ..Self::value(at, "", help)
        }
    }

    /// A value that means nothing any more.
    fn value(at: Pointer, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            covers: vec![at.clone()],
            at,
            key: false,
            message: message.into(),
            help: help.into(),
            fix: None,
        }
    }

    /// The modern form means the same, or at least what everybody means by the old one.
    fn safely(mut self, changes: Vec<Change>) -> Self {
        self.fix = Some((true, changes));
        self
    }

    /// Whether the modern form means the same depends on other documents.
    fn unsafely(mut self, changes: Vec<Change>) -> Self {
        self.fix = Some((false, changes));
        self
    }

    /// These documents take its place, beside what changes in its own. Offered where none of them has an error.
    fn moving(
        mut self,
        documents: Vec<NewDocument>,
        mut changes: Vec<Change>,
        safe: bool,
        home: &Home<'_>,
    ) -> Self {
        match documents.iter().find_map(|made| home.flaw(made)) {
            Some(flaw) => self.left_to_you(&flaw),
            None => {
                changes.extend(documents.into_iter().map(Change::Append));
                self.fix = Some((safe, changes));
                self
            }
        }
    }

    /// Why there is no fix.
    fn left_to_you(mut self, why: &str) -> Self {
        self.help = format!("{}; this is left to you: {why}", self.help);
        self
    }

    /// Nothing is said about this place either.
    fn covering(mut self, place: Pointer) -> Self {
        self.covers.push(place);
        self
    }
}

impl<'a> Place<'a> {
    /// What stands under a key, a null included.
    fn field(&self, name: &str) -> Option<Self> {
        let entry = self.node.entry(name)?;
        Some(Self {
            node: &entry.value,
            at: self.at.field(name),
        })
    }

    /// What a path leads to.
    fn path(&self, names: &[&str]) -> Option<Self> {
        let start = Some(self.clone());
        names.iter().fold(start, |place, name| {
            place.and_then(|place| place.field(name))
        })
    }

    /// The items of the sequence under a key.
    fn items(&self, name: &str) -> Vec<Self> {
        self.field(name)
            .map(|place| place.list())
            .unwrap_or_default()
    }

    /// The items of this sequence.
    fn list(&self) -> Vec<Self> {
        let NodeKind::Sequence(items, _) = &self.node.kind else {
            return Vec::new();
        };
        let item = |(index, node)| Self {
            node,
            at: self.at.index(index),
        };
        items.iter().enumerate().map(item).collect()
    }

    /// The text under a key.
    fn text(&self, name: &str) -> Option<&'a str> {
        self.node.get(name).and_then(Node::as_str)
    }

    /// The scalar under a key, as text.
    fn scalar(&self, name: &str) -> Option<String> {
        self.node.get(name).and_then(scalar)
    }

    /// The mapping under a key, its scalars as texts.
    fn pairs(&self, name: &str) -> Vec<(String, String)> {
        self.node.get(name).map(pairs).unwrap_or_default()
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        NodeKind::Text(text, _) => Some(text.clone()),
        NodeKind::Number(number) => Some(number.to_string()),
        NodeKind::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn pairs(node: &Node) -> Vec<(String, String)> {
    let pair = |entry: &MappingEntry| Some((entry.key.clone(), scalar(&entry.value)?));
    node.entries().iter().filter_map(pair).collect()
}

/// The labels that took the place of tags: what named a service names a workload, protocols belong to ports.
fn labels_of(tags: &[(String, String)]) -> Vec<(String, String)> {
    let label = |(key, value): &(String, String)| match key.as_str() {
        "kuma.io/protocol" => None,
        "kuma.io/service" => Some(("kuma.io/workload".to_owned(), value.clone())),
        _ => Some((key.clone(), value.clone())),
    };
    tags.iter().filter_map(label).collect()
}

/// What the name of a service was made of: `api_shop_svc_80` is the port 80 of the Service `api` in the namespace `shop`.
struct ServiceTag<'a> {
    name: &'a str,
    namespace: &'a str,
    port: Option<&'a str>,
}

impl<'a> ServiceTag<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (rest, port) = match text.rsplit_once("_svc_") {
            Some((rest, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (rest, Some(port)),
            Some(_) => return None,
            None => (text.strip_suffix("_svc")?, None),
        };
        let (name, namespace) = rest.split_once('_')?;
        let port = port.filter(|port| !port.is_empty());
        (!name.is_empty() && !namespace.is_empty()).then_some(Self {
            name,
            namespace,
            port,
        })
    }
}

#[cfg(test)]
mod tests;
