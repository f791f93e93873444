//! Checks that the confs of several kinds have in common.
//!
//! Never knows a kind: what is common is the form of a value, not its meaning.

use crate::diag::{Change, Code, Pointer};

use super::Check;
use super::scalar::TimeSpan;

/// At least one of these members has to be set.
pub(super) fn any_of(members: &[(&str, bool)], at: &Pointer, check: &mut Check<'_>) {
    if members.iter().any(|(_, set)| *set) {
        return;
    }
    let names: Vec<String> = members
        .iter()
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    let message = format!("at least one of {} must be set", names.join(", "));
    check.error(Code::MISSING_FIELD, at, message);
}

/// The member that a type asks for has to be set; the others do nothing.
pub(super) fn member_of(
    word: &str,
    wanted: &str,
    members: &[(&str, bool)],
    at: &Pointer,
    check: &mut Check<'_>,
) {
    for (name, set) in members {
        if *name == wanted && !*set {
            check.missing(&at.field(*name));
        } else if *name != wanted && *set {
            let message = format!("`{name}` has no effect with the type `{word}`");
            check
                .warn(Code::NO_EFFECT, &at.field(*name), message)
                .help("remove it, or change the type")
                .safe_fix("remove it", |at| vec![Change::Remove(at.clone())]);
        }
    }
}

/// A number, where it is set, has to be more than zero.
pub(super) fn above_zero(number: Option<u32>, at: &Pointer, check: &mut Check<'_>) {
    if number == Some(0) {
        check.invalid(at, "it must be more than zero");
    }
}

/// A duration, where it is set, has to be more than zero.
pub(super) fn span_above_zero(span: Option<TimeSpan>, at: &Pointer, check: &mut Check<'_>) {
    if span.is_some_and(|span| span.0.is_zero()) {
        check.invalid(at, "it must be more than zero");
    }
}

/// A number, where it is set, has to be in a range.
pub(super) fn between(
    number: Option<u32>,
    (least, most): (u32, u32),
    at: &Pointer,
    check: &mut Check<'_>,
) {
    if let Some(number) = number.filter(|number| !(least..=most).contains(number)) {
        check.invalid(
            at,
            format!("`{number}` is not in the range {least} to {most}"),
        );
    }
}
