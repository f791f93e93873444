//! The texts of the repository.
//!
//! Never reads what is not committed by nature: build output, hidden directories.

use std::path::{Path, PathBuf};

/// One file: its path from the top with `/`, and its text.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    /// A file that only tests see.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
    }

    /// Lines with their numbers, without comments and, for a file of the product, without its inline tests.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.tests_begin();
        (1..)
            .zip(self.text.lines())
            .take_while(move |(number, _)| *number < tests)
            .map(|(number, line)| (number, without_comment(line)))
    }

    /// Lines that only tests run, with their numbers, without comments.
    pub(crate) fn test_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = if self.is_test() {
            1
        } else {
            self.tests_begin()
        };
        (1..)
            .zip(self.text.lines())
            .skip_while(move |(number, _)| *number < tests)
            .map(|(number, line)| (number, without_comment(line)))
    }

    /// The line at which a product's file turns to its tests; past its end where it has none. A declaration such as
    /// `#[cfg(test)] mod tests;` is no such place: the product goes on after it.
    fn tests_begin(&self) -> usize {
        let lines: Vec<&str> = self.text.lines().collect();
        let begins = |pair: &&[&str]| {
            let [line, next] = pair else { return false };
            line.trim() == "#[cfg(test)]" && !(next.contains("mod ") && next.ends_with(';'))
        };
        let found = lines.windows(2).position(|pair| begins(&pair));
        match found {
            Some(position) if !self.is_test() => position + 1,
            _ => usize::MAX,
        }
    }
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.split(" // ").next().unwrap_or(line)
}

/// The repository's top.
pub(crate) fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("tests/ is in the top").to_path_buf()
}

/// Every text file with one of these extensions, in order of paths.
pub(crate) fn files(extensions: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    walk(&top(), "", extensions, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 5, "the walk found next to nothing");
    found
}

fn walk(directory: &Path, prefix: &str, extensions: &[&str], found: &mut Vec<File>) {
    for entry in std::fs::read_dir(directory).expect("a readable directory") {
        let entry = entry.expect("a readable entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        let path = format!("{prefix}{name}");
        if entry.file_type().expect("a type").is_dir() {
            walk(&entry.path(), &format!("{path}/"), extensions, found);
        } else if extensions
            .iter()
            .any(|extension| has_extension(&name, extension))
        {
            let text = std::fs::read_to_string(entry.path()).expect("a text");
            found.push(File { path, text });
        }
    }
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|e| e == extension)
}

/// `word` stands in `line` with no letter, digit or `_` beside it.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let (before, rest) = line.split_at(at);
        let after = rest.strip_prefix(word).unwrap_or_default();
        !part(before.chars().next_back()) && !part(after.chars().next())
    })
}

#[test]
fn code_ends_where_tests_begin() {
    let file = File::new("a/src/b.rs", "one\n// two\n#[cfg(test)]\nthree\n");
    let code: Vec<_> = file.code().collect();
    assert_eq!(code, [(1, "one"), (2, "")]);
    let tests: Vec<_> = file.test_code().collect();
    assert_eq!(tests, [(3, "#[cfg(test)]"), (4, "three")]);
    let file = File::new("a/src/b.rs", "#[cfg(test)]\nmod tests;\ntwo\n");
    assert_eq!(file.code().count(), 3);
    assert_eq!(file.test_code().count(), 0);
}

#[test]
fn words_are_whole() {
    assert!(has_word("use git2::Oid;", "git2"));
    assert!(!has_word("use git2x;", "git2"));
    assert!(!has_word("my_git2", "git2"));
}
