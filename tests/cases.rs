//! Diagnostics, told as documents: every `tests/cases/*.md` is compiled and compared with its own annotations.
