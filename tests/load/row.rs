//! The rows of the table: what is asked of every pair of proxies.
//!
//! Never different work for different peers.

use std::fmt;

use anyhow::{Context as _, Result};

use crate::app::{Order, Service};
use crate::cost;
use crate::options::Options;
use crate::peer::Pair;
use crate::work::{self, Sample};

/// Connections of HTTP/1.1, each with one request at a time.
const CONNECTIONS: usize = 64;
/// Connections that open, say one byte, and close, at once.
const OPENING: usize = 8;

/// One kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    Idle,
    IdleHttp,
    IdleTcp,
    Small,
    Large,
    Grpc,
    Paced,
    Handshakes,
    Down,
    Up,
}

impl Row {
    pub(crate) const ALL: [Self; 10] = [
        Self::Idle,
        Self::IdleHttp,
        Self::IdleTcp,
        Self::Small,
        Self::Large,
        Self::Grpc,
        Self::Paced,
        Self::Handshakes,
        Self::Down,
        Self::Up,
    ];

    /// As the command line has it, what it is, what is counted, and what part of Envoy's cost it may be.
    fn about(self) -> (&'static str, &'static str, &'static str, f64) {
        match self {
            Self::Idle => ("idle", "memory of an idle proxy", "MiB", 4.0 / 15.0),
            Self::IdleHttp => (
                "idle-http",
                "memory of an idle HTTP/1.1 connection",
                "KiB",
                25.0 / 60.0,
            ),
            Self::IdleTcp => (
                "idle-tcp",
                "memory of an idle TCP connection",
                "KiB",
                16.0 / 30.0,
            ),
            Self::Small => ("small", "HTTP/1.1, 64 connections, 128 bytes", "us", 0.20),
            Self::Large => ("large", "HTTP/1.1, 64 connections, 16 KiB", "us", 0.27),
            Self::Grpc => (
                "grpc",
                "gRPC unary, 4 connections of 16 streams",
                "us",
                0.25,
            ),
            Self::Paced => ("paced", "HTTP/1.1, 1,000 requests a second", "us", 0.40),
            Self::Handshakes => (
                "handshakes",
                "new TCP connections, each with a new mTLS one",
                "us",
                0.70,
            ),
            Self::Down => ("down", "TCP stream to the client", "CPU s/GiB", 0.90),
            Self::Up => ("up", "TCP stream to the server", "CPU s/GiB", 0.90),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.about().0
    }

    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    pub(crate) fn unit(self) -> &'static str {
        self.about().2
    }

    pub(crate) fn goal(self) -> f64 {
        self.about().3
    }

    /// Then each turn has new processes: old ones hold what earlier work has left behind.
    pub(crate) fn is_of_memory(self) -> bool {
        matches!(self, Self::Idle | Self::IdleHttp | Self::IdleTcp)
    }

    fn service(self) -> Service {
        match self {
            Self::Idle | Self::IdleHttp | Self::Small | Self::Large | Self::Paced => Service::Http,
            Self::Grpc => Service::Grpc,
            Self::IdleTcp | Self::Handshakes | Self::Down | Self::Up => Service::Tcp,
        }
    }

    /// Not every peer does everything; without proxies only latency says something.
    pub(crate) fn suits(self, pair: &Pair) -> bool {
        pair.serves(self.service()) && (self == Self::Paced || !pair.pids().is_empty())
    }

    /// Does the work once.
    pub(crate) async fn measure(self, pair: &Pair, options: &Options) -> Result<Sample> {
        let (time, count) = (options.time, options.resting);
        let address = pair.address(self.service());
        let address = address.context("it does not serve that")?;
        let pids = pair.pids();
        let each = |sample: Sample| sample.scaled(1_000.0);
        match self {
            Self::Idle => Ok(Sample::of(pair.idle() / 1_024.0 / 2.0)),
            Self::IdleHttp => {
                let held = work::rest_http(address, count).await?;
                let sample = resting(pair, count);
                drop(held);
                sample
            }
            Self::IdleTcp => {
                let held = work::rest_tcp(address, count).await?;
                let sample = resting(pair, count);
                drop(held);
                sample
            }
            Self::Small => work::requests(address, 128, CONNECTIONS, pids, time)
                .await
                .map(each),
            Self::Large => {
                let large = 16 * 1024;
                work::requests(address, large, CONNECTIONS, pids, time)
                    .await
                    .map(each)
            }
            Self::Grpc => work::calls(address, pids, time).await.map(each),
            Self::Paced => work::paced(address, pids, time).await.map(each),
            Self::Handshakes => work::connections(address, OPENING, pids, time)
                .await
                .map(each),
            Self::Down => work::stream(address, Order::Send, pids, time).await,
            Self::Up => work::stream(address, Order::Take, pids, time).await,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.about().1)
    }
}

/// What each of the connections takes of each of the proxies.
fn resting(pair: &Pair, count: u32) -> Result<Sample> {
    let shares = 2.0 * f64::from(count);
    Ok(Sample::of(
        (cost::anonymous(pair.pids())? - pair.idle()) / shares,
    ))
}
