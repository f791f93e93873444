//! A real sshd on this machine, without privileges, that serves repositories.
//!
//! Never reads or writes a key or a configuration of whoever runs the tests.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::Process;

const SSHD: &str = "/usr/sbin/sshd";
/// Where it locks itself in when it is started by root; a system that boots makes it.
const LOCKED_IN: &str = "/run/sshd";

/// One server. Stops when it is dropped.
#[derive(Debug)]
pub struct Sshd {
    directory: TempDir,
    address: SocketAddr,
    user: String,
    _process: Process,
}

impl Sshd {
    /// Lets the key `dev` in, and shows the key `host`, which stands in `known_hosts`. `None`, loudly, where there is no sshd.
    ///
    /// # Panics
    /// When it is there and does not start.
    #[expect(
        clippy::print_stderr,
        reason = "the test's own output is where it belongs"
    )]
    pub async fn start() -> Option<Self> {
        if !Path::new(SSHD).exists() {
            eprintln!("SKIPPED: {SSHD} is not installed (Debian: openssh-server)");
            return None;
        }
        let directory = TempDir::with_prefix("mesh-sshd-").expect("a temporary directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let user = Command::new("id").arg("-un").output().expect("id").stdout;
        let user = String::from_utf8_lossy(&user).trim().to_owned();
        if user == "root" {
            std::fs::create_dir_all(LOCKED_IN).expect("a directory for sshd");
        }
        let at = |name: &str| directory.path().join(name).display().to_string();
        for name in ["host", "dev"] {
            make_key(directory.path(), name);
        }
        let public = |name: &str| {
            let text = std::fs::read_to_string(at(&format!("{name}.pub")));
            text.expect("a public key")
        };
        std::fs::write(at("authorized"), public("dev")).expect("written");
        let known = format!("[127.0.0.1]:{} {}", address.port(), public("host"));
        std::fs::write(at("known_hosts"), known).expect("written");
        let settings = format!(
            "ListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n",
            at("host"),
            at("authorized"),
        );
        std::fs::write(at("sshd_config"), settings).expect("written");
        let mut command = Command::new(SSHD);
        command.args(["-D", "-e", "-f", &at("sshd_config")]);
        let process = Process::start("sshd", &mut command);
        let listens = |line: &crate::Line| line.to_string().contains("Server listening");
        process.log().find(0, "that it listens", listens).await;
        Some(Self {
            directory,
            address,
            user,
            _process: process,
        })
    }

    /// A file of its directory: `dev`, `known_hosts`, `authorized`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a repository on this machine.
    #[must_use]
    pub fn url(&self, repository: &Path) -> String {
        let (user, address) = (&self.user, self.address);
        format!("ssh://{user}@{address}{}", repository.display())
    }

    /// Another key, which nobody knows. Returns its public half.
    pub fn stranger(&self, name: &str) -> String {
        make_key(self.directory.path(), name);
        let public = self.file(&format!("{name}.pub"));
        std::fs::read_to_string(public).unwrap_or_default()
    }
}

fn make_key(directory: &Path, name: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
        .arg(directory.join(name))
        .status();
    assert!(made.is_ok_and(|made| made.success()), "ssh-keygen");
}
