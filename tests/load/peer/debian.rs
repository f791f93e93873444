//! nginx and `HAProxy`, as Debian packages them.
//!
//! Never installed by us: they are found on the `PATH`, or named as missing.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::Pair;
use crate::app::{HOST, Service};
use crate::certificates::{Certificates, NAME};
use crate::process::{Process, run};

fn addresses(octet: u8, services: &[Service]) -> Vec<(Service, SocketAddr)> {
    let address = |service: &Service| {
        let port = 10_080 + service.offset();
        (*service, ([127, 83, octet, 11], port).into())
    };
    services.iter().map(address).collect()
}

/// Without the module for streams, which is a package of its own.
pub(super) fn nginx(certificates: &Certificates, directory: &Path) -> Result<Pair> {
    let file = |name: &str| certificates.path(name);
    let mut processes = Vec::new();
    for role in ["client", "server"] {
        let (down, up, from, to) = match role {
            "client" => (
                "127.83.30.11".to_owned(),
                "127.83.30.21".to_owned(),
                10_080,
                9_080,
            ),
            _ => ("127.83.30.21".to_owned(), HOST.to_string(), 9_080, 8_080),
        };
        let (ca, leaf, key) = (
            file("ca.pem"),
            file(&format!("{role}.pem")),
            file(&format!("{role}.key")),
        );
        let client = role == "client";
        let ours = |kind: &str| match client {
            true => format!(
                "{kind}_ssl_certificate {leaf}; {kind}_ssl_certificate_key {key}; {kind}_ssl_trusted_certificate {ca}; \
                 {kind}_ssl_verify on; {kind}_ssl_name {NAME}; {kind}_ssl_protocols TLSv1.3;"
            ),
            false => String::new(),
        };
        let (tls, asked) = match client {
            true => ("", String::new()),
            false => (
                " ssl",
                format!(
                    "ssl_certificate {leaf}; ssl_certificate_key {key}; ssl_client_certificate {ca}; ssl_verify_client on; ssl_protocols TLSv1.3;"
                ),
            ),
        };
        let s = if client { "s" } else { "" };
        let text = format!(
            "daemon off; master_process off; error_log stderr notice; pid {pid}; events {{ worker_connections 8192; }}\n\
             http {{ access_log off; keepalive_requests 1000000000; {temporary}\n\
             upstream http {{ server {up}:{to}; keepalive 128; keepalive_requests 1000000000; }}\n\
             upstream grpc {{ server {up}:{}; keepalive 128; keepalive_requests 1000000000; }}\n\
             server {{ listen {down}:{from}{tls}; {asked} location / {{ proxy_pass http{s}://http; proxy_http_version 1.1; proxy_set_header Connection \"\"; {} }} }}\n\
             server {{ listen {down}:{}{tls} http2; {asked} location / {{ grpc_pass grpc{s}://grpc; {} }} }} }}\n",
            to + 1,
            ours("proxy"),
            from + 1,
            ours("grpc"),
            pid = directory.join(format!("nginx-{role}.pid")).display(),
            temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|of| format!("{of}_temp_path {};", directory.join(of).display()))
                .concat(),
        );
        let path = directory.join(format!("nginx-{role}.conf"));
        std::fs::write(&path, text)?;
        let mut command = Command::new("nginx");
        command
            .arg("-c")
            .arg(&path)
            .args(["-e", "stderr"])
            .arg("-p")
            .arg(directory);
        let process = Process::start(&format!("nginx-{role}"), &mut command, directory);
        let process = process.context("not on the PATH")?;
        // The last line before it serves.
        process.says("getrlimit")?;
        processes.push(process);
    }
    Pair::new(
        "nginx",
        processes,
        addresses(30, &[Service::Http, Service::Grpc]),
    )
}

pub(super) fn haproxy(certificates: &Certificates, directory: &Path) -> Result<Pair> {
    let mut processes = Vec::new();
    let ca = certificates.path("ca.pem");
    for role in ["client", "server"] {
        let (down, up, from, to) = match role {
            "client" => (
                "127.83.40.11".to_owned(),
                "127.83.40.21".to_owned(),
                10_080,
                9_080,
            ),
            _ => ("127.83.40.21".to_owned(), HOST.to_string(), 9_080, 8_080),
        };
        let both = certificates.path(&format!("{role}.both.pem"));
        let client = role == "client";
        let mut text = "global\n  nbthread 1\n  maxconn 8000\n  ssl-default-bind-options ssl-min-ver TLSv1.3\n\
             defaults\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n  retries 5\n"
            .to_owned();
        for service in Service::ALL {
            let (name, offset) = (service.name(), service.offset());
            let mode = if service == Service::Tcp {
                "tcp"
            } else {
                "http"
            };
            let two = service == Service::Grpc;
            let alpn = if two { " alpn h2" } else { "" };
            let plain = if two { " proto h2" } else { "" };
            let (bind, server) = match client {
                true => (
                    plain.to_owned(),
                    format!(" ssl crt {both} ca-file {ca} verify required verifyhost {NAME}{alpn}"),
                ),
                false => (
                    format!(" ssl crt {both} ca-file {ca} verify required{alpn}"),
                    plain.to_owned(),
                ),
            };
            text += &format!(
                "frontend {name}\n  mode {mode}\n  bind {down}:{}{bind}\n  default_backend {name}\n\
                 backend {name}\n  mode {mode}\n  server one {up}:{}{server}\n",
                from + offset,
                to + offset,
            );
            if service == Service::Http {
                text += "  http-reuse always\n";
            }
        }
        let path = directory.join(format!("haproxy-{role}.cfg"));
        std::fs::write(&path, text)?;
        // It says nothing when it is ready, but everything when it cannot be.
        run(Command::new("haproxy").arg("-c").arg("-f").arg(&path))
            .context("not on the PATH, or")?;
        let mut command = Command::new("haproxy");
        command.args(["-db", "-f"]).arg(&path);
        processes.push(Process::start(
            &format!("haproxy-{role}"),
            &mut command,
            directory,
        )?);
    }
    let pair = Pair::new("HAProxy", processes, addresses(40, &Service::ALL))?;
    Ok(pair)
}
