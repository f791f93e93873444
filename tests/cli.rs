//! `meshc` as a process: arguments, output, exit codes.
//!
//! Never waits without an end: every run has a deadline and a bound of memory, and exceeding one is a failure.

mod about;
mod blame;
mod build;
mod check;
mod checkouts;
mod config;
mod diff;
mod examples;
mod explain;
mod fmt;
mod formats;
mod gates;
mod graph;
mod hostile;
mod init;
mod inspect;
mod new;
mod newcomer;
mod pipelines;
mod run;
mod since;
mod snapshot;
mod stdin;
mod test;
mod watch;
