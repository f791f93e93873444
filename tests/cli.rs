//! `meshc` as a process: arguments, output, exit codes.
//!
//! Never waits without an end: every run has a deadline and a bound of memory, and exceeding one is a failure.

mod build;
mod check;
mod explain;
mod formats;
mod hostile;
mod inspect;
mod run;
