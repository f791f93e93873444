//! `meshc lsp` as an editor meets it: the real program, over its standard input and output.
//!
//! Never sleeps: every wait is for a message.

mod cases;
mod diagnostics;
mod edits;
mod emacs;
mod life;
mod neovim;
mod project;
mod vscode;
