//! `mesh-proxy capture`: tells the host what to capture, and what not to any more.
//!
//! Never touches rules that are not ours.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, ExitCode, Stdio};

use crate::dns::nameservers;

use super::ruleset::{Family, Range, Ruleset, User, removal};

/// What is written into the rules of the host.
#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Capture {
    /// Capture the traffic of this host, in place of what was captured before.
    ///
    /// Traffic of the proxy's own user is left alone, so the proxy needs one that nothing else runs as. Connections that
    /// are open stay as they are.
    Install(Install),
    /// Capture nothing any more.
    Remove {
        /// Print the rules instead of applying them.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Install {
    /// The user that mesh-proxy runs as, by name or number.
    #[arg(long, value_name = "USER")]
    pub(crate) proxy_user: User,

    /// `networking.transparentProxying.redirectPortInbound` of the Dataplane; 0 leaves what comes in alone.
    #[arg(long, value_name = "PORT", default_value_t = 15_006)]
    pub(crate) inbound_port: u16,

    /// `networking.transparentProxying.redirectPortOutbound` of the Dataplane; 0 leaves what goes out alone.
    #[arg(long, value_name = "PORT", default_value_t = 15_001)]
    pub(crate) outbound_port: u16,

    /// Where mesh-proxy answers questions for names (`mesh-proxy run --dns-port`); 0 leaves them alone.
    #[arg(long, value_name = "PORT", default_value_t = 15_053)]
    pub(crate) dns_port: u16,

    /// Name servers whose questions are brought to mesh-proxy; by default those of `/etc/resolv.conf`.
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub(crate) nameservers: Vec<IpAddr>,

    /// Ports of this host that connections may come to as if there were no mesh.
    #[arg(
        long,
        value_name = "PORTS",
        value_delimiter = ',',
        default_value = "22"
    )]
    pub(crate) except_inbound_ports: Vec<u16>,

    /// Ports of others that connections leave for as if there were no mesh.
    #[arg(long, value_name = "PORTS", value_delimiter = ',')]
    pub(crate) except_outbound_ports: Vec<u16>,

    /// Addresses and ranges that connections leave for as if there were no mesh.
    #[arg(long, value_name = "RANGES", value_delimiter = ',')]
    pub(crate) except_addresses: Vec<Range>,

    /// Versions of IP: `networking.transparentProxying.ipFamilyMode` of the Dataplane.
    #[arg(long, value_enum, default_value_t = Families::Dual)]
    pub(crate) ip_family: Families,

    /// Print the rules instead of applying them.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Versions of IP that are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Families {
    /// Both.
    Dual,
    /// Version 4 only.
    Ipv4,
    /// Version 6 only.
    Ipv6,
}

/// Does it, or prints what would be done.
pub(crate) fn run(capture: &Capture) -> ExitCode {
    let (rules, dry_run) = match capture {
        Capture::Install(install) => {
            let mut install = install.clone();
            if install.nameservers.is_empty() {
                let known = nameservers::of_the_host();
                install.nameservers = known.iter().map(SocketAddr::ip).collect();
            }
            (rules(&install), install.dry_run)
        }
        Capture::Remove { dry_run } => (removal(), *dry_run),
    };
    let done = match dry_run {
        true => io::stdout().write_all(rules.as_bytes()),
        false => apply(&rules),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let mut stderr = io::stderr().lock();
            // Without a terminal there is only the exit code.
            drop(writeln!(stderr, "error: {why}"));
            ExitCode::from(2)
        }
    }
}

fn rules(install: &Install) -> String {
    let some = |port: u16| (port > 0).then_some(port);
    Ruleset {
        proxy_user: &install.proxy_user,
        inbound_port: some(install.inbound_port),
        outbound_port: some(install.outbound_port),
        dns_port: some(install.dns_port),
        nameservers: &install.nameservers,
        except_inbound_ports: &install.except_inbound_ports,
        except_outbound_ports: &install.except_outbound_ports,
        except_addresses: &install.except_addresses,
        without: match install.ip_family {
            Families::Dual => None,
            Families::Ipv4 => Some(Family::Ipv6),
            Families::Ipv6 => Some(Family::Ipv4),
        },
    }
    .to_string()
}

fn apply(rules: &str) -> io::Result<()> {
    let nft = Command::new("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .spawn();
    let mut nft = nft.map_err(|why| {
        let help =
            "install nftables, or print the rules with `--dry-run` and apply them by other means";
        io::Error::other(format!("cannot run `nft`: {why}\n  help: {help}"))
    })?;
    if let Some(mut stdin) = nft.stdin.take() {
        stdin.write_all(rules.as_bytes())?;
    }
    match nft.wait()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            "`nft` has refused the rules, and nothing has changed\n  help: it needs root, or CAP_NET_ADMIN in the network namespace of the workload",
        )),
    }
}
