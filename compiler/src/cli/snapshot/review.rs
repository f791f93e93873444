//! One difference after the other, and what becomes of it.
//!
//! Never takes silence for consent: where answers end, everything left stays as it is.

use std::io::BufRead;

use super::Difference;
use super::store::Store;
use crate::cli::output::Output;

/// What can be said about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accept,
    Reject,
    Skip,
    Quit,
}

/// How many are left as they were.
pub(super) fn review(
    store: &Store,
    differences: &[Difference],
    answers: &mut impl BufRead,
    output: &mut Output,
) -> Result<usize, anyhow::Error> {
    let all = differences.len();
    let mut accepted = 0;
    for (index, difference) in differences.iter().enumerate() {
        output.tell(&difference.shown())?;
        let name = &difference.name;
        output.tell(&format!("\n{} of {all}: {name}\n", index + 1))?;
        match ask(answers, output)? {
            Answer::Accept => {
                output.tell(&store.accept(difference)?)?;
                accepted += 1;
            }
            Answer::Reject => store.forget(difference)?,
            Answer::Skip => {}
            Answer::Quit => break,
        }
    }
    output.tell(&format!("accepted {accepted} of {all}\n"))?;
    Ok(all - accepted)
}

fn ask(answers: &mut impl BufRead, output: &mut Output) -> Result<Answer, anyhow::Error> {
    loop {
        output.tell("[a]ccept, [r]eject, [s]kip, [q]uit? ")?;
        let mut line = String::new();
        if answers.read_line(&mut line)? == 0 {
            return Ok(Answer::Quit);
        }
        if let Some(answer) = answer(&line) {
            return Ok(answer);
        }
    }
}

/// What a line says.
pub(super) fn answer(line: &str) -> Option<Answer> {
    match line.trim().to_ascii_lowercase().as_str() {
        "a" | "accept" => Some(Answer::Accept),
        "r" | "reject" => Some(Answer::Reject),
        "s" | "skip" => Some(Answer::Skip),
        "q" | "quit" => Some(Answer::Quit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_accepted_rejected_or_left() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("snapshots"));
        let difference = |name: &str| Difference {
            name: format!("default/proxies/{name}.snap"),
            old: None,
            new: Some(format!("{}\n{name}\n", crate::inspect::SNAPSHOT)),
        };
        let differences = ["a", "b", "c", "d"].map(difference);
        store.put_beside(&differences).unwrap();
        let mut answers = "what?\na\nreject\nS\n".as_bytes();
        let left = review(&store, &differences, &mut answers, &mut Output::default());
        assert_eq!(left.unwrap(), 3);
        let is_there = |name: &str| {
            let path = directory.path().join("snapshots/default/proxies");
            (
                path.join(format!("{name}.snap")).exists(),
                path.join(format!("{name}.snap.new")).exists(),
            )
        };
        assert_eq!(is_there("a"), (true, false));
        assert_eq!(is_there("b"), (false, false));
        assert_eq!(is_there("c"), (false, true));
        // Nobody said anything any more.
        assert_eq!(is_there("d"), (false, true));
    }
}
