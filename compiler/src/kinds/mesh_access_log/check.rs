//! What a `MeshAccessLog` must hold (language 5.11).
//!
//! Never opens what it names.

use serde_json::Value;

use crate::diag::{Code, Pointer};
use crate::kinds::target_ref::TargetRef;
use crate::kinds::telemetry_ref::TelemetryRef;
use crate::kinds::{Check, conf, grammar};

use super::{
    KeyValue, LogBackend, LogBackendType, LogConf, LogFormat, LogFormatType, LogTelemetry,
    MeshAccessLog, format,
};

impl MeshAccessLog {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), !self.rules.is_empty(), check);
        let spec = Pointer::default();
        let items = [
            ("to", !self.to.is_empty()),
            ("rules", !self.rules.is_empty()),
        ];
        conf::any_of(&items, &spec, check);
        if items.iter().all(|(_, set)| *set) {
            let message = "`to` and `rules` cannot both be set in one policy";
            check
                .invalid(&spec, message)
                .help("make two policies of it");
        }
        for (index, to) in self.to.iter().enumerate() {
            let at = spec.field("to").index(index);
            let target = to.target_ref.as_ref();
            TargetRef::check_item(target, &at.field("targetRef"), super::KIND.to, check);
            LogConf::check(to.default.as_ref(), &at.field("default"), check);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let at = spec.field("rules").index(index);
            for (index, one) in rule.matches.iter().enumerate() {
                one.check(&at.field("matches").index(index), check);
            }
            LogConf::check(rule.default.as_ref(), &at.field("default"), check);
        }
    }
}

impl LogConf {
    fn check(conf: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let at = at.field("backends");
        let Some(backends) = conf.and_then(|conf| conf.backends.as_ref()) else {
            check.missing(&at).help("`[]` is no log");
            return;
        };
        for (index, backend) in backends.iter().enumerate() {
            backend.check(&at.index(index), check);
        }
    }
}

impl LogBackend {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `Tcp`, `File`, `OpenTelemetry`");
            return;
        };
        let wanted = match kind {
            LogBackendType::Tcp => "tcp",
            LogBackendType::File => "file",
            LogBackendType::OpenTelemetry => "openTelemetry",
        };
        let members = [
            ("tcp", self.tcp.is_some()),
            ("file", self.file.is_some()),
            ("openTelemetry", self.open_telemetry.is_some()),
        ];
        conf::member_of(&format!("{kind:?}"), wanted, &members, at, check);
        if let Some(tcp) = &self.tcp {
            let at = at.field("tcp");
            let address_at = at.field("address");
            if let Some(address) = check.required(tcp.address.as_ref(), &address_at) {
                check_address(address, &address_at, check);
            }
            LogFormat::check(tcp.format.as_ref(), &at.field("format"), check);
        }
        if let Some(file) = &self.file {
            let at = at.field("file");
            let path_at = at.field("path");
            if let Some(path) = check.required(file.path.as_ref(), &path_at)
                && !grammar::is_file_path(path)
            {
                check.invalid(&path_at, format!("`{path}` is not the path of a file"));
            }
            LogFormat::check(file.format.as_ref(), &at.field("format"), check);
        }
        if let Some(telemetry) = &self.open_telemetry {
            telemetry.check(&at.field("openTelemetry"), check);
        }
    }
}

/// A host and a port. What older versions took for an address as well, a URL or a host alone, is told and not refused.
fn check_address(address: &str, at: &Pointer, check: &mut Check<'_>) {
    let (scheme, place) = match address.split_once("://") {
        Some((_, place)) => (true, place),
        None => (false, address),
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, Some(port)),
        _ => (place, None),
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let ports = |port: &str| port.parse::<u32>().is_ok_and(grammar::is_port);
    if !grammar::is_address(host) || host.contains('_') || port.is_some_and(|port| !ports(port)) {
        check
            .invalid(at, format!("`{address}` is not a host and a port"))
            .help("write it as `logs.example:514`");
    } else if scheme || port.is_none() {
        let message = format!("nothing is sent to `{address}`, which is not a host and a port");
        check
            .warn(Code::NO_EFFECT, at, message)
            .help("write it as `logs.example:514`");
    }
}

impl LogTelemetry {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        TelemetryRef::check(self.backend_ref.as_ref(), &at.field("backendRef"), check);
        for (index, attribute) in self.attributes.iter().flatten().enumerate() {
            let at = at.field("attributes").index(index);
            if let Some(key) = check.required(attribute.key.as_ref(), &at.field("key"))
                && !is_attribute(key)
            {
                check.invalid(
                    &at.field("key"),
                    format!("`{key}` is not the name of an attribute"),
                );
            }
            attribute.check_value(&at, check);
        }
        if let Some(body) = &self.body {
            check_body(body, &at.field("body"), check);
        }
    }
}

/// Texts anywhere in the body of a record.
fn check_body(body: &Value, at: &Pointer, check: &mut Check<'_>) {
    match body {
        Value::String(text) => check_operators(text, at, check),
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                check_body(value, &at.index(index), check);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                check_body(value, &at.field(name), check);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `[a-z]([a-z0-9]|[._][a-z0-9])*`, and not one of the protocol's own.
fn is_attribute(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let words = key.split(['.', '_']);
    let whole = |word: &str| !word.is_empty() && word.bytes().all(plain);
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && words.into_iter().all(whole)
        && !key.starts_with("otel.")
}

impl LogFormat {
    fn check(format: Option<&Self>, at: &Pointer, check: &mut Check<'_>) {
        let Some(format) = format else {
            return;
        };
        let Some(kind) = format.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `Plain`, `Json`");
            return;
        };
        let wanted = match kind {
            LogFormatType::Plain => "plain",
            LogFormatType::Json => "json",
        };
        let members = [
            ("plain", format.plain.is_some()),
            ("json", format.json.is_some()),
        ];
        conf::member_of(&format!("{kind:?}"), wanted, &members, at, check);
        if let Some(plain) = &format.plain {
            let at = at.field("plain");
            if check.required(Some(plain), &at).is_some() {
                check_operators(plain, &at, check);
            }
        }
        if let Some(fields) = &format.json {
            let at = at.field("json");
            if fields.is_empty() {
                check
                    .invalid(&at, "a record without a field says nothing")
                    .help("give at least one field, or log nothing: `backends: []`");
            }
            for (index, field) in fields.iter().enumerate() {
                field.check(&at.index(index), check);
            }
        }
    }
}

impl KeyValue {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.required(self.key.as_ref(), &at.field("key"));
        self.check_value(at, check);
        let (Some(key), Some(value)) = (&self.key, &self.value) else {
            return;
        };
        let object = format!("{{\"{key}\": \"{value}\"}}");
        if serde_json::from_str::<Value>(&object).is_err() {
            let message = "the field would not be valid JSON";
            check
                .invalid(at, message)
                .help("quotes and backslashes need a backslash before them");
        }
    }

    fn check_value(&self, at: &Pointer, check: &mut Check<'_>) {
        let at = at.field("value");
        if let Some(value) = check.required(self.value.as_ref(), &at) {
            check_operators(value, &at, check);
        }
    }
}

/// Every operator has to be one that a record can say.
fn check_operators(text: &str, at: &Pointer, check: &mut Check<'_>) {
    let (_, problems) = format::read(text);
    for problem in problems {
        check.invalid(at, problem.message).help(problem.help);
    }
}
