//! What the serial number of a workload's certificate tells: which Dataplane it was issued to, and when.
//!
//! Never a secret and never a name: an [`Instance`] is a digest, so that one entry of a list revokes everything that a
//! Dataplane was ever given, without a list of what that was.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// Bytes of a serial number: the most that X.509 admits (RFC 5280, section 4.1.2.2).
pub const SERIAL_BYTES: usize = 20;
/// How many of them are random: no two are the same, and nobody knows the next.
pub const RANDOM_BYTES: usize = 7;
const INSTANCE_BYTES: usize = 8;
const TIME_BYTES: usize = 5;
/// What a serial number can tell of a time: the year 36812.
const LATEST: u64 = (1 << (8 * TIME_BYTES)) - 1;

/// One Dataplane of a mesh, in serial numbers: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Instance([u8; INSTANCE_BYTES]);

/// What is not the text of an [`Instance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("16 hexadecimal digits are due")]
pub struct MalformedInstance;

/// Certificates that nobody believes any more, although they have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Revoked {
    /// The Dataplane that they were issued to.
    pub instance: Instance,
    /// All that were issued until then, in seconds since 1970.
    pub until: u64,
}

impl Instance {
    /// Of the Dataplane of that name.
    #[must_use]
    pub fn of(mesh: &str, dataplane: &str) -> Self {
        let digest = Digest::of(format!("svid\n{mesh}\n{dataplane}").as_bytes());
        let mut bytes = [0; INSTANCE_BYTES];
        for (place, byte) in bytes.iter_mut().zip(digest.as_bytes()) {
            *place = *byte;
        }
        // It begins a serial number, which is neither negative nor shorter than others.
        bytes[0] = (bytes[0] & 0x7f) | 0x40;
        Self(bytes)
    }

    /// The serial number of a certificate that is issued to it at that time, in seconds since 1970.
    #[must_use]
    pub fn serial(self, issued: u64, random: [u8; RANDOM_BYTES]) -> [u8; SERIAL_BYTES] {
        let time = issued.min(LATEST).to_be_bytes();
        let time = time.iter().skip(time.len() - TIME_BYTES);
        let all = self.0.iter().chain(time).chain(&random);
        let mut serial = [0; SERIAL_BYTES];
        for (place, byte) in serial.iter_mut().zip(all) {
            *place = *byte;
        }
        serial
    }
}

impl Revoked {
    /// Is a certificate with this serial number in such a list, which is sorted?
    #[must_use]
    pub fn covers(list: &[Self], serial: &[u8]) -> bool {
        let Some((instance, issued)) = read(serial) else {
            return false;
        };
        let found = list.binary_search_by(|revoked| revoked.instance.cmp(&instance));
        let found = found.ok().and_then(|index| list.get(index));
        found.is_some_and(|revoked| issued <= revoked.until)
    }
}

/// `None`: it was not issued by meshd.
fn read(serial: &[u8]) -> Option<(Instance, u64)> {
    let serial: &[u8; SERIAL_BYTES] = serial.try_into().ok()?;
    let (instance, rest) = serial.split_first_chunk()?;
    let (time, _) = rest.split_first_chunk::<TIME_BYTES>()?;
    let time = time
        .iter()
        .fold(0, |time, byte| time << 8 | u64::from(*byte));
    Some((Instance(*instance), time))
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl From<Instance> for String {
    fn from(instance: Instance) -> Self {
        instance.to_string()
    }
}

impl TryFrom<String> for Instance {
    type Error = MalformedInstance;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for Instance {
    type Err = MalformedInstance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * INSTANCE_BYTES || !text.bytes().all(digit) {
            return Err(MalformedInstance);
        }
        let number = u64::from_str_radix(text, 16).map_err(|_| MalformedInstance)?;
        Ok(Self(number.to_be_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_tells_whose_it_is_and_since_when() {
        let (web, api) = (Instance::of("shop", "web-1"), Instance::of("shop", "api-1"));
        assert_ne!(web, api);
        assert_ne!(web, Instance::of("shop\nweb", "1"));
        let serial = web.serial(1_800_000_000, [0xff; RANDOM_BYTES]);
        // Positive, and as long as all others.
        assert!((0x40..0x80).contains(&serial[0]));
        assert_eq!(read(&serial), Some((web, 1_800_000_000)));
        assert_eq!(read(&serial[1..]), None);
        assert_eq!(
            read(&api.serial(u64::MAX, [0; RANDOM_BYTES])).unwrap().1,
            LATEST
        );
    }

    #[test]
    fn what_was_issued_until_then_is_revoked() {
        let names = ["a", "b", "c", "d"].map(|name| Instance::of("shop", name));
        let [a, b, c, d] = names;
        let revoked = |instance| Revoked {
            instance,
            until: 1_000,
        };
        let mut list = [a, b, c].map(revoked);
        list.sort();
        for instance in [a, b, c] {
            let serial = |issued| instance.serial(issued, [1; RANDOM_BYTES]);
            assert!(Revoked::covers(&list, &serial(0)));
            assert!(Revoked::covers(&list, &serial(1_000)));
            assert!(!Revoked::covers(&list, &serial(1_001)));
        }
        assert!(!Revoked::covers(&list, &d.serial(1, [1; RANDOM_BYTES])));
        assert!(!Revoked::covers(&list, &[1; 16]));
        assert!(!Revoked::covers(&[], &a.serial(1, [1; RANDOM_BYTES])));
    }

    #[test]
    fn its_text_is_read_again() {
        let instance = Instance::of("shop", "web-1");
        assert_eq!(instance.to_string().parse(), Ok(instance));
        for bad in [
            "",
            "00",
            "0123456789abcdeF",
            "0123456789abcdef0",
            "+123456789abcdef",
        ] {
            assert_eq!(bad.parse::<Instance>(), Err(MalformedInstance), "{bad}");
        }
    }
}
