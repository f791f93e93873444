//! Policies about received traffic alone: what `MeshFaultInjection` and `MeshRateLimit` have in common (language 5.8, 5.14).
//!
//! Never accepts `to`, which both have in their schema: neither does anything to what a proxy sends.

use serde_json::Value;

use crate::diag::{Code, Pointer};

use super::Check;
use super::client_match::Match;
use super::target_ref::TargetRef;

/// The words of a kind.
pub(crate) struct Words {
    /// `a rate limit`.
    pub(crate) noun: &'static str,
    /// Why there is no `to`.
    pub(crate) sent: &'static str,
    /// What to do instead.
    pub(crate) instead: &'static str,
}

/// Whose inbounds a policy is about, and that it has rules and nothing else.
pub(crate) fn check_top(
    target: Option<&TargetRef>,
    to: Option<&Vec<Value>>,
    rules: usize,
    words: &Words,
    check: &mut Check<'_>,
) {
    TargetRef::check_top(target, rules > 0, check);
    let spec = Pointer::default();
    if to.is_some_and(|to| !to.is_empty()) {
        check
            .error(Code::UNSUPPORTED, &spec.field("to"), words.sent)
            .help(words.instead);
    } else if rules == 0 {
        let message = format!("{} must have `rules`", words.noun);
        check.error(Code::MISSING_FIELD, &spec, message);
    }
}

/// The clients that a rule is about. Gives where its conf stands.
pub(crate) fn check_clients(matches: &[Match], rule: usize, check: &mut Check<'_>) -> Pointer {
    let at = Pointer::default().field("rules").index(rule);
    for (index, one) in matches.iter().enumerate() {
        one.check(&at.field("matches").index(index), check);
    }
    at.field("default")
}
