//! The data plane: one process beside each workload.
//!
//! Never parses YAML, and never serves a configuration that it does not understand as a whole.
//!
//! * [`World`] is what the control side has received and verified.
//! * [`Table`] is that world compiled, or refused with the place that is not understood.
//! * [`DataPlane`] serves the newest table; a change is one pointer.
//!
//! [`main`] is the program: it keeps the three of them going, as `app.rs` lists.

mod access_log;
mod account;
mod admin;
mod app;
mod backoff;
mod balance;
mod capture;
mod cli;
mod clock;
mod configuration;
mod control;
mod dataplane;
mod dice;
mod dns;
mod enroll;
mod health_check;
mod hello;
mod http;
mod http2;
mod http_admin;
mod http_client;
mod http_metrics;
mod identity;
mod inbound;
mod limiter;
mod listener;
mod log;
mod meshd;
mod metrics;
mod outbound;
mod passing;
pub mod refusal;
mod session;
mod shared;
mod state;
mod stream;
mod table;
mod tally;
mod tcp;
mod telemetry;
mod tls;
mod trace;
mod upstream;
mod woken;
mod workers;
mod workload;
mod workload_api;
mod world;

use std::process::ExitCode;

use clap::Parser;

pub use dataplane::DataPlane;
pub use metrics::Metrics;
pub use table::Table;
pub use workers::Workers;
pub use world::{Rejected, Svid, World};

/// The program: reads the command line, runs, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => match cli.command {
            cli::Command::Run(run) => app::run(run),
            cli::Command::Capture(capture) => capture::run(&capture),
        },
        Err(error) => {
            // A closed pipe is no failure of ours.
            drop(error.print());
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

#[cfg(test)]
mod tests;
