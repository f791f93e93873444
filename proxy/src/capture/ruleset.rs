//! The rules of the host by which traffic is captured, as `nft` reads them.
//!
//! Never about a table but our own: what else the host filters stays as it is.

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use super::SOURCE;

/// The name of our table.
const TABLE: &str = "inet mesh_proxy";

/// What is captured.
#[derive(Debug, Clone)]
pub(super) struct Ruleset<'a> {
    /// A name or number. Its traffic is not captured: it is the proxy.
    pub(super) proxy_user: &'a User,
    /// `None`: not captured.
    pub(super) inbound_port: Option<u16>,
    pub(super) outbound_port: Option<u16>,
    pub(super) dns_port: Option<u16>,
    /// Whose questions for names are captured: those that a resolver of the host passes on are not.
    pub(super) nameservers: &'a [IpAddr],
    pub(super) except_inbound_ports: &'a [u16],
    pub(super) except_outbound_ports: &'a [u16],
    pub(super) except_addresses: &'a [Range],
    /// What of this version of IP is left alone; `None`: neither.
    pub(super) without: Option<Family>,
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
}

/// The name or number of a user, in letters that mean nothing to `nft`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User(String);

/// An address, or the bits that addresses begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    network: IpAddr,
    length: u8,
}

/// Takes away whatever is there.
pub(super) fn removal() -> String {
    format!("table {TABLE} {{}}\ndelete table {TABLE}\n")
}

impl Display for Ruleset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One transaction: there is no moment without rules where there were some.
        write!(f, "{}table {TABLE} {{\n{}", removal(), self.outbound())?;
        if let Some(port) = self.inbound_port {
            write!(f, "\n{}", self.inbound(port))?;
        }
        f.write_str("}\n")
    }
}

impl Ruleset<'_> {
    fn outbound(&self) -> String {
        let user = &self.proxy_user.0;
        let mut rules = self.families();
        if let Some(port) = self.inbound_port {
            rules.push(
                "# A call of the workload to its own service comes in as any other.".to_owned(),
            );
            rules.push(format!(
                "meta skuid {user} oifname \"lo\" ip daddr != 127.0.0.0/8 ip saddr != {SOURCE} meta l4proto tcp redirect to :{port}"
            ));
            rules.push(format!(
                "meta skuid {user} oifname \"lo\" ip6 daddr != ::1 ip6 saddr != ::1 meta l4proto tcp redirect to :{port}"
            ));
        }
        rules.push(format!("meta skuid {user} return"));
        if let Some(port) = self.dns_port {
            for server in self.nameservers {
                let family = if server.is_ipv4() { "ip" } else { "ip6" };
                for protocol in ["udp", "tcp"] {
                    rules.push(format!(
                        "{family} daddr {server} {protocol} dport 53 redirect to :{port}"
                    ));
                }
            }
        }
        if let Some(port) = self.outbound_port {
            rules.push("oifname \"lo\" return".to_owned());
            rules.extend(except_ports(self.except_outbound_ports));
            let v4 = self
                .except_addresses
                .iter()
                .filter(|range| range.network.is_ipv4());
            rules.extend(v4.map(|range| format!("ip daddr {range} return")));
            let v6 = self
                .except_addresses
                .iter()
                .filter(|range| range.network.is_ipv6());
            rules.extend(v6.map(|range| format!("ip6 daddr {range} return")));
            rules.push(format!("meta l4proto tcp redirect to :{port}"));
        }
        chain("outbound", "output", &rules)
    }

    fn inbound(&self, port: u16) -> String {
        let mut rules = self.families();
        rules.push("# What this host passes on to others is not for its workload.".to_owned());
        rules.push("fib daddr type != local return".to_owned());
        rules.push("iifname \"lo\" return".to_owned());
        rules.extend(except_ports(self.except_inbound_ports));
        rules.push(format!("meta l4proto tcp redirect to :{port}"));
        chain("inbound", "prerouting", &rules)
    }

    fn families(&self) -> Vec<String> {
        let without = self.without.map(|family| match family {
            Family::Ipv4 => "meta nfproto ipv4 return".to_owned(),
            Family::Ipv6 => "meta nfproto ipv6 return".to_owned(),
        });
        without.into_iter().collect()
    }
}

fn except_ports(ports: &[u16]) -> Option<String> {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let some = !ports.is_empty();
    some.then(|| format!("tcp dport {{ {} }} return", ports.join(", ")))
}

fn chain(name: &str, hook: &str, rules: &[String]) -> String {
    let mut text =
        format!("\tchain {name} {{\n\t\ttype nat hook {hook} priority -100; policy accept;\n");
    for rule in rules {
        let _ = writeln!(text, "\t\t{rule}");
    }
    text.push_str("\t}\n");
    text
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        // `nft` knows a hyphen for ranges, and a name must not begin with one.
        let good = !text.is_empty() && text.len() <= 32 && text.bytes().all(plain);
        match good && !text.starts_with('-') {
            true if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Self(text.to_owned())),
            true => Ok(Self(format!("\"{text}\""))),
            false => Err("expected the name or the number of a user".to_owned()),
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "expected an address, or a range as in `10.0.0.0/8`".to_owned();
        let (network, length) = match text.split_once('/') {
            None => (text, None),
            Some((network, length)) => (network, Some(length)),
        };
        let network: IpAddr = network.parse().map_err(|_| bad())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(length) => length.parse().map_err(|_| bad())?,
        };
        match length <= most {
            true => Ok(Self { network, length }),
            false => Err(bad()),
        }
    }
}

impl Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_proxy_and_what_is_excepted_is_captured() {
        let user = "mesh-proxy".parse().unwrap();
        let ranges = [
            "10.9.0.0/16".parse().unwrap(),
            "2001:db8::1".parse().unwrap(),
        ];
        let ruleset = Ruleset {
            proxy_user: &user,
            inbound_port: Some(15_006),
            outbound_port: Some(15_001),
            dns_port: Some(15_053),
            nameservers: &["127.0.0.53".parse().unwrap(), "fd00::2".parse().unwrap()],
            except_inbound_ports: &[22],
            except_outbound_ports: &[25, 465],
            except_addresses: &ranges,
            without: None,
        };
        let expected = r#"table inet mesh_proxy {}
delete table inet mesh_proxy
table inet mesh_proxy {
	chain outbound {
		type nat hook output priority -100; policy accept;
		# A call of the workload to its own service comes in as any other.
		meta skuid "mesh-proxy" oifname "lo" ip daddr != 127.0.0.0/8 ip saddr != 127.0.0.6 meta l4proto tcp redirect to :15006
		meta skuid "mesh-proxy" oifname "lo" ip6 daddr != ::1 ip6 saddr != ::1 meta l4proto tcp redirect to :15006
		meta skuid "mesh-proxy" return
		ip daddr 127.0.0.53 udp dport 53 redirect to :15053
		ip daddr 127.0.0.53 tcp dport 53 redirect to :15053
		ip6 daddr fd00::2 udp dport 53 redirect to :15053
		ip6 daddr fd00::2 tcp dport 53 redirect to :15053
		oifname "lo" return
		tcp dport { 25, 465 } return
		ip daddr 10.9.0.0/16 return
		ip6 daddr 2001:db8::1/128 return
		meta l4proto tcp redirect to :15001
	}

	chain inbound {
		type nat hook prerouting priority -100; policy accept;
		# What this host passes on to others is not for its workload.
		fib daddr type != local return
		iifname "lo" return
		tcp dport { 22 } return
		meta l4proto tcp redirect to :15006
	}
}
"#;
        assert_eq!(ruleset.to_string(), expected);
    }

    #[test]
    fn a_direction_can_be_left_alone() {
        let user = "1337".parse().unwrap();
        let ruleset = Ruleset {
            proxy_user: &user,
            inbound_port: None,
            outbound_port: Some(1),
            dns_port: None,
            nameservers: &[],
            except_inbound_ports: &[],
            except_outbound_ports: &[],
            except_addresses: &[],
            without: Some(Family::Ipv6),
        };
        let rules = "\t\tmeta nfproto ipv6 return\n\t\tmeta skuid 1337 return\n\t\toifname \"lo\" return\n\t\tmeta l4proto tcp redirect to :1\n\t}\n}\n";
        let text = ruleset.to_string();
        assert!(text.ends_with(rules), "{text}");
    }

    #[test]
    fn what_could_be_a_rule_is_no_name() {
        for text in ["", "a b", "a;", "{", "-1", "a\"", "${X}"] {
            assert!(text.parse::<User>().is_err(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "a", "10.0.0.0/", "10.0.0.0/x"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
