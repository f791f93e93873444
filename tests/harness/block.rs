//! A block of loopback addresses that belongs to one mesh, so that several run side by side.
//!
//! Never leaves 127.0.0.0/8, and never takes a block that another process holds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// What examples write.
const WRITTEN: &str = "127.0.0.";
/// The host of a block whose port is held for as long as the block is.
const LOCK: (u8, u16) = (254, 5_679);
/// The blocks that are tried: 127.16.0. to 127.127.255.
const BLOCKS: u32 = 112 * 256;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// 127.x.y.0/24, ours until it is dropped.
#[derive(Debug)]
pub struct Block {
    second: u8,
    third: u8,
    _lock: Option<TcpListener>,
}

impl Block {
    /// A block that nobody holds. Where the search begins differs from process to process.
    #[must_use]
    pub fn claim() -> Self {
        let begin = std::process::id().wrapping_mul(97);
        for _ in 0..64 {
            let number = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
            let (second, third) = (number / 256 + 16, number % 256);
            let (second, third) = (
                u8::try_from(second).unwrap_or(16),
                u8::try_from(third).unwrap_or(0),
            );
            let lock = SocketAddr::new(host(second, third, LOCK.0), LOCK.1);
            if let Ok(lock) = TcpListener::bind(lock) {
                return Self {
                    second,
                    third,
                    _lock: Some(lock),
                };
            }
        }
        panic!("64 blocks of loopback addresses in a row are taken");
    }

    /// The addresses as the examples write them, for a mesh that a person looks at.
    #[must_use]
    pub fn as_written() -> Self {
        Self {
            second: 0,
            third: 0,
            _lock: None,
        }
    }

    /// Host `last` of the block.
    #[must_use]
    pub fn ip(&self, last: u8) -> IpAddr {
        host(self.second, self.third, last)
    }

    /// `text` with its loopback addresses moved into the block.
    #[must_use]
    pub fn rewrite(&self, text: &str) -> String {
        text.replace(WRITTEN, &format!("127.{}.{}.", self.second, self.third))
    }

    /// A socket address as an example writes it, moved into the block.
    #[must_use]
    pub fn address(&self, written: &str) -> SocketAddr {
        self.rewrite(written)
            .parse()
            .unwrap_or_else(|error| panic!("`{written}` is not an address: {error}"))
    }
}

fn host(second: u8, third: u8, last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, second, third, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_held_by_one() {
        let (one, other) = (Block::claim(), Block::claim());
        assert_ne!(one.ip(1), other.ip(1));
        let again = TcpListener::bind((one.ip(LOCK.0), LOCK.1));
        assert!(again.is_err(), "the block is not held");
    }

    #[test]
    fn addresses_move_into_the_block() {
        let block = Block::claim();
        let moved = block.address("127.0.0.11:80");
        assert_eq!(moved.ip(), block.ip(11));
        assert_eq!(Block::as_written().rewrite("127.0.0.11"), "127.0.0.11");
    }
}
