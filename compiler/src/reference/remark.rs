//! The sentences of a doc comment that say more than words: `Required.`, `Default: 5.` and `Built in: 5.`.
//!
//! Never guesses: a sentence that begins otherwise is part of the description.

/// A doc comment, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Remark {
    /// All other sentences, on one line.
    pub(crate) text: String,
    /// It must be set.
    pub(crate) required: bool,
    /// What is filled in, as it was written.
    pub(crate) default: Option<String>,
    /// What a proxy does where no policy sets it, as it was written.
    pub(crate) built_in: Option<String>,
}

impl Remark {
    /// Takes a description apart.
    pub(crate) fn read(description: &str) -> Self {
        let mut remark = Self::default();
        let mut rest: Vec<&str> = Vec::new();
        for sentence in sentences(description) {
            let value = |begin: &str| {
                let value = sentence.strip_prefix(begin)?;
                Some(value.trim_end_matches('.').to_owned())
            };
            if sentence == "Required." {
                remark.required = true;
            } else if let Some(value) = value("Default: ") {
                remark.default = Some(value);
            } else if let Some(value) = value("Built in: ") {
                remark.built_in = Some(value);
            } else {
                rest.push(sentence);
            }
        }
        remark.text = rest.join(" ").replace('\n', " ");
        remark
    }
}

/// Sentences end with a full stop and a space, outside of backticks and parentheses.
fn sentences(text: &str) -> Vec<&str> {
    let (mut quoted, mut depth, mut begin) = (false, 0_usize, 0);
    let mut found = Vec::new();
    let mut before = ' ';
    for (index, letter) in text.char_indices() {
        match letter {
            '`' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ' ' | '\n' if before == '.' && !quoted && depth == 0 => {
                found.extend(text.get(begin..index));
                begin = index + 1;
            }
            _ => {}
        }
        before = letter;
    }
    found.extend(text.get(begin..));
    found.retain(|sentence| !sentence.trim().is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_apart() {
        let remark = Remark::read(
            "How long, `a. b`.\nMore (see 1. 2). Required. Default: `127.0.0.1`. Built in: 5.",
        );
        assert_eq!(remark.text, "How long, `a. b`. More (see 1. 2).");
        assert!(remark.required);
        assert_eq!(remark.default.as_deref(), Some("`127.0.0.1`"));
        assert_eq!(remark.built_in.as_deref(), Some("5"));
    }

    #[test]
    fn what_depends_is_part_of_the_description() {
        let remark = Remark::read("A port. Required for `MeshMultiZoneService`.");
        assert_eq!(remark.text, "A port. Required for `MeshMultiZoneService`.");
        assert!(!remark.required);
    }
}
