//! What may leave the mesh without being known to it (language 5.15).
//!
//! Never about a destination that the mesh knows: that has an outbound.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::origin::{Origin, Sourced};

/// What happens to captured connections that no outbound is for. Without this resource all of them may leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Passthrough {
    /// Which ones.
    pub mode: Sourced<PassthroughMode>,
    /// With [`PassthroughMode::Matched`]: what may leave, in the order in which it is tried. The first that matches counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<PassthroughMatch>,
}

/// Which connections may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PassthroughMode {
    /// All of them.
    All,
    /// Those that are listed.
    Matched,
    /// None.
    None,
}

/// A destination that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PassthroughMatch {
    /// What is spoken, which is also what a domain is seen by: the server name of TLS, the host of HTTP.
    pub protocol: PassthroughProtocol,
    /// Where the connection goes.
    pub destination: PassthroughDestination,
    /// 1 to 65535. `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The entry of the list.
    pub origin: Origin,
}

/// What is spoken, in the order in which entries are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PassthroughProtocol {
    /// TLS.
    Tls,
    /// Bytes.
    Tcp,
    /// The protocol of `MySQL`, whose server speaks first: bytes.
    Mysql,
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum PassthroughDestination {
    /// To one address.
    Address {
        /// The address.
        ip: IpAddr,
    },
    /// To an address that begins with these bits.
    Range {
        /// The bits, followed by zeros.
        network: IpAddr,
        /// How many.
        length: u8,
    },
    /// To one name.
    Domain {
        /// In lower case.
        name: String,
    },
    /// To a name below this one; of the empty name, to any.
    Subdomains {
        /// In lower case.
        of: String,
    },
}
