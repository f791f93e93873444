//! What a proxy needs to speak to what is outside of the mesh (language 3.4).
//!
//! Never copies a private key or the value of a Secret: the bundle says where they are.

use mesh_bundle::ValueSource;
use mesh_bundle::resource::External;
use mesh_bundle::resource::external::{
    Authorities, ClientCertificate, ExpectedName, ExternalEndpoint, TlsOrigination, TlsVersion,
    Verification,
};

use crate::kinds::data_source::{DataSource, DataSourceType};
use crate::kinds::grammar;
use crate::kinds::mesh_external_service::{
    ExternalTls, ExternalVerification, MeshExternalService, SubjectAltNameType, VerificationMode,
};
use crate::kinds::mesh_tls;

/// Where a service is, and how it is spoken to.
pub(super) fn external(spec: &MeshExternalService) -> External {
    let endpoints = spec.endpoints.iter().filter_map(|endpoint| {
        Some(ExternalEndpoint {
            address: endpoint.address.clone()?,
            port: u16::try_from(endpoint.port?).ok()?,
            priority: endpoint.priority.unwrap_or_default(),
        })
    });
    let endpoints: Vec<ExternalEndpoint> = endpoints.collect();
    let tls = spec.tls.as_ref().filter(|tls| tls.enabled == Some(true));
    External {
        tls: tls.map(|tls| origination(tls, &endpoints)),
        endpoints,
    }
}

fn origination(tls: &ExternalTls, endpoints: &[ExternalEndpoint]) -> TlsOrigination {
    let versions = tls.version.as_ref();
    let version = |version: Option<mesh_tls::TlsVersion>, auto| match version {
        Some(mesh_tls::TlsVersion::Tls13) => TlsVersion::Tls13,
        Some(mesh_tls::TlsVersion::Tls12) => TlsVersion::Tls12,
        // Older versions have been refused.
        _ => auto,
    };
    let verification = tls.verification.clone().unwrap_or_default();
    let names = endpoints.iter().map(|endpoint| &endpoint.address);
    let first = names.into_iter().find(|address| !grammar::is_ip(address));
    TlsOrigination {
        min_version: version(versions.and_then(|v| v.min), TlsVersion::Tls12),
        max_version: version(versions.and_then(|v| v.max), TlsVersion::Tls13),
        verification: match verification.mode {
            None | Some(VerificationMode::Secured) => Verification::Secured,
            Some(VerificationMode::SkipSan) => Verification::SkipNames,
            Some(VerificationMode::SkipCa) => Verification::SkipChain,
            Some(VerificationMode::SkipAll) => Verification::SkipAll,
        },
        server_name: verification.server_name.clone().or(first.cloned()),
        names: names_of(&verification),
        authorities: authorities(verification.ca_cert.as_ref()),
        client: client(&verification),
    }
}

fn names_of(verification: &ExternalVerification) -> Vec<ExpectedName> {
    let names = verification.subject_alt_names.iter();
    let name = |name: &crate::kinds::mesh_external_service::SubjectAltName| {
        let value = name.value.clone()?;
        Some(match name.how {
            None | Some(SubjectAltNameType::Exact) => ExpectedName::Exact(value),
            Some(SubjectAltNameType::Prefix) => ExpectedName::Prefix(value),
        })
    };
    names.filter_map(name).collect()
}

fn authorities(source: Option<&DataSource>) -> Authorities {
    match source {
        None => Authorities::System,
        Some(source) => match (source.inline(), secret(source)) {
            (Some(pem), _) => Authorities::Pem(pem.to_owned()),
            (None, Some(name)) => Authorities::Secret(name),
            // Neither is possible has been said; nobody is trusted then.
            (None, None) => Authorities::Pem(String::new()),
        },
    }
}

fn client(verification: &ExternalVerification) -> Option<ClientCertificate> {
    let found = |source: &DataSource, field: &str| match source.kind? {
        DataSourceType::Secret => secret(source).map(ValueSource::Secret),
        DataSourceType::InsecureInline => Some(ValueSource::Inline(inline_pointer(field))),
        DataSourceType::EnvVar | DataSourceType::File => None,
    };
    Some(ClientCertificate {
        certificate: found(verification.client_cert.as_ref()?, "clientCert")?,
        private_key: found(verification.client_key.as_ref()?, "clientKey")?,
    })
}

/// What a document holds inline for its client certificate, by JSON pointer: for meshd, which hands it to the proxies that
/// need it.
pub(super) fn inlined(spec: &MeshExternalService) -> impl Iterator<Item = (String, String)> {
    let verification = spec.tls.as_ref().and_then(|tls| tls.verification.as_ref());
    let given = verification.map(|given| {
        [
            ("clientCert", given.client_cert.as_ref()),
            ("clientKey", given.client_key.as_ref()),
        ]
    });
    given.into_iter().flatten().filter_map(|(field, source)| {
        let value = source?.inline()?.to_owned();
        Some((inline_pointer(field), value))
    })
}

fn inline_pointer(field: &str) -> String {
    format!("/spec/tls/verification/{field}/insecureInline/value")
}

fn secret(source: &DataSource) -> Option<String> {
    source.secret_ref.as_ref()?.name.clone()
}
