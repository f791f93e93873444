//! Where a repository is that is reached by SSH: `ssh://git@host:2222/team/mesh.git`, or `git@host:team/mesh.git`.
//!
//! Never a part that another program could take for an option or for more than one word: what is odd is refused.

/// A repository at a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(super) user: Option<String>,
    /// A name or an IP address, without brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl Address {
    /// `None`: it is nothing that SSH reaches.
    pub(crate) fn parse(text: &str) -> Option<Result<Self, String>> {
        let (authority, path, is_url) = match text.strip_prefix("ssh://") {
            Some(rest) => {
                let at = rest.find('/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at(at);
                // As in git: `/~ada/mesh.git` is in the home of ada.
                let home = path.strip_prefix('/').filter(|path| path.starts_with('~'));
                (authority, home.unwrap_or(path), true)
            }
            None if text.contains("://") => return None,
            None => {
                // As git itself reads it: a colon before the first slash. An IPv6 address has colons of its own.
                let end = text
                    .find("]:")
                    .map(|at| at + 1)
                    .or_else(|| text.find(':'))?;
                let (authority, path) = text.split_at(end);
                if authority.is_empty() || authority.contains('/') {
                    return None;
                }
                (authority, path.strip_prefix(':').unwrap_or(path), false)
            }
        };
        let read = Self::of(authority, path, is_url);
        Some(read.map_err(|why| format!("`{}`: {why}", shown(text))))
    }

    fn of(authority: &str, path: &str, is_url: bool) -> Result<Self, &'static str> {
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or("the `[` has no `]`")?;
                (
                    host,
                    rest.strip_prefix(':').or((!rest.is_empty()).then_some("")),
                )
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        if port.is_some() && !is_url {
            return Err("say a port as in `ssh://git@host:2222/path`");
        }
        let port = port.map(str::parse).transpose();
        let port = port.map_err(|_| "the port is no number from 1 to 65535")?;
        if port == Some(0) {
            return Err("the port is no number from 1 to 65535");
        }
        let word = |text: &str| {
            let inside = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            !text.is_empty() && !text.starts_with(['-', '.']) && text.chars().all(inside)
        };
        let is_host = match place.starts_with('[') {
            true => host.parse::<std::net::Ipv6Addr>().is_ok(),
            false => word(host),
        };
        if !is_host {
            return Err("that is no name of a host");
        }
        if user.is_some_and(|user| user.contains(':')) {
            return Err("a password cannot stand in it: SSH wants a key");
        }
        if user.is_some_and(|user| !word(user)) {
            return Err("that is no name of a user");
        }
        if path.trim_matches('/').is_empty() || path.starts_with(['-', ':']) {
            return Err("that is no path of a repository");
        }
        if path.chars().any(char::is_control) {
            return Err("the path has control characters");
        }
        Ok(Self {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// What the server is to run: one word of a shell.
    pub(super) fn command(&self) -> String {
        // As git quotes it: also for shells in which `!` means something.
        let quoted = self.path.replace('\'', "'\\''").replace('!', "'\\!'");
        format!("git-upload-pack '{quoted}'")
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_by_ssh() {
        for (text, user, host, port, path) in [
            (
                "ssh://git@h.example/a/b.git",
                Some("git"),
                "h.example",
                None,
                "/a/b.git",
            ),
            ("ssh://h:2222/a", None, "h", Some(2222), "/a"),
            ("ssh://git@[::1]:22/a", Some("git"), "::1", Some(22), "/a"),
            ("ssh://h/~ada/mesh.git", None, "h", None, "~ada/mesh.git"),
            (
                "git@h.example:team/mesh.git",
                Some("git"),
                "h.example",
                None,
                "team/mesh.git",
            ),
            ("h:/srv/a b.git", None, "h", None, "/srv/a b.git"),
            ("git@[::1]:a", Some("git"), "::1", None, "a"),
        ] {
            let address = Address::parse(text).unwrap().unwrap();
            let found = (address.user.as_deref(), address.host.as_str(), address.port);
            assert_eq!(found, (user, host, port), "{text}");
            assert_eq!(address.path, path, "{text}");
        }
        for other in ["/srv/a:b", "./a:b", "a/b", "https://h/x:y", "file:///x"] {
            assert_eq!(Address::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_refused() {
        for (text, said) in [
            ("ssh://-oProxyCommand=touch/x", "no name of a host"),
            ("ssh://git@-oProxyCommand=x/y", "no name of a host"),
            ("ssh://-l@host/x", "no name of a user"),
            ("-oProxyCommand=x:y", "no name of a host"),
            ("git@-h:y", "no name of a host"),
            ("ssh://a b/x", "no name of a host"),
            ("ssh://h;id/x", "no name of a host"),
            ("ssh://$(id)/x", "no name of a host"),
            ("ssh:///x", "no name of a host"),
            ("ssh://git:word@host/x", "a password"),
            ("ssh://host:0/x", "the port"),
            ("ssh://host:22x/x", "the port"),
            ("ssh://host:/x", "the port"),
            ("ssh://[::1/x", "no `]`"),
            ("ssh://[::1]x/x", "the port"),
            ("ssh://[abc]/x", "no name of a host"),
            ("ssh://host", "no path"),
            ("ssh://host/", "no path"),
            ("host:-x", "no path"),
            ("host:a\nb", "control characters"),
        ] {
            let refused = Address::parse(text).unwrap().unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
    }

    #[test]
    fn the_path_is_one_word_for_the_shell_of_the_server() {
        let address = Address::parse("host:a'; touch b; '!c").unwrap().unwrap();
        let shell = address.command().replace("git-upload-pack", "printf %s");
        let said = std::process::Command::new("sh")
            .args(["-c", &shell])
            .output();
        assert_eq!(
            String::from_utf8_lossy(&said.unwrap().stdout),
            "a'; touch b; '!c"
        );
    }
}
