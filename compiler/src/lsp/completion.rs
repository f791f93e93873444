//! What can be written at a place: fields, words, names, labels, ports.
//!
//! Never offers what the schema does not have or nothing carries, and never more than somebody looks at.

mod gap;
mod names;

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemTextEdit, CompletionList, CompletionParams,
    Documentation, MarkupContent, MarkupKind, TextEdit,
};

use super::question::Question;
use super::schema::{self, Shape};
use crate::diag::Step;
use crate::source::Node;

use gap::{Gap, gaps, is_cursor};

/// More are not offered; the editor asks again when more is written.
const MOST: usize = 200;

/// One thing that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    /// As it is shown.
    label: String,
    /// As it is written.
    text: String,
    kind: CompletionItemKind,
    /// Beside it.
    detail: String,
    /// Below it.
    about: String,
    /// The least first.
    rank: u8,
}

/// The answer.
pub(super) fn completion(
    question: &Question<'_>,
    params: &CompletionParams,
) -> Option<CompletionList> {
    let position = params.text_document_position_params.position;
    let offset = question.offset(position);
    let mut items = Vec::new();
    let mut left_out = false;
    for gap in gaps(question.buffer.text(), offset) {
        let offers = match gap.is_key {
            true => keys(question, &gap),
            false => values(question, &gap),
        };
        left_out |= offers.len() > MOST;
        let range = question.range(gap.span);
        let offers = offers.into_iter().take(MOST).enumerate();
        items.extend(offers.map(|(index, offer)| {
            let edit = TextEdit {
                range,
                new_text: offer.text.clone(),
            };
            item(question, offer, index, edit)
        }));
    }
    Some(CompletionList {
        is_incomplete: left_out,
        items,
        ..CompletionList::default()
    })
}

fn item(question: &Question<'_>, offer: Offer, index: usize, edit: TextEdit) -> CompletionItem {
    let has_about = !offer.about.is_empty();
    let about = Documentation::MarkupContent(MarkupContent {
        kind: match question.client.markdown {
            true => MarkupKind::Markdown,
            false => MarkupKind::PlainText,
        },
        value: offer.about,
    });
    CompletionItem {
        // In the order in which they are offered: what must be set comes first.
        sort_text: Some(format!("{}{index:03}", offer.rank)),
        filter_text: Some(offer.label.clone()),
        label: offer.label,
        kind: Some(offer.kind),
        detail: (!offer.detail.is_empty()).then_some(offer.detail),
        documentation: has_about.then_some(about),
        text_edit: Some(CompletionItemTextEdit::TextEdit(edit)),
        ..CompletionItem::default()
    }
}

/// The fields that are not there yet; of labels, those that something carries.
fn keys(question: &Question<'_>, gap: &Gap) -> Vec<Offer> {
    let shape = Shape::of_document(&gap.root).at(&gap.pointer);
    if shape.is_map() {
        return names::labels(question, gap);
    }
    let Some(mapping) = gap.root.find(&gap.pointer) else {
        return Vec::new();
    };
    let written = |name: &str| mapping.entries().iter().any(|entry| entry.key == name);
    let fields = shape.fields().into_iter();
    let fields = fields.filter(|field| !written(field.name) && !field.is_read_only());
    let mut offers: Vec<Offer> = fields
        .map(|field| {
            let mut about = vec![field.remark.text.clone()];
            about.extend(
                field
                    .remark
                    .default
                    .map(|default| format!("Default: {default}")),
            );
            let built_in = field.remark.built_in;
            about.extend(built_in.map(|value| format!("Built in: {value}")));
            let block = !gap.in_flow && (field.shape.is("object") || field.shape.is("array"));
            Offer {
                text: match gap.has_colon {
                    true => field.name.to_owned(),
                    // What is in it comes on the next line.
                    false if block => format!("{}:", field.name),
                    false => format!("{}: ", field.name),
                },
                label: field.name.to_owned(),
                kind: CompletionItemKind::Field,
                detail: match field.required {
                    true => format!("{}, required", field.shape.noun()),
                    false => field.shape.noun(),
                },
                about: about.join("\n\n"),
                rank: u8::from(!field.required),
            }
        })
        .collect();
    offers.sort_by_key(|offer| offer.rank);
    offers
}

/// The words, names, labels or ports that can stand there.
fn values(question: &Question<'_>, gap: &Gap) -> Vec<Offer> {
    if let [Step::Field(name)] = gap.pointer.steps.as_slice() {
        let kubernetes = gap.root.get("apiVersion").is_some();
        match name.as_str() {
            "type" | "kind" if kubernetes == (name == "kind") => return kinds(),
            "apiVersion" => return vec![word("kuma.io/v1alpha1", CompletionItemKind::Constant)],
            _ => {}
        }
    }
    let named = names::values(question, gap);
    if !named.is_empty() {
        return named;
    }
    let shape = Shape::of_document(&gap.root).at(&gap.pointer);
    let words = shape.words().into_iter();
    let mut offers: Vec<Offer> = words
        .map(|text| word(text, CompletionItemKind::EnumMember))
        .collect();
    if shape.is("boolean") {
        offers.extend(["true", "false"].map(|text| word(text, CompletionItemKind::Keyword)));
    }
    offers
}

fn kinds() -> Vec<Offer> {
    let offer = |(name, purpose): (&str, &str)| Offer {
        about: purpose.to_owned(),
        ..word(name, CompletionItemKind::Class)
    };
    schema::kinds().into_iter().map(offer).collect()
}

fn word(text: &str, kind: CompletionItemKind) -> Offer {
    Offer {
        label: text.to_owned(),
        text: text.to_owned(),
        kind,
        detail: String::new(),
        about: String::new(),
        rank: 1,
    }
}

/// The pairs of a mapping, without what the cursor is about to write.
fn pairs(node: &Node) -> impl Iterator<Item = (&str, &str)> {
    let entries = node.entries().iter();
    let entries = entries.filter(|entry| !is_cursor(&entry.key));
    let pairs = entries.filter_map(|entry| Some((entry.key.as_str(), entry.value.as_str()?)));
    pairs.filter(|(_, value)| !is_cursor(value))
}
