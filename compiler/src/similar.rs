//! What somebody may have meant: the known word nearest to one that is not known.
//!
//! Never guesses far: a suggestion that is wrong is worse than none.

/// The nearest of `known`, where one is near.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Long words are never near, and comparing them takes long.
    if word.len() > 100 {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |known: &str| {
        let other = known.to_lowercase();
        // An abbreviation or an extension of a word is nearer than its letters tell.
        let part = other.len() > 3
            && lower.len() > 3
            && (other.starts_with(&lower) || lower.starts_with(&other));
        let distance = strsim::osa_distance(&lower, &other);
        if part { distance.min(2) } else { distance }
    };
    let most = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
}

/// A help, and which character of a word is none of ASCII: a reader cannot see that it is not the letter it looks like.
pub(crate) fn with_stranger(help: impl Into<String>, word: &str) -> String {
    let help = help.into();
    match word.chars().find(|c| !c.is_ascii()) {
        Some(c) if c.is_alphabetic() => format!(
            "{help}; `{c}` is U+{:04X}, which only looks like a letter from a to z",
            u32::from(c)
        ),
        Some(c) => format!("{help}; it holds the character U+{:04X}", u32::from(c)),
        None => help,
    }
}

/// `` `a`, `b` and `c` ``.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((end, [])) => end.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = [
            "MeshTimeout",
            "MeshTLS",
            "Mesh",
            "requestTimeout",
            "idleTimeout",
            "to",
        ];
        let table = [
            ("MeshTimout", Some("MeshTimeout")),
            ("meshtimeout", Some("MeshTimeout")),
            ("requestTimeut", Some("requestTimeout")),
            ("MeshTsl", Some("MeshTLS")),
            ("ot", Some("to")),
            ("from", None),
            ("Deployment", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn characters_that_look_like_others_are_named() {
        let table = [
            ("name", "write it"),
            (
                "n\u{430}me",
                "write it; `\u{430}` is U+0430, which only looks like a letter from a to z",
            ),
            ("na\u{200d}me", "write it; it holds the character U+200D"),
        ];
        for (word, expected) in table {
            assert_eq!(with_stranger("write it", word), expected);
        }
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(listed(["a"], "or"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }
}
