//! Hosts of their own on one machine: network namespaces on one bridge, as machines on one switch.
//!
//! Never needed: it takes root and the programs `ip` and `nft`, and says so where they are missing.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// To connect within a host.
const CONNECT: Duration = Duration::from_secs(10);

/// A switch, and the machine that it is in. Taken down when it is dropped.
#[derive(Debug)]
pub struct Network {
    bridge: String,
    number: u8,
}

/// A host on a [`Network`]. Taken down when it is dropped.
#[derive(Debug)]
pub struct Host {
    name: String,
    address: Ipv4Addr,
}

impl Network {
    /// Sets one up.
    ///
    /// # Errors
    /// What this machine lacks.
    pub fn begin() -> Result<Self, String> {
        run("nft", &["list", "tables"])?;
        let id = std::process::id();
        let count = NEXT.fetch_add(1, Ordering::Relaxed);
        // 10.213.0.0 to 10.213.255.0: unlikely to be anybody's, and one for each network of each process.
        let number = u8::try_from((id + count) % 256).unwrap_or_default();
        let network = Self {
            bridge: format!("mesh{number}"),
            number,
        };
        run("ip", &["link", "add", &network.bridge, "type", "bridge"])?;
        let address = format!("{}/24", network.gateway());
        run("ip", &["address", "add", &address, "dev", &network.bridge])?;
        let address = format!("{}/64", network.address_six(1));
        let six = ["address", "add", &address, "dev", &network.bridge, "nodad"];
        run("ip", &six)?;
        run("ip", &["link", "set", &network.bridge, "up"])?;
        Ok(network)
    }

    /// The address of the machine itself.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, host)
    }

    /// The same of version 6.
    #[must_use]
    pub fn address_six(&self, host: u8) -> Ipv6Addr {
        Ipv6Addr::new(0xfd13, 0, 0, self.number.into(), 0, 0, 0, host.into())
    }

    /// Adds a host. Its name server is the machine itself.
    ///
    /// # Panics
    /// When that cannot be done, though the network could.
    #[must_use]
    pub fn host(&self, host: u8) -> Host {
        let name = format!("{}-{host}", self.bridge);
        let address = self.address(host);
        let (inside, outside) = ("eth0", format!("{}v{host}", self.bridge));
        let (with_length, gateway) = (format!("{address}/24"), self.gateway().to_string());
        let six = format!("{}/64", self.address_six(host));
        let steps: [&[&str]; 9] = [
            &["netns", "add", &name],
            &[
                "link", "add", &outside, "type", "veth", "peer", "name", inside, "netns", &name,
            ],
            &["link", "set", &outside, "master", &self.bridge, "up"],
            &["-n", &name, "address", "add", &with_length, "dev", inside],
            &["-n", &name, "address", "add", &six, "dev", inside, "nodad"],
            &["-n", &name, "link", "set", "lo", "up"],
            &["-n", &name, "link", "set", inside, "up"],
            &["-n", &name, "route", "add", "default", "via", &gateway],
            &["-n", &name, "address", "show"],
        ];
        for step in steps {
            run("ip", step).unwrap_or_else(|error| panic!("a host of the network: {error}"));
        }
        // What `ip netns exec` shows as `/etc/resolv.conf`.
        let own = Path::new("/etc/netns").join(&name);
        std::fs::create_dir_all(&own).expect("a directory of the host");
        let text = format!("nameserver {gateway}\n");
        std::fs::write(own.join("resolv.conf"), text).expect("its name server");
        Host { name, address }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = run("ip", &["link", "delete", &self.bridge]);
    }
}

impl Host {
    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// A port of it.
    #[must_use]
    pub fn port(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.address.into(), port)
    }

    /// The words that a program is started with, to run there as another user.
    #[must_use]
    pub fn words(&self, user: u32) -> Vec<String> {
        let (name, user) = (self.name.as_str(), user.to_string());
        let words = [
            "ip",
            "netns",
            "exec",
            name,
            "setpriv",
            "--reuid",
            &user,
            "--clear-groups",
            "--",
        ];
        words.map(str::to_owned).to_vec()
    }

    /// Runs a program there as root, and returns what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, program: &Path, words: &[&str]) -> String {
        let program = program.to_string_lossy();
        let all = [&["netns", "exec", &self.name, &program], words].concat();
        run("ip", &all).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Listens there.
    ///
    /// # Panics
    /// When the address is taken.
    #[must_use]
    pub fn listen(&self, port: u16) -> std::net::TcpListener {
        self.listen_at(self.port(port))
    }

    /// The same at any of its addresses.
    ///
    /// # Panics
    /// When it is taken.
    #[must_use]
    pub fn listen_at(&self, address: SocketAddr) -> std::net::TcpListener {
        self.inside(move || std::net::TcpListener::bind(address).expect("a free address"))
    }

    /// A connection from there, as a program of it would make one.
    ///
    /// # Errors
    /// What the host said.
    pub fn connect(&self, to: SocketAddr) -> std::io::Result<std::net::TcpStream> {
        self.inside(move || std::net::TcpStream::connect_timeout(&to, CONNECT))
    }

    /// A thread of its own enters the host; what it opens stays there.
    fn inside<T: Send + 'static>(&self, open: impl FnOnce() -> T + Send + 'static) -> T {
        let path = format!("/run/netns/{}", self.name);
        let thread = std::thread::spawn(move || {
            let namespace = std::fs::File::open(path).expect("the namespace");
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).expect("root may enter it");
            open()
        });
        thread.join().expect("the thread inside of the host")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "delete", &self.name]);
        let _ = std::fs::remove_dir_all(Path::new("/etc/netns").join(&self.name));
    }
}

fn run(program: &str, words: &[&str]) -> Result<String, String> {
    let told = || format!("{program} {}", words.join(" "));
    let output = Command::new(program).args(words).output();
    let output = output.map_err(|error| format!("{}: {error}", told()))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let why = String::from_utf8_lossy(&output.stderr);
            Err(format!("{}: {}", told(), why.trim()))
        }
    }
}
