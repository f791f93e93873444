//! What the command line of mesh-proxy says.
//!
//! Never does anything but read it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::capture;

/// The data plane of the mesh: one process beside each workload.
#[derive(Debug, Parser)]
#[command(name = "mesh-proxy", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve one workload until SIGTERM or SIGINT; a second signal ends at once.
    Run(Run),
    /// Bring the traffic of a workload to its proxy, by rules of the host.
    #[command(subcommand)]
    Capture(capture::Command),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// Where meshd delivers: `host:port`, or several with commas between them. The proxy is with one of them at a time, and
    /// goes on to the next when that is away.
    #[arg(long, value_name = "ADDR", value_parser = address, value_delimiter = ',', required = true)]
    pub(crate) meshd: Vec<String>,

    /// A file that holds a join token, as `meshd token` printed it, or a token of another issuer that meshd accepts. Read when
    /// the proxy has to enrol.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: PathBuf,

    /// The fingerprint of meshd, as `meshd ca --pin` shows it: needed with a token of another issuer, which does not know it.
    #[arg(long, value_name = "SHA256")]
    pub(crate) meshd_pin: Option<mesh_bundle::Digest>,

    /// Which Dataplane this is. Needed where the token leaves a choice.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataplane: Option<String>,

    /// A Dataplane document to register where the repository declares none; `${NAME}` stands for a variable of the
    /// environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) dataplane_file: Option<PathBuf>,

    /// Where the last state is kept, so that a restart serves while meshd is away. For this proxy alone.
    ///
    /// A service manager gives it as `STATE_DIRECTORY`; otherwise it is `mesh-proxy-state` where the proxy is started.
    #[arg(
        long,
        value_name = "DIR",
        env = "STATE_DIRECTORY",
        default_value = "mesh-proxy-state"
    )]
    pub(crate) state_dir: PathBuf,

    /// The socket of the SPIFFE Workload API (a SPIRE agent) on this host: `unix:///path`. Needed where a `MeshIdentity` has the
    /// provider `Spire`.
    #[arg(
        long,
        value_name = "SOCKET",
        env = "SPIFFE_ENDPOINT_SOCKET",
        value_parser = crate::workload_api::socket
    )]
    pub(crate) spiffe_socket: Option<PathBuf>,

    /// Health, readiness, metrics and configuration over HTTP; loopback only, port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub(crate) admin: SocketAddr,

    /// The port of loopback where names of the mesh are answered, if the Dataplane captures what the workload sends; 0: none.
    #[arg(long, value_name = "PORT", default_value_t = 15_053)]
    pub(crate) dns_port: u16,

    /// How long open connections may take to end after SIGTERM.
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    pub(crate) drain: mesh_bundle::Duration,

    /// Threads for traffic; by default as many as there are processors.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,

    /// How many connections may be open at once, over all listeners; more are closed as soon as they come. Each takes two file
    /// descriptors at most, which the service manager must allow.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16_384,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000)
    )]
    pub(crate) max_connections: u32,

    /// Leave `x-mesh-refusal` out of responses: for a proxy at an edge, whose clients shall not read the names of policies
    /// and files. The log names them as before.
    #[arg(long, env = "MESH_HIDE_REFUSALS")]
    pub(crate) hide_refusals: bool,

    /// The certificate of the endpoint for metrics where a `MeshMetric` says `ProvidedTLS`: a chain in PEM, read at the start.
    #[arg(long, value_name = "FILE", requires = "metrics_key")]
    pub(crate) metrics_cert: Option<PathBuf>,

    /// Its private key in PEM.
    #[arg(long, value_name = "FILE", requires = "metrics_cert")]
    pub(crate) metrics_key: Option<PathBuf>,

    /// How logs look on stderr.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One flat object a line.
    Json,
}

fn address(text: &str) -> Result<String, String> {
    let usable = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0));
    usable
        .then(|| text.to_owned())
        .ok_or_else(|| "expected `host:port`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory, Parser};

    const LEAST: [&str; 8] = [
        "mesh-proxy",
        "run",
        "--meshd",
        "meshd.example:5680",
        "--token-file",
        "token",
        "--state-dir",
        "state",
    ];

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_least_is_enough() {
        let Command::Run(run) = Cli::try_parse_from(LEAST).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(run.admin.to_string(), "127.0.0.1:0");
        assert_eq!(run.drain, mesh_bundle::Duration::from_secs(10));
        assert_eq!(run.workers, None);
        assert_eq!(
            run.max_connections as usize,
            crate::shared::MOST_CONNECTIONS
        );
    }

    #[test]
    fn meshd_may_have_several_addresses() {
        let both = LEAST.map(|word| word.replace(".example:5680", "-a:5680,meshd-b:5680"));
        let Command::Run(run) = Cli::try_parse_from(both).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(run.meshd, ["meshd-a:5680", "meshd-b:5680"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (flag, value) in [
            ("--drain", "10"),
            ("--workers", "0"),
            ("--max-connections", "0"),
            ("--admin", "localhost"),
            ("--log-format", "xml"),
            ("--spiffe-socket", "tcp://127.0.0.1:8000"),
            ("--spiffe-socket", "unix://host/agent.sock"),
            ("--spiffe-socket", "agent.sock"),
        ] {
            let line = LEAST.into_iter().chain([flag, value]);
            assert!(Cli::try_parse_from(line).is_err(), "{flag} {value}");
        }
        for meshd in [
            "meshd",
            "meshd:0",
            ":5680",
            "meshd:http",
            "a:5680,",
            "a:5680,b",
        ] {
            let line = LEAST.map(|word| {
                if word.starts_with("meshd.") {
                    meshd
                } else {
                    word
                }
            });
            assert!(Cli::try_parse_from(line).is_err(), "{meshd}");
        }
    }
}
