use super::*;
use crate::diag::{Diagnostics, Step};

fn load(text: impl Into<Vec<u8>>) -> (Sources, Diagnostics) {
    let limits = &mut FileLimits::default();
    let (mut file, documents, flaw) = SourceFile::read("a.yaml", text.into(), limits);
    let mut diagnostics = Diagnostics::default();
    diagnostics.list.extend(flaw);
    for document in documents {
        diagnostics.list.extend(document.findings);
        let root = document.root.as_ref();
        file.documents.push(Document {
            index: document.index,
            outline: root.map(|root| Outline::of(root, file.text())),
            span: document.span,
            comments: document.comments,
            identity: Identity::Unknown,
        });
    }
    let sources = Sources::of(vec![("a.yaml".into(), Arc::new(file))]);
    (sources, diagnostics)
}

/// Every finding as `line:column code message`.
fn findings(text: impl Into<Vec<u8>>) -> Vec<String> {
    let (sources, diagnostics) = load(text);
    let line = |finding: &Diagnostic| {
        let Place { line, column, .. } = sources.place(&finding.at);
        format!("{line}:{column} {} {}", finding.code.0, finding.message)
    };
    diagnostics.list.iter().map(line).collect()
}

fn json(text: &str) -> Vec<String> {
    let (sources, diagnostics) = load(text);
    assert_eq!(diagnostics.list, []);
    let root = |root: Option<Node>| match root {
        Some(root) => root.to_json().to_string(),
        None => "-".to_owned(),
    };
    sources.trees("a.yaml").into_iter().map(root).collect()
}

fn at(document: usize, pointer: Pointer) -> Location {
    Location {
        document,
        pointer,
        ..Location::of_file("a.yaml")
    }
}

#[test]
fn scalars_are_those_of_the_core_schema() {
    let table = [
        ("yes", r#""yes""#),
        ("on", r#""on""#),
        ("No", r#""No""#),
        ("true", "true"),
        ("False", "false"),
        ("[~, Null, ]", "[null,null]"),
        ("12", "12"),
        ("-3", "-3"),
        ("+3", "3"),
        ("0x1F", "31"),
        ("0o17", "15"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("1e3", "1000.0"),
        ("1e", r#""1e""#),
        ("1_000", r#""1_000""#),
        ("1.2.3", r#""1.2.3""#),
        ("12:30", r#""12:30""#),
        (".inf", r#"".inf""#),
        ("18446744073709551615", "18446744073709551615"),
        ("99999999999999999999", "1e+20"),
        ("'12'", r#""12""#),
        ("!!str 12", r#""12""#),
        ("! 12", r#""12""#),
        ("-", "[null]"),
    ];
    for (text, expected) in table {
        assert_eq!(json(text), [expected], "{text}");
    }
}

#[test]
fn numbers_that_readers_disagree_about_are_known() {
    let both = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
    assert_eq!(ambiguous_number("0777"), both("777", "511"));
    assert_eq!(ambiguous_number("0o17"), both("a string", "15"));
    assert_eq!(ambiguous_number("08"), both("8", "a string"));
    assert_eq!(ambiguous_number("0"), None);
    assert_eq!(ambiguous_number("0.5"), None);
    assert_eq!(ambiguous_number("10"), None);
}

#[test]
fn documents_are_counted_with_the_empty_ones() {
    let documents = json("# a licence\n---\na: 1\n---\n---\n# nothing\n---\n{b: 2}\n...\n");
    assert_eq!(documents, [r#"{"a":1}"#, "-", "-", r#"{"b":2}"#]);
    assert_eq!(json(""), [""; 0]);
    assert_eq!(json("# only a comment\n"), [""; 0]);
    assert_eq!(json("\u{feff}a: 1\r\nb: 2\r\n"), [r#"{"a":1,"b":2}"#]);
}

#[test]
fn spans_show_keys_of_blocks_and_the_whole_of_the_rest() {
    let text = "type: Mesh\nspec:\n  to:\n    - kind: Mesh\n      x: {a: 1,\n          b: 2}\n  t: |\n    text\n";
    let (sources, _) = load(text);
    let shown = |pointer: &Pointer, key: bool| {
        let span = sources.span(&Location {
            key,
            ..at(0, pointer.clone())
        });
        let span = span.expect("a span");
        text.get(span.start..span.end).expect("characters")
    };
    let root = Pointer::default();
    let spec = root.field("spec");
    let item = spec.field("to").index(0);
    assert_eq!(shown(&root, false), "type: Mesh");
    assert_eq!(shown(&root.field("type"), false), "Mesh");
    assert_eq!(shown(&root.field("type"), true), "type");
    assert_eq!(shown(&spec, false), "spec");
    assert_eq!(shown(&spec.field("t"), false), "t");
    assert_eq!(shown(&spec.field("absent"), false), "spec");
    assert_eq!(shown(&item, false), "kind: Mesh");
    assert_eq!(shown(&item.field("x"), false), "{a: 1,\n          b: 2}");
    assert_eq!(shown(&item.field("x").field("b"), true), "b");
    assert_eq!(shown(&item.field("kind").field("deeper"), false), "Mesh");
    assert_eq!(sources.line(&at(0, item.field("x").field("b"))), 6);
}

#[test]
fn spans_of_many_keys_are_those_of_few() {
    let few = "k1: a\n'k 2': b\nk1: c\n";
    let more: String = (10..200).map(|n| format!("x{n}: {n}\n")).collect();
    let many = format!("{few}{more}");
    let root = Pointer::default();
    let mut again = root.clone();
    again.steps.push(Step::Again("k1".to_owned()));
    let mut twice = root.clone();
    twice.steps.push(Step::Again("k 2".to_owned()));
    for text in [few, many.as_str()] {
        let (sources, _) = load(text);
        let shown = |pointer: &Pointer| {
            let span = sources.span(&at(0, pointer.clone())).unwrap();
            (span.start, text.get(span.start..span.end).unwrap())
        };
        assert_eq!(shown(&root.field("k1")), (4, "a"));
        assert_eq!(shown(&root.field("k 2")), (13, "b"));
        assert_eq!(shown(&again), (19, "c"));
        assert_eq!(shown(&twice), shown(&root.field("absent")));
    }
    let (sources, _) = load(many.as_str());
    let last = sources.span(&at(0, root.field("x199"))).unwrap();
    assert_eq!(many.get(last.start..last.end), Some("199"));
}

#[test]
fn keys_that_are_set_twice_name_both_places() {
    let (sources, diagnostics) = load("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n");
    let [finding] = diagnostics.list.as_slice() else {
        panic!("{diagnostics:?}");
    };
    assert_eq!(finding.message, "`c` is set twice in one mapping");
    assert_eq!(sources.line(&finding.at), 5);
    assert_eq!(sources.line(&finding.related[0].0), 3);
    assert_eq!(finding.at.pointer.dotted(), "b.c");
}

#[test]
fn aliases_stand_expanded() {
    let documents = json("a: &a [1, &b 2]\nc: *a\nd: {e: *b}\n&k f: 1\ng: *k\n");
    let expected = r#"{"a":[1,2],"c":[1,2],"d":{"e":2},"f":1,"g":"f"}"#;
    assert_eq!(documents, [expected]);
}

#[test]
fn what_is_not_part_of_the_language_is_found() {
    let table = [
        (
            "a: !env HOME",
            "1:4 unsupported-yaml the tag `!env` is not part of this language",
        ),
        (
            "a: !!set {}",
            "1:4 unsupported-yaml the tag `!!set` is not part of this language",
        ),
        (
            "<<: {b: 1}",
            "1:1 unsupported-yaml merge keys (`<<`) are not part of this language",
        ),
        (
            "1: a",
            "1:1 unsupported-yaml the key `1` is an integer, not a string",
        ),
        (
            "{{ .Values.x }}: a",
            "1:1 unsupported-yaml a mapping cannot be a key",
        ),
        (
            "a: &a [*a]",
            "1:8 yaml-syntax this alias stands inside of what it stands for",
        ),
        (
            "a: *b",
            "1:4 yaml-syntax this alias names no anchor that stands before it",
        ),
        ("a: [1, 2", "1:4 yaml-syntax this list is never closed"),
        ("a: 'x", "1:4 yaml-syntax this quote is never closed"),
        ("a: 1\n\tb: 2", "1:4 yaml-syntax a tab cannot indent here"),
    ];
    for (text, expected) in table {
        let found = findings(text);
        assert_eq!(
            found.first().map(String::as_str),
            Some(expected),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn a_broken_document_costs_only_itself() {
    let (sources, diagnostics) = load("a: 1\n---\nb: [\n---\nc: 3\n");
    assert_eq!(diagnostics.list.len(), 1);
    assert_eq!(diagnostics.list[0].at.document, 1);
    let (_, file) = sources.files().next().expect("one file");
    let roots: Vec<_> = file.documents.iter().map(|d| d.outline.is_some()).collect();
    assert_eq!(roots, [true, false, true]);
    assert_eq!(sources.line(&at(2, Pointer::default().field("c"))), 5);
}

#[test]
fn what_is_no_text_is_found_with_its_place() {
    let table: [(&[u8], &str); 5] = [
        (
            b"a: 1\nb: \xff\xfe",
            "2:4 not-text this file is not UTF-8: byte 0xff at offset 8",
        ),
        (
            b"a: \0",
            "1:4 not-text the NUL character cannot stand in a document",
        ),
        (
            b"a: \x1b[31m",
            "1:4 not-text the control character U+001B cannot stand in a document",
        ),
        (
            b"\xff\xfea\0",
            "1:1 not-text this file is UTF-16, not UTF-8",
        ),
        (
            b"\x7fELF\x02\xff",
            "1:1 not-text the control character U+007F cannot stand in a document",
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(findings(bytes), [expected]);
    }
}

#[test]
fn limits_hold() {
    let deep = |n: usize| format!("a: {}1{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(findings(deep(63)), [""; 0]);
    let found = findings(deep(64));
    assert_eq!(
        found,
        ["1:67 exceeds-limit this exceeds the limit of 64 levels of nesting"]
    );
    let mut laughs = "a0: &a0 [x, x]\n".to_owned();
    for n in 1..40 {
        laughs.push_str(&format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
    }
    let text = "x".repeat(900_000);
    let inputs = [
        laughs,
        format!("a: &a {text}\nb: [*a, *a]\n"),
        format!("[{}]", "a,".repeat(200_000)),
        "---\n".repeat(1001),
        "- ".repeat(5000),
    ];
    for input in inputs {
        let start = input.get(..20).unwrap_or_default().to_owned();
        let found = findings(input);
        assert_eq!(found.len(), 1, "{start}: {found:?}");
        assert!(found[0].contains("exceeds"), "{start}: {found:?}");
    }
}
