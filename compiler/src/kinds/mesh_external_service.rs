//! `MeshExternalService`: something outside of the mesh, under a name of the mesh (language 3.4).
//!
//! Never says who may use it: nothing of the mesh receives at its end.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::diag::{Code, Pointer};

use super::data_source::{DataSource, DataSourceType};
use super::mesh_tls::TlsVersions;
use super::{Body, Check, KindInfo, Scope, Spec, certificate, conf, grammar, read, schema};

/// What the registry knows.
pub(crate) const KIND: KindInfo = KindInfo {
    name: "MeshExternalService",
    short: "extsvc",
    to: &[],
    example: include_str!("mesh_external_service/example.yaml"),
    scope: Scope::Mesh,
    body: Body::Spec,
    system_only: true,
    name_is_label: true,
    is_policy: false,
    schema: schema::of::<MeshExternalService>,
    parse: |body, check| {
        let spec: MeshExternalService = read::typed(body, check)?;
        spec.check(check);
        Some(Spec::MeshExternalService(Box::new(spec)))
    },
};

/// A service outside of the mesh: clients use its hostname and its one port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct MeshExternalService {
    /// What clients use. Required.
    pub(crate) r#match: Option<ExternalMatch>,
    /// Where it is. Without endpoints every request to it fails.
    #[serde(default)]
    pub(crate) endpoints: Vec<ExternalEndpoint>,
    /// TLS that the proxy of the client makes; the workload speaks plaintext.
    pub(crate) tls: Option<ExternalTls>,
    /// Not supported.
    pub(crate) extension: Option<ExternalExtension>,
}

/// What clients use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ExternalMatch {
    /// `HostnameGenerator`. Default: `HostnameGenerator`.
    #[serde(rename = "type")]
    pub(crate) kind: Option<ExternalMatchType>,
    /// The port, 1 to 65535. Required.
    pub(crate) port: Option<u32>,
    /// What is spoken: `tcp`, `grpc`, `http` or `http2`. Default: `tcp`.
    pub(crate) protocol: Option<ExternalProtocol>,
}

/// Where the name of a service comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum ExternalMatchType {
    /// From the generators that select it.
    HostnameGenerator,
}

/// What is spoken with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExternalProtocol {
    /// Bytes.
    Tcp,
    /// gRPC.
    Grpc,
    /// HTTP/1.1.
    Http,
    /// HTTP/2.
    Http2,
}

/// One address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ExternalEndpoint {
    /// An IP address or a DNS name. Required.
    pub(crate) address: Option<String>,
    /// 1 to 65535. Required.
    pub(crate) port: Option<u32>,
    /// 0 to 128. Higher numbers are used only when all lower ones are unhealthy. Default: 0.
    pub(crate) priority: Option<u32>,
}

/// TLS towards the endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ExternalTls {
    /// Does the proxy make TLS? Default: `false`.
    pub(crate) enabled: Option<bool>,
    /// Not supported: TLS 1.3 has no renegotiation.
    pub(crate) allow_renegotiation: Option<bool>,
    /// Versions of TLS.
    pub(crate) version: Option<TlsVersions>,
    /// How the server is verified.
    pub(crate) verification: Option<ExternalVerification>,
}

/// How the server is verified.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ExternalVerification {
    /// `Secured`: chain and name; `SkipSAN`: chain only; `SkipCA`: name only; `SkipAll`: nothing. Default: `Secured`.
    pub(crate) mode: Option<VerificationMode>,
    /// The name that is asked for and expected. Default: the first endpoint that has a DNS name.
    pub(crate) server_name: Option<String>,
    /// Names of which one must be in the certificate, instead of the server name.
    #[serde(default)]
    pub(crate) subject_alt_names: Vec<SubjectAltName>,
    /// The CAs, as PEM. Default: those of the system.
    pub(crate) ca_cert: Option<DataSource>,
    /// The certificate of the client, with `clientKey`.
    pub(crate) client_cert: Option<DataSource>,
    /// The key of the client, with `clientCert`.
    pub(crate) client_key: Option<DataSource>,
}

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum VerificationMode {
    /// Chain and name.
    Secured,
    /// The chain.
    #[serde(rename = "SkipSAN")]
    SkipSan,
    /// The name.
    #[serde(rename = "SkipCA")]
    SkipCa,
    /// Nothing.
    SkipAll,
}

/// A name that is expected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct SubjectAltName {
    /// `Exact` or `Prefix`. Default: `Exact`.
    #[serde(rename = "type")]
    pub(crate) how: Option<SubjectAltNameType>,
    /// The name. Required.
    pub(crate) value: Option<String>,
}

/// How a name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum SubjectAltNameType {
    /// The whole name.
    Exact,
    /// Its beginning.
    Prefix,
}

/// A hook of another product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub(crate) struct ExternalExtension {
    /// Which. Required.
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Its configuration.
    pub(crate) config: Option<Value>,
}

/// Groups of endpoints above this one are a mistake (language 3.4).
const MOST_PRIORITY: u32 = 128;

impl MeshExternalService {
    fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        let at = spec.field("match");
        match &self.r#match {
            Some(found) => check.required_port(found.port, &at.field("port")),
            None => {
                check.missing(&at);
            }
        }
        let at = spec.field("endpoints");
        if self.endpoints.is_empty() && self.extension.is_none() {
            let message = "a service without `endpoints` answers nothing";
            check.warn(Code::NO_EFFECT, &at, message);
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            endpoint.check(&at.index(index), check);
        }
        if let Some(tls) = &self.tls {
            tls.check(&spec.field("tls"), check);
        }
        if let Some(extension) = &self.extension {
            extension.check(&spec.field("extension"), check);
        }
    }
}

impl ExternalExtension {
    /// Comes last: what is written wrongly is told before what cannot be had.
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        check.required(self.kind.as_ref(), &at.field("type"));
        if check.errors() == 0 {
            let message = "extensions of a MeshExternalService are not supported";
            check
                .error(Code::UNSUPPORTED, at, message)
                .help("list its `endpoints`");
        }
    }
}

impl ExternalEndpoint {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let address_at = at.field("address");
        if let Some(address) = check.required(self.address.as_ref(), &address_at)
            && !grammar::is_address(address)
        {
            let message = format!("`{address}` is neither an IP address nor a DNS name");
            check.invalid(&address_at, message);
        }
        check.required_port(self.port, &at.field("port"));
        conf::between(
            self.priority,
            (0, MOST_PRIORITY),
            &at.field("priority"),
            check,
        );
    }
}

impl ExternalTls {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.allow_renegotiation == Some(true) {
            let at = at.field("allowRenegotiation");
            check
                .error(Code::UNSUPPORTED, &at, "renegotiation is not supported")
                .help("remove it: no version of TLS that is secure needs it");
        }
        if let Some(versions) = &self.version {
            versions.check(&at.field("version"), check);
        }
        if let Some(verification) = &self.verification {
            verification.check(&at.field("verification"), check);
        }
        let set = [
            ("version", self.version.is_some()),
            ("verification", self.verification.is_some()),
        ];
        for (name, _) in set
            .into_iter()
            .filter(|(_, set)| *set && self.enabled != Some(true))
        {
            let message =
                format!("`{name}` has no effect: the endpoints are spoken to without TLS");
            check
                .warn(Code::NO_EFFECT, &at.field(name), message)
                .help("set `enabled: true`");
        }
    }
}

impl ExternalVerification {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(name) = &self.server_name
            && !grammar::is_subdomain(name)
        {
            let message = format!("`{name}` is not a DNS name in lower case");
            check.invalid(&at.field("serverName"), message);
        }
        for (index, name) in self.subject_alt_names.iter().enumerate() {
            let at = at.field("subjectAltNames").index(index).field("value");
            check.required(name.value.as_ref(), &at);
        }
        let sources = [
            ("caCert", &self.ca_cert),
            ("clientCert", &self.client_cert),
            ("clientKey", &self.client_key),
        ];
        for (field, source) in sources {
            if let Some(source) = source {
                check_source(source, &at.field(field), check);
            }
        }
        self.check_used(at, check);
        let missing = match (&self.client_cert, &self.client_key) {
            (Some(_), None) => Some(("clientKey", "clientCert")),
            (None, Some(_)) => Some(("clientCert", "clientKey")),
            _ => None,
        };
        if let Some((missing, given)) = missing {
            let message = format!("`{missing}` must be set where `{given}` is");
            check.error(Code::MISSING_FIELD, &at.field(missing), message);
        }
        let inlined = self.ca_cert.as_ref().and_then(DataSource::inline);
        if let Some(Err(why)) = inlined.map(certificate::authorities) {
            let message = format!("{why}, so that the server is not believed");
            check.warn(Code::INVALID_VALUE, &at.field("caCert"), message);
        }
        let inline = |source: &DataSource| source.kind == Some(DataSourceType::InsecureInline);
        if self.client_key.as_ref().is_some_and(inline) {
            let message = "a private key stands in the repository";
            check
                .warn(Code::INLINE_SECRET, &at.field("clientKey"), message)
                .help("use `type: Secret`");
        }
    }

    /// What is given and not looked at.
    fn check_used(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(mode) = self.mode else { return };
        let (skips_chain, skips_names) = match mode {
            VerificationMode::Secured => (false, false),
            VerificationMode::SkipSan => (false, true),
            VerificationMode::SkipCa => (true, false),
            VerificationMode::SkipAll => (true, true),
        };
        let given = [
            ("caCert", skips_chain && self.ca_cert.is_some()),
            (
                "subjectAltNames",
                skips_names && !self.subject_alt_names.is_empty(),
            ),
        ];
        for (name, _) in given.into_iter().filter(|(_, unused)| *unused) {
            let message = format!("`{name}` has no effect: the mode does not look at it");
            check.warn(Code::NO_EFFECT, &at.field(name), message);
        }
    }
}

/// Proxies use it, so it cannot be a file or a variable of meshd.
fn check_source(source: &DataSource, at: &Pointer, check: &mut Check<'_>) {
    if let Some(kind @ (DataSourceType::EnvVar | DataSourceType::File)) = source.kind {
        let message =
            format!("`{kind:?}` is not possible here: it is a place on the host of meshd");
        check
            .invalid(&at.field("type"), message)
            .help("one of `Secret`, `InsecureInline`");
        return;
    }
    DataSource::check_required(Some(source), at, check);
}
