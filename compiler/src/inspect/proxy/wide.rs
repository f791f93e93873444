//! What is effective for a proxy as a whole: metrics, traces, and what may leave the mesh.
//!
//! Never says anything of a feature that no policy is about.

use mesh_bundle::resource::{
    Application, Collector, CollectorProtocol, EndpointTls, EnvironmentMode, Metrics,
    MetricsBackend, NameMatch, Passthrough, PassthroughDestination, PassthroughMatch,
    PassthroughMode, PassthroughProtocol, Profile, PrometheusEndpoint, Tag, TagValue, Tracing,
    TracingBackend,
};
use mesh_bundle::{Key, ProxyWide, Sourced};

use crate::inspect::words;

use super::Telling;

impl Telling<'_> {
    pub(in crate::inspect) fn wide(&mut self, wide: &ProxyWide) {
        if let Some(metrics) = &wide.metrics {
            self.metrics(metrics);
        }
        if let Some(tracing) = &wide.tracing {
            self.tracing(tracing);
        }
        if let Some(passthrough) = &wide.passthrough {
            self.passthrough(passthrough);
        }
    }

    fn metrics(&mut self, metrics: &Metrics) {
        self.page.gap();
        self.page.line(0, "metrics");
        let unused = told(&metrics.include_unused, |shown| {
            match shown {
                true => "shown",
                false => "left out",
            }
            .to_owned()
        });
        self.value(1, "unused", &unused, &Key::Metrics, "includeUnused");
        for profile in &metrics.profiles {
            let profile = told(profile, |profile| self::profile(*profile).to_owned());
            self.value(1, "profile", &profile, &Key::Metrics, "profiles");
        }
        for (field, names) in [("exclude", &metrics.exclude), ("include", &metrics.include)] {
            self.list(field, names.as_ref(), &Key::Metrics, field, name);
        }
        let applications = metrics.applications.as_ref();
        let place = "applications";
        self.list(
            "application",
            applications,
            &Key::Metrics,
            place,
            application,
        );
        let backends = metrics.backends.as_ref();
        self.list("backends", backends, &Key::Metrics, "backends", backend);
    }

    fn tracing(&mut self, tracing: &Tracing) {
        self.page.gap();
        self.page.line(0, "tracing");
        let backend = told(&tracing.backend, |backend| {
            backend.as_ref().map_or("none: off".to_owned(), spans)
        });
        self.value(1, "backend", &backend, &Key::Tracing, "backend");
        if tracing.backend.value.is_none() {
            return;
        }
        let sampling = &tracing.sampling;
        for (field, share) in [
            ("overall", &sampling.overall),
            ("client", &sampling.client),
            ("random", &sampling.random),
        ] {
            let share = told(share, |parts| words::percent(u64::from(*parts), 1_000_000));
            let place = format!("sampling/{field}");
            self.value(1, field, &share, &Key::Tracing, &place);
        }
        self.list("tags", tracing.tags.as_ref(), &Key::Tracing, "tags", tag);
    }

    fn passthrough(&mut self, passthrough: &Passthrough) {
        self.page.gap();
        self.page.line(0, "passthrough");
        let mode = told(&passthrough.mode, |mode| {
            match mode {
                PassthroughMode::All => "everything",
                PassthroughMode::Matched => "what is listed",
                PassthroughMode::None => "nothing",
            }
            .to_owned()
        });
        self.value(1, "may leave", &mode, &Key::Passthrough, "mode");
        for (index, entry) in passthrough.matches.iter().enumerate() {
            let text = format!("{:<11} {}", index + 1, leaving(entry));
            self.page.noted(1, &text, &entry.origin);
        }
    }

    /// A list that one policy sets as a whole.
    fn list<T>(
        &mut self,
        name: &str,
        list: Option<&Sourced<Vec<T>>>,
        key: &Key,
        place: &str,
        words: impl Fn(&T) -> String,
    ) {
        let Some(list) = list else { return };
        let line = told(list, |list| match list.is_empty() {
            true => "none".to_owned(),
            false => list.iter().map(&words).collect::<Vec<_>>().join(", "),
        });
        self.value(1, name, &line, key, place);
    }
}

fn told<T>(value: &Sourced<T>, words: impl Fn(&T) -> String) -> Sourced<String> {
    Sourced {
        value: words(&value.value),
        origin: value.origin.clone(),
    }
}

fn profile(profile: Profile) -> &'static str {
    match profile {
        Profile::All => "All",
        Profile::Basic => "Basic",
        Profile::None => "None",
    }
}

fn name(name: &NameMatch) -> String {
    match name {
        NameMatch::Exact(text) => text.clone(),
        NameMatch::Prefix(text) => format!("{text}*"),
        NameMatch::Contains(text) => format!("*{text}*"),
        NameMatch::Regex(text) => format!("~ {text}"),
    }
}

fn application(application: &Application) -> String {
    let Application {
        name,
        address,
        port,
        path,
    } = application;
    let url = format!("{address}:{port}{path}");
    name.as_ref()
        .map_or(url.clone(), |name| format!("{name} at {url}"))
}

fn backend(backend: &MetricsBackend) -> String {
    match backend {
        MetricsBackend::Prometheus(endpoint) => prometheus(endpoint),
        MetricsBackend::OpenTelemetry {
            collector,
            interval,
        } => format!("{} every {interval}", self::collector(collector)),
    }
}

fn prometheus(endpoint: &PrometheusEndpoint) -> String {
    let tls = match endpoint.tls {
        EndpointTls::Disabled => "",
        EndpointTls::Provided => " with a given certificate",
        EndpointTls::Identity => " with mTLS",
    };
    let client = endpoint.client_id.as_ref();
    let client = client.map_or_else(String::new, |client| format!(" for {client}"));
    format!(
        "prometheus :{}{}{tls}{client}",
        endpoint.port, endpoint.path
    )
}

fn spans(backend: &TracingBackend) -> String {
    match backend {
        TracingBackend::OpenTelemetry { collector } => self::collector(collector),
        TracingBackend::Zipkin { url, .. } => format!("zipkin {url}"),
        TracingBackend::Datadog { url, .. } => format!("datadog {url}"),
    }
}

fn collector(collector: &Collector) -> String {
    let protocol = match collector.protocol {
        CollectorProtocol::Grpc => "grpc",
        CollectorProtocol::Http => "http",
    };
    let place = match &collector.address {
        Some(address) => format!("{address}:{}{}", collector.port, collector.path),
        None => "where the environment says".to_owned(),
    };
    let environment = match collector.environment.mode {
        EnvironmentMode::Required => " (environment required)",
        EnvironmentMode::Optional | EnvironmentMode::Disabled => "",
    };
    let name = collector.kri.name();
    format!("collector {name}, {protocol} {place}{environment}")
}

fn tag(tag: &Tag) -> String {
    match &tag.value {
        TagValue::Literal { text } => format!("{} {text}", tag.name),
        TagValue::Header { name, default } => {
            let default = default.as_ref();
            let default = default.map_or_else(String::new, |text| format!(" or {text}"));
            format!("{} of header {name}{default}", tag.name)
        }
    }
}

fn leaving(entry: &PassthroughMatch) -> String {
    let protocol = match entry.protocol {
        PassthroughProtocol::Tls => "tls",
        PassthroughProtocol::Tcp => "tcp",
        PassthroughProtocol::Mysql => "mysql",
        PassthroughProtocol::Http => "http",
        PassthroughProtocol::Http2 => "http2",
        PassthroughProtocol::Grpc => "grpc",
    };
    let to = match &entry.destination {
        PassthroughDestination::Address { ip } => ip.to_string(),
        PassthroughDestination::Range { network, length } => format!("{network}/{length}"),
        PassthroughDestination::Domain { name } => name.clone(),
        PassthroughDestination::Subdomains { of } if of.is_empty() => "*".to_owned(),
        PassthroughDestination::Subdomains { of } => format!("*.{of}"),
    };
    let port = entry.port;
    let port = port.map_or_else(|| "any port".to_owned(), |port| format!("port {port}"));
    format!("{protocol} to {to}, {port}")
}
