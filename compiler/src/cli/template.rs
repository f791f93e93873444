//! What the arguments of templates have to look like.
//!
//! Never lets a value be more than a value: what stands between the signs is judged by whoever asked for it.

pub(super) use crate::compose::fill;

/// A name of a resource: as a label of DNS (RFC 1123).
pub(super) fn name(text: &str) -> Result<String, String> {
    match crate::config::is_label(text) {
        true => Ok(text.to_owned()),
        false => Err("use lower case letters, digits and `-`, at most 63".to_owned()),
    }
}
