//! The table `[tokens]`: join tokens that a commit ends.
//!
//! Never takes a text for an identifier that could be none: a token that was meant would stay good.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::{Entry, Reader, kind};
use crate::config::gates::Told;

/// Tokens end by themselves: older lines can go.
const MOST_TOKENS: usize = 4_096;
/// Hexadecimal digits.
const ID_LENGTH: usize = 32;

impl Reader<'_> {
    pub(super) fn tokens(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let message = format!("`tokens` is a table, not {}", kind(value.get_ref()));
            return self.complain(Some(value.span()), message, None);
        };
        for entry in table {
            match entry.0.get_ref().as_ref() {
                "revoked" => self.revoked(entry),
                _ => self.unknown("setting of tokens", entry, ["revoked"].into_iter()),
            }
        }
    }

    fn revoked(&mut self, (_, value): Entry<'_, '_>) {
        let list = value.get_ref().as_array();
        let Some(list) = list.filter(|list| list.len() <= MOST_TOKENS) else {
            let message =
                format!("`tokens.revoked` is a list of at most {MOST_TOKENS} identifiers");
            return self.complain(Some(value.span()), message, None);
        };
        let mut seen = BTreeSet::new();
        for each in list {
            let id = each.get_ref().as_str().unwrap_or_default();
            let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            if id.len() != ID_LENGTH || !id.bytes().all(digit) {
                let message = "this is not the identifier of a join token";
                let help = "it has 32 hexadecimal digits, as `meshd tokens` and the log of meshd show it; the token itself \
                            does not belong here";
                self.complain(Some(each.span()), message, Some(help.to_owned()));
            } else if !seen.insert(id.to_owned()) {
                let message = format!("the join token `{id}` is in the list twice");
                self.complain(Some(each.span()), message, None);
            } else {
                let (value, line) = (id.to_owned(), self.place(each.span().start).0);
                self.content.revoked_tokens.push(Told { value, line });
            }
        }
    }
}
