//! What a `MeshIdentity` must hold (language 3.8).
//!
//! Never repeats a value that stands in the document as a secret.

use mesh_bundle::spiffe::MalformedSpiffeId;
use mesh_bundle::{Duration, SpiffeId};

use crate::diag::{Code, Pointer};
use crate::kinds::data_source::DataSource;
use crate::kinds::{Check, certificate};
use crate::template;

use super::{
    Bundled, CertificateAuthority, MeshIdentity, PATH_VARIABLES, Provider, ProviderType,
    SpiffeIdTemplate, TRUST_DOMAIN_VARIABLES,
};

impl MeshIdentity {
    /// Checks an identity.
    pub(super) fn check(&self, check: &mut Check<'_>) {
        let spec = Pointer::default();
        if let Some(spiffe_id) = &self.spiffe_id {
            spiffe_id.check(&spec.field("spiffeID"), check);
        }
        if let Some(provider) = &self.provider {
            provider.check(&spec.field("provider"), check);
        }
        // A question of what is wanted comes after those of what is written.
        let provider = self.provider.as_ref();
        let bundled = provider.and_then(|provider| provider.bundled.as_ref());
        if let Some(bundled) = bundled.filter(|_| check.errors() == 0) {
            let at = spec.field("provider").field("bundled");
            bundled.check_self_signed(&at, check);
        }
    }
}

impl SpiffeIdTemplate {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if let Some(text) = &self.trust_domain {
            // What comes out depends on the mesh and the zone: that is judged where it is filled in.
            let judge = |_: &str| Ok(());
            let at = at.field("trustDomain");
            check_template(text, TRUST_DOMAIN_VARIABLES, judge, &at, check);
        }
        let Some(text) = &self.path else {
            return;
        };
        let at = at.field("path");
        if !text.starts_with('/') {
            check.invalid(&at, format!("the path `{text}` does not begin with `/`"));
            return;
        }
        let judge = |example: &str| {
            format!("spiffe://td{example}")
                .parse::<SpiffeId>()
                .map(|_| ())
        };
        check_template(text, PATH_VARIABLES, judge, &at, check);
    }
}

fn check_template(
    text: &str,
    variables: &[&str],
    judge: impl Fn(&str) -> Result<(), MalformedSpiffeId>,
    at: &Pointer,
    check: &mut Check<'_>,
) {
    let example = match template::example(text, variables) {
        Ok(example) => example,
        Err(error) => {
            let variables = variables.iter().map(|name| format!("`{{{{ .{name} }}}}`"));
            let variables = variables.collect::<Vec<_>>().join(", ");
            check
                .error(Code::INVALID_TEMPLATE, at, error)
                .help(format!("{variables} or `{{{{ label \"key\" }}}}`"));
            return;
        }
    };
    if let Err(error) = judge(&example) {
        let message = format!("the template makes texts like `{example}`: {error}");
        check.error(Code::INVALID_TEMPLATE, at, message);
    }
}

impl Provider {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        match self.kind {
            None => {
                check.missing(&at.field("type")).help("`Bundled`");
            }
            Some(ProviderType::Bundled) => match &self.bundled {
                Some(bundled) => bundled.check(&at.field("bundled"), check),
                None => {
                    check.missing(&at.field("bundled")).help(
                        "`bundled: {insecureAllowSelfSigned: true, autogenerate: {enabled: true}}` lets meshd make the CA",
                    );
                }
            },
            // The agent of each host knows the rest.
            Some(ProviderType::Spire) => {}
            Some(ProviderType::Extension) => self.check_extension(at, check),
        }
    }
}

impl Provider {
    /// What is written wrongly is told before what cannot be had.
    fn check_extension(&self, at: &Pointer, check: &mut Check<'_>) {
        let extension_at = at.field("extension");
        match &self.extension {
            Some(extension) => {
                check.required(extension.name.as_ref(), &extension_at.field("name"));
            }
            None => {
                check.missing(&extension_at);
            }
        }
        if check.errors() == 0 {
            let message = "identities from an extension are not supported";
            check
                .error(Code::UNSUPPORTED, &at.field("type"), message)
                .help("use the provider `Bundled`");
        }
    }
}

/// A shorter life than this leaves no time to renew.
const SHORTEST: Duration = Duration::from_secs(60);

impl Bundled {
    fn check_self_signed(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.autogenerates() && self.insecure_allow_self_signed != Some(true) {
            let at = at.field("insecureAllowSelfSigned");
            let message = "a CA that meshd makes is self-signed, and that is not allowed here";
            check
                .error(Code::SELF_SIGNED, &at, message)
                .help("allow it with `insecureAllowSelfSigned: true`, or give a CA under `ca`");
        }
    }

    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let self_signed = self.insecure_allow_self_signed == Some(true);
        match (&self.ca, self.autogenerates()) {
            (Some(_), true) => {
                let message = "`ca` cannot be set where the CA is made by meshd";
                check
                    .invalid(&at.field("ca"), message)
                    .help("remove `ca`, or `autogenerate`");
            }
            (None, true) => {}
            (None, false) => {
                check
                    .missing(&at.field("ca"))
                    .help("give a CA, or let meshd make one: `autogenerate: {enabled: true}`");
            }
            (Some(ca), false) => ca.check(self_signed, &at.field("ca"), check),
        }
        let parameters = self.certificate_parameters.as_ref();
        if let Some(expiry) = parameters.and_then(|parameters| parameters.expiry)
            && expiry.0 < SHORTEST
        {
            let at = at.field("certificateParameters").field("expiry");
            let message = format!(
                "certificates that are valid for `{}` cannot be renewed in time",
                expiry.0
            );
            check.invalid(&at, message).help("at least `1m`");
        }
    }
}

impl CertificateAuthority {
    fn check(&self, self_signed: bool, at: &Pointer, check: &mut Check<'_>) {
        let certificate_at = at.field("certificate");
        DataSource::check_required(self.certificate.as_ref(), &certificate_at, check);
        let inline = self.certificate.as_ref().and_then(DataSource::inline);
        if let Some(text) = inline.filter(|text| !text.is_empty()) {
            let at = certificate_at.field("insecureInline").field("value");
            match certificate::issuer(text) {
                Err(error) => {
                    check.invalid(&at, error.to_string());
                }
                Ok(issuer) if issuer.self_signed && !self_signed => {
                    let message =
                        "the certificate of the CA is self-signed, and that is not allowed here";
                    check
                        .error(Code::SELF_SIGNED, &at, message)
                        .help("allow it with `insecureAllowSelfSigned: true`");
                }
                Ok(_) => {}
            }
        }
        let key_at = at.field("privateKey");
        DataSource::check_required(self.private_key.as_ref(), &key_at, check);
        let inline = self.private_key.as_ref().and_then(DataSource::inline);
        if let Some(text) = inline.filter(|text| !text.is_empty()) {
            let at = key_at.field("insecureInline").field("value");
            if certificate::holds_private_key(text) {
                let message =
                    "the private key of a CA stands in the repository for everybody to read";
                check.warn(Code::INLINE_SECRET, &at, message).help(
                    "use `type: Secret`, `File` or `EnvVar`, and replace the key: it is known now",
                );
            } else {
                check.invalid(&at, "this is not a private key in PEM format");
            }
        }
    }
}
