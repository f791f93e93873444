//! What the parser complains about, in our words.
//!
//! Never passes the parser's text on: it would change with the library.

use granit_parser::ErrorKind as K;

type Words = (&'static str, Option<&'static str>);

/// What is wrong, and what helps.
pub(super) fn of(kind: &K) -> Words {
    structure(kind)
        .or_else(|| inside(kind))
        .or_else(|| around(kind))
        .unwrap_or(("this is not YAML", None))
}

/// How values are put together.
fn structure(kind: &K) -> Option<Words> {
    Some(match kind {
        K::UnexpectedEofFlowSequence | K::UnclosedFlowCollection { open: '[' } => {
            ("this list is never closed", Some("add the `]`"))
        }
        K::UnexpectedEofFlowMapping
        | K::UnexpectedEofImplicitFlowMapping
        | K::UnclosedFlowCollection { .. } => ("this mapping is never closed", Some("add the `}`")),
        K::ExpectedFlowSequenceSeparator => ("expected `,` or `]` here", None),
        K::ExpectedFlowMappingSeparator => ("expected `,` or `}` here", None),
        K::MisplacedFlowCollectionEnd | K::MismatchedFlowCollectionEnd { .. } => {
            ("this bracket closes nothing", None)
        }
        K::InvalidIndentation
        | K::ExpectedBlockMappingKey
        | K::ExpectedBlockSequenceEntry
        | K::InvalidBlockScalarIndent
        | K::InvalidQuotedScalarIndent
        | K::InvalidFlowScalarIndent => (
            "the indentation does not fit what stands above it",
            Some("keys of one mapping, and items of one list, begin in the same column"),
        ),
        K::MappingValueNotAllowed
        | K::InvalidColonPlacement
        | K::MappingKeyNotAllowed
        | K::FlowMappingValueAdjacentCollection
        | K::InvalidMappingValueWhitespace => (
            "a key cannot stand here",
            Some("quote a text that holds `: `; put each key on its own line"),
        ),
        K::SimpleKeyExpected | K::InvalidSimpleKey => (
            "expected a `:` after the key",
            Some("write `key: value`, with a space after the colon"),
        ),
        K::BlockEntryInFlowCollection
        | K::BlockSequenceEntryNotAllowed
        | K::InvalidBlockEntryWhitespace
        | K::PlainScalarStartsWithDashFlowIndicator => (
            "a list item cannot begin here",
            Some("write `- item` on its own line, with a space after the dash"),
        ),
        _ => return None,
    })
}

/// Texts, tags and aliases.
fn inside(kind: &K) -> Option<Words> {
    Some(match kind {
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInIndentation
        | K::TabAtBlockScalarStart
        | K::TabInPlainScalar => (
            "a tab cannot indent here",
            Some("YAML is indented by spaces"),
        ),
        K::UnclosedQuotedScalar | K::DocumentIndicatorInQuotedScalar => {
            ("this quote is never closed", None)
        }
        K::UnknownQuotedScalarEscape
        | K::InvalidQuotedScalarHexEscape
        | K::InvalidLowSurrogateHexEscape
        | K::InvalidLowSurrogate
        | K::MissingLowSurrogate
        | K::UnpairedLowSurrogate
        | K::InvalidUnicodeEscape => (
            "this escape is not one that YAML knows",
            Some("use single quotes for a text with backslashes"),
        ),
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => {
            ("something follows the closing quote", None)
        }
        K::UnknownAnchor => ("this alias names no anchor that stands before it", None),
        K::MissingAnchorOrAliasName => (
            "an anchor or alias needs a name",
            Some("a text that begins with `&` or `*` needs quotes"),
        ),
        K::UnexpectedCharacter { .. } => (
            "a text cannot begin with this character",
            Some("put the text into quotes"),
        ),
        K::ZeroBlockScalarIndent | K::InvalidBlockScalarHeader => (
            "this block of text does not begin properly",
            Some("write `|` or `>` alone at the end of the line"),
        ),
        K::UndeclaredTagHandle
        | K::ExpectedTagBang
        | K::InvalidTagTerminator
        | K::InvalidGlobalTagCharacter
        | K::MissingTagUri
        | K::UnclosedVerbatimTag => (
            "this tag is not one that YAML knows",
            Some("a text that begins with `!` needs quotes"),
        ),
        _ => return None,
    })
}

/// Beginnings and ends of documents, and comments.
fn around(kind: &K) -> Option<Words> {
    Some(match kind {
        K::UnsupportedYamlMajorVersion => (
            "this version of YAML is not supported",
            Some("documents are YAML 1.2; leave the `%YAML` line out"),
        ),
        K::DuplicateVersionDirective
        | K::DirectiveDisallowed
        | K::MissingYamlVersion
        | K::MissingYamlVersionSeparator
        | K::YamlVersionTooLong
        | K::MissingDirectiveName
        | K::InvalidDirectiveName
        | K::InvalidDirectiveTerminator
        | K::MissingDocumentEndBeforeDirective
        | K::ExpectedDocumentStart => (
            "this is not how a document begins",
            Some(
                "a document begins with its first key, after a line `---` where there are several",
            ),
        ),
        K::CommentNotSeparated | K::CommentInterceptedScalar => (
            "a comment cannot begin here",
            Some("put a space before the `#`, or quote a text that holds one"),
        ),
        K::InvalidDocumentEnd => ("something follows the end of the document", None),
        K::BomInsideDocument => (
            "a byte order mark can only stand at the beginning of the file",
            None,
        ),
        _ => return None,
    })
}

/// What a text that is no YAML often is.
pub(super) fn suspicion(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let conflict = ["<<<<<<< ", "=======", ">>>>>>> "];
    if conflict.iter().any(|mark| line.starts_with(mark)) {
        return Some("this is a conflict that git left: resolve it");
    }
    (line.contains("{{") || line.contains("{%"))
        .then_some("this looks like a template: meshc reads what a template renders; quote a text that holds `{{`")
}
