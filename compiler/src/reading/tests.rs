use std::borrow::Cow;

use super::*;
use crate::MemoryWorld;
use crate::diag::Code;

fn codes(readings: &Readings) -> Vec<(&str, Code)> {
    let findings = readings.findings.iter();
    findings
        .map(|finding| (finding.at.file.as_str(), finding.code))
        .collect()
}

#[test]
fn a_large_file_is_never_read() {
    #[derive(Debug)]
    struct Huge;
    impl World for Huge {
        fn entries(&self) -> Cow<'_, [Entry]> {
            vec![Entry::file("a.yaml", 100 << 20)].into()
        }
        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            panic!("{path} was read")
        }
    }
    let readings = Readings::of(&Huge, &Settings::default(), None);
    assert_eq!(codes(&readings), [("a.yaml", Code::EXCEEDS_LIMIT)]);
    assert!(!readings.cut);
}

/// A world of many files that is asked by one thread only.
#[derive(Debug)]
struct Alone(MemoryWorld);

impl World for Alone {
    fn entries(&self) -> Cow<'_, [Entry]> {
        self.0.entries()
    }
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.read(path)
    }
}

#[test]
fn a_repository_that_is_too_large_is_cut_at_the_same_file_whoever_reads() {
    // The first 100 files that hold 999 documents each leave no room for more than one after them.
    let file = |number| {
        (
            format!("{number:04}.yaml"),
            "---\n".repeat(999).into_bytes(),
        )
    };
    let files = (0..600).map(file).collect();
    let world = MemoryWorld { files };
    let together = Readings::of(&world, &Settings::default(), None);
    assert!(together.cut);
    assert_eq!(together.files.len(), 101);
    assert_eq!(codes(&together), [("0101.yaml", Code::EXCEEDS_LIMIT)]);
    let alone = Readings::of(&Alone(world), &Settings::default(), None);
    assert_eq!(alone.findings, together.findings);
    let paths = |readings: &Readings| -> Vec<String> {
        readings
            .files
            .iter()
            .map(|(path, _)| path.to_string())
            .collect()
    };
    assert_eq!(paths(&alone), paths(&together));
}

#[test]
fn files_after_too_many_findings_are_read_no_further_than_their_text() {
    let broken = "type: Mesh\nname: [\n---\n".repeat(100);
    let files = (0..600).map(|number| (format!("{number:04}.yaml"), broken.clone().into_bytes()));
    let world = MemoryWorld {
        files: files.collect(),
    };
    let readings = Readings::of(&world, &Settings::default(), None);
    assert_eq!(readings.files.len(), 600);
    let (_, last) = readings.files.last().unwrap();
    assert_eq!(last.findings, []);
    assert!(last.source.text().starts_with("type: Mesh"));
}
