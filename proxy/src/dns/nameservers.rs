//! The name servers that the host asks.
//!
//! Never fails: a host without any has none.

use std::net::{IpAddr, SocketAddr};

/// Where the C library reads them.
const FILE: &str = "/etc/resolv.conf";
const PORT: u16 = 53;
/// Bytes of the file that are read: the C library takes three servers.
const MOST_BYTES: usize = 64 * 1024;

/// In the order in which they are asked.
pub(crate) fn of_the_host() -> Vec<SocketAddr> {
    let text = std::fs::read(FILE).unwrap_or_default();
    let text = text.get(..MOST_BYTES).unwrap_or(&text);
    read(&String::from_utf8_lossy(text))
}

fn read(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words
            .next()
            .filter(|word| *word == "nameserver")
            .and(words.next())?;
        // A zone (`fe80::1%eth0`) is for addresses of one link, which are not reached from here.
        let ip: IpAddr = address.parse().ok()?;
        Some(SocketAddr::new(ip, PORT))
    };
    text.lines().filter_map(server).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_file_of_the_c_library_is_read() {
        let text = "# nameserver 1.1.1.1\nsearch example\nnameserver 10.0.0.2\n nameserver\tfd00::2  # two\nnameserver fe80::1%eth0\nnameservers 10.0.0.3\nnameserver x\n";
        let found = super::read(text);
        let expected = ["10.0.0.2:53", "[fd00::2]:53"].map(|at| at.parse().unwrap());
        assert_eq!(found, expected);
    }
}
