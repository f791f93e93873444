//! Texts that tell patterns apart: one for every combination of patterns that some text matches and no fewer.
//!
//! Never guesses: the patterns are run side by side as automata, so a combination without a text has none. Never runs
//! without bound: what needs too many states is refused.

use std::collections::{BTreeMap, BTreeSet};

use regex_automata::Anchored;
use regex_automata::dfa::dense::{Builder, Config, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;

/// One automaton may take this many bytes; that of a pattern that a person writes takes a few thousand.
const AUTOMATON_LIMIT: usize = 1 << 20;
/// Steps of all automata together. Patterns of people need some hundreds.
const STATE_LIMIT: usize = 20_000;

/// Patterns that cannot be told apart within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the patterns are too many, or too large, to be told apart")]
pub struct TooMany;

type Automata<'a> = Vec<&'a DFA<Vec<u32>>>;

/// Which texts there are: the automaton of a pattern that is known beforehand, made once.
#[derive(Debug)]
pub(super) struct Domain(Result<DFA<Vec<u32>>, TooMany>);

impl Domain {
    pub(super) fn of(pattern: &str) -> Self {
        Self(automaton(pattern))
    }
}

/// What the automata are in, and how they came there.
struct Step {
    states: Vec<StateID>,
    /// The step before, and the byte from there.
    from: Option<(usize, u8)>,
}

/// The shortest text of `domain` for every combination of `patterns` that one of its texts matches in full.
pub(super) fn witnesses(
    domain: &Domain,
    patterns: &BTreeSet<String>,
) -> Result<Vec<String>, TooMany> {
    let domain = domain.0.as_ref().map_err(|error| *error)?;
    let patterns = patterns.iter().map(|pattern| automaton(pattern));
    let patterns: Vec<_> = patterns.collect::<Result<_, _>>()?;
    let automata: Automata<'_> = std::iter::once(domain).chain(&patterns).collect();
    let alphabet = alphabet(&automata);
    let begin = start::Config::new().anchored(Anchored::Yes);
    let begin = automata
        .iter()
        .map(|automaton| automaton.start_state(&begin).map_err(|_| TooMany));
    let mut steps = vec![Step {
        states: begin.collect::<Result<_, _>>()?,
        from: None,
    }];
    let mut seen: BTreeSet<Vec<StateID>> = steps.iter().map(|step| step.states.clone()).collect();
    let mut found: BTreeMap<Vec<bool>, String> = BTreeMap::new();
    let mut place = 0;
    while let Some(step) = steps.get(place) {
        let states = step.states.clone();
        let accepts = automata
            .iter()
            .zip(&states)
            .map(|(automaton, state)| automaton.is_match_state(automaton.next_eoi_state(*state)));
        let mut accepts = accepts;
        if accepts.next() == Some(true) {
            let combination: Vec<bool> = accepts.collect();
            if !found.contains_key(&combination)
                && let Some(text) = text(&steps, place)
            {
                found.insert(combination, text);
            }
        }
        for byte in &alphabet {
            let next = automata.iter().zip(&states);
            let next = next.map(|(automaton, state)| automaton.next_state(*state, *byte));
            let next: Vec<StateID> = next.collect();
            let outside = automata.first().zip(next.first());
            if outside.is_some_and(|(domain, state)| domain.is_dead_state(*state)) {
                continue;
            }
            if seen.insert(next.clone()) {
                if steps.len() >= STATE_LIMIT {
                    return Err(TooMany);
                }
                steps.push(Step {
                    states: next,
                    from: Some((place, *byte)),
                });
            }
        }
        place += 1;
    }
    Ok(found.into_values().collect())
}

/// `pattern` must hold for the whole text.
fn automaton(pattern: &str) -> Result<DFA<Vec<u32>>, TooMany> {
    let config = Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(AUTOMATON_LIMIT))
        .determinize_size_limit(Some(4 * AUTOMATON_LIMIT));
    // Whether it is an expression at all, the compiler has asked before.
    Builder::new()
        .configure(config)
        .build(&format!(r"\A(?:{pattern})\z"))
        .map_err(|_| TooMany)
}

/// One byte of each kind that no automaton tells apart from the others of it; those that people like to read come first.
fn alphabet(automata: &Automata<'_>) -> Vec<u8> {
    let liked = |byte: &u8| match byte {
        b'x' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        b'/' | b'-' | b'.' | b'_' => 3,
        b'A'..=b'Z' => 4,
        b'!'..=b'~' => 5,
        _ => 6,
    };
    let mut bytes: Vec<u8> = (0..=u8::MAX).collect();
    bytes.sort_by_key(liked);
    let mut kinds = BTreeSet::new();
    let kind = |byte: u8| -> Vec<u8> {
        let classes = automata.iter().map(|automaton| automaton.byte_classes());
        classes.map(|classes| classes.get(byte)).collect()
    };
    bytes.retain(|byte| kinds.insert(kind(*byte)));
    bytes
}

fn text(steps: &[Step], mut place: usize) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some((before, byte)) = steps.get(place)?.from {
        bytes.push(byte);
        place = before;
    }
    bytes.reverse();
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(domain: &str, patterns: &[&str]) -> Vec<String> {
        let patterns = patterns.iter().map(|text| (*text).to_owned()).collect();
        witnesses(&Domain::of(domain), &patterns).unwrap()
    }

    #[test]
    fn one_text_for_every_combination() {
        assert_eq!(told("(?s:.*)", &[]), [""]);
        assert_eq!(told("(?s:.*)", &["a"]), ["", "a"]);
        // Every text that is `b` is also `[ab]`: three combinations, not four.
        assert_eq!(told(".*", &["[ab]", "b"]), ["", "a", "b"]);
        // Neither, only the first, only the second, both.
        assert_eq!(told(".+", &["x.*", ".*y"]), ["a", "x", "y", "xy"]);
    }

    #[test]
    fn what_no_text_of_the_domain_is_has_none() {
        assert_eq!(told("[a-c]", &["d"]), ["a"]);
        assert_eq!(told("a", &["a", "b"]), ["a"]);
        assert_eq!(told("[^a]", &["[^\\x00-\\x7f]"]).len(), 2);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let patterns = BTreeSet::from(["[01]*1[01]{18}".to_owned()]);
        let domain = Domain::of("[01]*");
        assert_eq!(witnesses(&domain, &patterns), Err(TooMany));
        assert_eq!(
            witnesses(&Domain::of(".*"), &BTreeSet::from([r"\bx".to_owned()])),
            Err(TooMany)
        );
    }
}
