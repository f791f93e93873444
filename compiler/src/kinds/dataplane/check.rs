//! What a Dataplane must hold (language 3.2.1).
//!
//! Never opens a port: whether an address is really there is known where the proxy runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::diag::{Code, Pointer};
use crate::kinds::{Check, grammar};

use super::{Dataplane, Gateway, Inbound, Networking, ServiceProbe};

/// `tls` and `mysql` are bytes to us, but other tools of this language let them through.
const PROTOCOLS: [&str; 6] = ["grpc", "http", "http2", "tcp", "tls", "mysql"];

impl Dataplane {
    /// Checks a proxy.
    pub(super) fn check(&self, check: &mut Check<'_>) {
        let at = Pointer::default().field("networking");
        match &self.networking {
            Some(networking) => networking.check(&at, check),
            None => {
                check.missing(&at);
            }
        }
    }
}

impl Networking {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check_address(self.address.as_ref(), &at.field("address"), check);
        for (index, inbound) in self.inbound.iter().enumerate() {
            let captured = self.transparent_proxying.is_some();
            let own = self.address.as_deref().unwrap_or_default();
            inbound.check(own, captured, &at.field("inbound").index(index), check);
        }
        for (index, outbound) in self.outbound.iter().enumerate() {
            outbound.check(&at.field("outbound").index(index), check);
        }
        if let Some(gateway) = &self.gateway {
            gateway.check(&at.field("gateway"), check);
            for (field, there) in [
                ("inbound", !self.inbound.is_empty()),
                ("listeners", !self.listeners.is_empty()),
            ] {
                if there {
                    let message = format!("a delegated gateway cannot have `{field}`");
                    check
                        .invalid(&at.field(field), message)
                        .help("what enters through a gateway does not pass its proxy");
                }
            }
        }
        if let Some(capture) = &self.transparent_proxying {
            capture.check(&at.field("transparentProxying"), check);
        }
        self.check_listeners(at, check);
        self.check_once(at, check);
        self.check_admin(&at.field("admin"), check);
    }

    fn check_listeners(&self, at: &Pointer, check: &mut Check<'_>) {
        let list = at.field("listeners");
        for (index, listener) in self.listeners.iter().enumerate() {
            let at = list.index(index);
            if listener.kind.is_none() {
                check
                    .missing(&at.field("type"))
                    .help("one of `ZoneIngress`, `ZoneEgress`");
            }
            check_address(listener.address.as_ref(), &at.field("address"), check);
            check.required_port(listener.port, &at.field("port"));
        }
        if !self.listeners.is_empty() {
            check.not_implemented(&list, "proxies between zones are not supported yet");
        }
    }

    /// Section names and addresses belong to one listener each.
    fn check_once(&self, at: &Pointer, check: &mut Check<'_>) {
        let mut names = BTreeSet::new();
        let mut addresses = BTreeMap::new();
        let own = self.address.as_deref().unwrap_or_default();
        let inbounds = self.inbound.iter().enumerate().map(|(index, inbound)| {
            let address = inbound.address.as_deref().unwrap_or(own);
            let at = at.field("inbound").index(index);
            (at, address, inbound.port, &inbound.name)
        });
        let listeners = self.listeners.iter().enumerate().map(|(index, listener)| {
            let address = listener.address.as_deref().unwrap_or_default();
            let at = at.field("listeners").index(index);
            (at, address, listener.port, &listener.name)
        });
        for (at, address, port, name) in inbounds.chain(listeners) {
            let Some(port) = port else {
                continue;
            };
            let first = addresses
                .entry((address, port))
                .or_insert_with(|| at.clone());
            let clash = *first != at;
            if clash {
                let first = check.meta.within(first);
                check
                    .error(
                        Code::PORT_CLASH,
                        &at.field("port"),
                        format!("`{address}:{port}` has a listener already"),
                    )
                    .related(first, "the other one");
            }
            let section = name.clone().unwrap_or_else(|| port.to_string());
            // Two without a name on one address and port are one mistake, not two.
            if !names.insert(section.clone()) && (name.is_some() || !clash) {
                let message =
                    format!("the name `{section}` must be unique across inbounds and listeners");
                let field = if name.is_some() { "name" } else { "port" };
                check
                    .invalid(&at.field(field), message)
                    .help("give each a `name` of its own");
            }
        }
        let mut outbounds = BTreeSet::new();
        for (index, outbound) in self.outbound.iter().enumerate() {
            let (address, port) = (outbound.address(), outbound.port);
            if port.is_some() && !outbounds.insert((address, port)) {
                let at = at.field("outbound").index(index).field("port");
                let message = format!(
                    "`{address}:{}` has a listener already",
                    port.unwrap_or_default()
                );
                check.error(Code::PORT_CLASH, &at, message);
            }
        }
    }

    fn check_admin(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(port) = self.admin.as_ref().and_then(|admin| admin.port) else {
            return;
        };
        let at = at.field("port");
        check.port(Some(port), &at);
        let own = self.address.as_deref().unwrap_or_default();
        let local = |address: &str| grammar::is_loopback(address) || grammar::is_any(address);
        // The workload may be in the way just as well as the proxy's own listener.
        let inbound = self.inbound.iter().any(|inbound| {
            let listens = inbound.address.as_deref().unwrap_or(own);
            let workload = inbound.service_address.as_deref().unwrap_or(listens);
            let serves = inbound.service_port.or(inbound.port);
            (inbound.port == Some(port) && local(listens))
                || (serves == Some(port) && local(workload))
        });
        let outbound = self
            .outbound
            .iter()
            .any(|outbound| outbound.port == Some(port) && local(outbound.address()));
        for (what, _) in [("inbound", inbound), ("outbound", outbound)]
            .into_iter()
            .filter(|(_, clash)| *clash)
        {
            let message = format!("the port `{port}` is that of an {what} on the loopback address");
            check.error(Code::PORT_CLASH, &at, message);
        }
        check.not_implemented(
            &at,
            "the port of the admin interface is set on the command line",
        );
    }
}

impl Inbound {
    fn check(&self, own: &str, captured: bool, at: &Pointer, check: &mut Check<'_>) {
        check.required_port(self.port, &at.field("port"));
        check.port(self.service_port, &at.field("servicePort"));
        check_ip(self.address.as_ref(), &at.field("address"), check);
        check_ip(
            self.service_address.as_ref(),
            &at.field("serviceAddress"),
            check,
        );
        let listens = self.address.as_deref().unwrap_or(own);
        let workload = self.service_address.as_deref().unwrap_or(listens);
        let same_port =
            self.service_port.unwrap_or_default() == 0 || self.service_port == self.port;
        if workload == listens && same_port && self.port.is_some() {
            let message = "the workload cannot have the address and port of the listener";
            let help = "set `servicePort` or `serviceAddress` to where the workload listens";
            if self.service_address.is_some() {
                check
                    .invalid(&at.field("serviceAddress"), message)
                    .help(help);
            } else if !captured {
                let message = "the listener has the address and port of the workload, which only works where traffic is captured";
                check.warn(Code::FORWARDS_TO_ITSELF, at, message).help(help);
            }
        }
        if let Some(name) = self.name.as_ref().filter(|name| !grammar::is_label(name)) {
            let message = format!("`{name}` is not a DNS label in lower case");
            check.invalid(&at.field("name"), message);
        }
        let known = |text: &&String| PROTOCOLS.contains(&text.to_ascii_lowercase().as_str());
        if let Some(protocol) = self.protocol.as_ref().filter(|text| !known(text)) {
            check
                .invalid(
                    &at.field("protocol"),
                    format!("`{protocol}` is not a protocol"),
                )
                .help("one of `grpc`, `http`, `http2`, `tcp`");
        }
        if let Some(probe) = &self.service_probe {
            probe.check(&at.field("serviceProbe"), check);
        }
    }
}

impl ServiceProbe {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let zeros = [
            (
                "interval",
                self.interval.is_some_and(|span| span.0.is_zero()),
            ),
            ("timeout", self.timeout.is_some_and(|span| span.0.is_zero())),
            ("unhealthyThreshold", self.unhealthy_threshold == Some(0)),
            ("healthyThreshold", self.healthy_threshold == Some(0)),
        ];
        for (field, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
            check.invalid(
                &at.field(field),
                format!("`{field}` must be more than zero"),
            );
        }
        if self.tcp.is_none() {
            let message = "without `tcp` the workload is not probed";
            check
                .warn(Code::NO_EFFECT, at, message)
                .help("add `tcp: {}`");
        }
    }
}

impl Gateway {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        match self.kind.as_deref() {
            None | Some("DELEGATED") => {}
            Some(other) => {
                let message = format!("`{other}` is not a type of gateway");
                check
                    .invalid(&at.field("type"), message)
                    .help("`DELEGATED`");
            }
        }
        let at = at.field("tags");
        // A tag without a value is not an absent one: it was written to say something.
        let written = check
            .raw
            .pointer("/networking/gateway/tags")
            .and_then(Value::as_object);
        let written: Vec<(String, bool)> = written
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.is_null() || value == ""))
            .collect();
        for (name, _) in written.iter().filter(|(_, empty)| *empty) {
            check.invalid(&at.field(name), format!("the tag `{name}` has no value"));
        }
        for (name, value) in &self.tags {
            let at = at.field(name);
            if !is_tag(name, b"._-:/") {
                check
                    .invalid(&at, format!("`{name}` is not the name of a tag"))
                    .help("letters, digits, `.`, `_`, `-`, `:` and `/`");
            }
            if !is_tag(value, b"._-:") {
                check
                    .invalid(&at, format!("`{value}` is not the value of a tag"))
                    .help("letters, digits, `.`, `_`, `-` and `:`");
            }
        }
        if !written.is_empty() && !written.iter().any(|(name, _)| name == "kuma.io/service") {
            let message = "the tag `kuma.io/service` is missing";
            check.error(Code::MISSING_FIELD, &at, message);
        }
        if let Some(protocol) = self
            .tags
            .get("kuma.io/protocol")
            .filter(|text| *text != "tcp" && !text.is_empty())
        {
            let message = format!("a gateway is `tcp` to the mesh, not `{protocol}`");
            check.invalid(&at.field("kuma.io/protocol"), message);
        }
    }
}

fn is_tag(text: &str, also: &[u8]) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

/// An address at which others reach the proxy.
fn check_address(address: Option<&String>, at: &Pointer, check: &mut Check<'_>) {
    let Some(address) = check.required(address, at) else {
        return;
    };
    if grammar::is_any(address) {
        let message = format!("`{address}` is not an address that others can connect to");
        check
            .invalid(at, message)
            .help("use the address of the machine");
    } else if !grammar::is_address(address) {
        check.invalid(
            at,
            format!("`{address}` is neither an IP address nor a DNS name"),
        );
    }
}

/// An address at which the proxy listens or the workload is.
pub(super) fn check_ip(address: Option<&String>, at: &Pointer, check: &mut Check<'_>) {
    if let Some(address) = address.filter(|address| !grammar::is_ip(address)) {
        check.invalid(at, format!("`{address}` is not an IP address"));
    }
}
