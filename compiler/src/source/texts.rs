//! What is asked of one text, without a repository around it.
//!
//! Never keeps anything: whoever asks twice has it read twice.

use super::{FileLimits, Node, Parsed, Span, bytes, parse};

/// The text of a file, where it can be read at all.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, String> {
    match bytes::text(bytes) {
        (text, None) => Ok(text),
        (_, Some(flaw)) => Err(flaw.message),
    }
}

/// The trees of the documents in a text; `None` for one that is empty or broken.
pub(crate) fn trees(text: &str) -> Vec<Option<Node>> {
    let documents = parse::documents("", text, &mut FileLimits::default());
    documents
        .into_iter()
        .map(|document| document.root)
        .collect()
}

/// The document in a text that has one, and nothing that YAML cannot be.
pub(crate) fn alone(text: &str) -> Option<Parsed> {
    let mut documents = parse::documents("", text, &mut FileLimits::default());
    let document = documents.pop()?;
    (documents.is_empty() && document.findings.is_empty()).then_some(document)
}

/// Can every document in a text be read, or is empty?
pub(crate) fn is_whole(text: &str) -> bool {
    let documents = parse::documents("", text, &mut FileLimits::default());
    let mut documents = documents.iter();
    documents.all(|document| document.root.is_some() || document.span == Span::default())
}

/// How many documents in a text are not what YAML can be.
pub(crate) fn broken(text: &str) -> usize {
    let documents = parse::documents("", text, &mut FileLimits::default());
    let broken = |document: &&Parsed| !document.findings.is_empty();
    documents.iter().filter(broken).count()
}
