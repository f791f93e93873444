//! One comment as a suppression: `# meshc: ignore[no-effect, header-case] the reason`.
//!
//! Never guesses: a comment that is for meshc and cannot be read is a finding, and suppresses nothing.

use crate::diag::{Code, Severity, codes};
use crate::similar;

/// What a comment asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directive {
    /// The codes that may be suppressed, each once.
    pub(super) codes: Vec<Code>,
    pub(super) whole_file: bool,
}

/// What is wrong with a comment, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) message: String,
    pub(super) help: String,
}

const FORM: &str = "write `# meshc: ignore[<code>] <reason>`, or `# meshc: file-ignore[<code>] <reason>` above the first document";

/// Reads a comment. `None`: it is not for meshc. What is flawed is left out of the directive.
pub(super) fn read(comment: &str) -> Option<(Option<Directive>, Vec<Flaw>)> {
    let text = comment
        .trim_start_matches('#')
        .trim()
        .strip_prefix("meshc:")?
        .trim_start();
    let flaw = |message: &str, help: &str| {
        let (message, help) = (message.to_owned(), help.to_owned());
        Some((None, vec![Flaw { message, help }]))
    };
    let Some((verb, rest)) = text.split_once('[') else {
        return flaw("this comment for meshc has no list of codes", FORM);
    };
    let whole_file = match verb.trim() {
        "ignore" => false,
        "file-ignore" => true,
        other => {
            let help = match similar::nearest(other, ["ignore", "file-ignore"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => FORM.to_owned(),
            };
            return flaw(&format!("meshc has no comment `{other}`"), &help);
        }
    };
    let Some((listed, reason)) = rest.split_once(']') else {
        return flaw("the list of codes is not closed", FORM);
    };
    if reason.trim().is_empty() {
        return flaw(
            "a suppression needs a reason",
            "say after the brackets why this finding is no trouble here",
        );
    }
    let mut flaws = Vec::new();
    let mut read = Vec::new();
    for name in listed.split(',').map(str::trim) {
        match suppressible(name) {
            Ok(code) if read.contains(&code) => {}
            Ok(code) => read.push(code),
            Err(flaw) => flaws.push(flaw),
        }
    }
    let directive = (!read.is_empty()).then_some(Directive {
        codes: read,
        whole_file,
    });
    Some((directive, flaws))
}

fn suppressible(name: &str) -> Result<Code, Flaw> {
    let all = codes();
    let Some(info) = all.iter().find(|info| info.code.0 == name) else {
        let names = all.iter().map(|info| info.code.0);
        let help = match similar::nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the code stands in brackets in each finding: `warning[no-effect]`".to_owned(),
        };
        let message = format!("there is no code `{name}`");
        return Err(Flaw { message, help });
    };
    let about_comments = [Code::INVALID_SUPPRESSION, Code::UNUSED_SUPPRESSION];
    if about_comments.contains(&info.code) {
        let message = format!("`{name}` is about comments like this one, and cannot be suppressed");
        let help = "mend the comment that it is about".to_owned();
        return Err(Flaw { message, help });
    }
    if info.severity == Severity::Error {
        let message = format!("`{name}` is an error, and only warnings can be suppressed");
        let help = "an error keeps the bundle from being made, so it has to be mended".to_owned();
        return Err(Flaw { message, help });
    }
    Ok(info.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_for_meshc_or_not_and_flawed_or_not() {
        let table = [
            ("# a comment", None),
            ("# meshc is good", None),
            (
                "# meshc: ignore[no-effect] why",
                Some((vec!["no-effect"], false, vec![])),
            ),
            (
                "#meshc:ignore[ no-effect , header-case,no-effect ] why",
                Some((vec!["no-effect", "header-case"], false, vec![])),
            ),
            (
                "## meshc: file-ignore[no-effect] why",
                Some((vec!["no-effect"], true, vec![])),
            ),
            (
                "# meshc: ignore[no-effect]",
                Some((vec![], false, vec!["needs a reason"])),
            ),
            (
                "# meshc: ignore[no-efect, header-case] why",
                Some((vec!["header-case"], false, vec!["no code `no-efect`"])),
            ),
            (
                "# meshc: ignore[] why",
                Some((vec![], false, vec!["no code ``"])),
            ),
            (
                "# meshc: ignore[dangling-ref] why",
                Some((vec![], false, vec!["is an error"])),
            ),
            (
                "# meshc: ignore[unused-suppression] why",
                Some((vec![], false, vec!["about comments"])),
            ),
            (
                "# meshc: ignroe[no-effect] why",
                Some((vec![], false, vec!["no comment `ignroe`"])),
            ),
            (
                "# meshc: ignore[no-effect why",
                Some((vec![], false, vec!["not closed"])),
            ),
            (
                "# meshc: ignore no-effect",
                Some((vec![], false, vec!["no list"])),
            ),
        ];
        for (comment, expected) in table {
            let found = read(comment);
            assert_eq!(found.is_some(), expected.is_some(), "{comment}: {found:?}");
            let (Some((directive, flaws)), Some((codes, whole_file, messages))) = (found, expected)
            else {
                continue;
            };
            let names = directive
                .iter()
                .flat_map(|directive| &directive.codes)
                .map(|code| code.0);
            assert_eq!(names.collect::<Vec<_>>(), codes, "{comment}");
            assert_eq!(
                directive.is_some_and(|directive| directive.whole_file),
                whole_file,
                "{comment}"
            );
            assert_eq!(flaws.len(), messages.len(), "{comment}: {flaws:?}");
            for (flaw, message) in flaws.iter().zip(messages) {
                assert!(flaw.message.contains(message), "{comment}: {flaw:?}");
            }
        }
    }
}
