//! What is outside of the mesh, on a page.
//!
//! Never shows a value that a Secret holds: it has none.

use mesh_bundle::resource::External;
use mesh_bundle::resource::external::{
    Authorities, ExpectedName, TlsOrigination, TlsVersion, Verification,
};
use mesh_bundle::{Origin, ValueSource};

use super::Telling;

impl Telling<'_> {
    /// `origin`: the document, which all of it stands in.
    pub(in crate::inspect) fn external(&mut self, external: &External, origin: &Origin) {
        for endpoint in &external.endpoints {
            let priority = match endpoint.priority {
                0 => String::new(),
                priority => format!(" (priority {priority})"),
            };
            let text = format!(
                "outside     {}:{}{priority}",
                endpoint.address, endpoint.port
            );
            self.page.noted(1, &text, origin);
        }
        if external.endpoints.is_empty() {
            self.page.noted(1, "outside     nowhere", origin);
        }
        match &external.tls {
            None => {
                let none = "tls         none: as the workload speaks";
                self.page.noted(1, none, origin);
            }
            Some(tls) => self.origination(tls, origin),
        }
    }

    fn origination(&mut self, tls: &TlsOrigination, origin: &Origin) {
        let version = |version| match version {
            TlsVersion::Tls12 => "1.2",
            TlsVersion::Tls13 => "1.3",
        };
        let versions = match tls.min_version == tls.max_version {
            true => version(tls.min_version).to_owned(),
            false => format!(
                "{} to {}",
                version(tls.min_version),
                version(tls.max_version)
            ),
        };
        let text = format!("tls         {versions}");
        self.page.noted(1, &text, origin);
        if let Some(name) = &tls.server_name {
            self.page.line(2, &format!("asks for    {name}"));
        }
        let chain = match &tls.authorities {
            Authorities::System => "whom the machine trusts".to_owned(),
            Authorities::Pem(_) => "the CA of the document".to_owned(),
            Authorities::Secret(name) => format!("the CA in the secret {name}"),
        };
        let names: Vec<String> = tls.names.iter().map(name).collect();
        let names = match names.is_empty() {
            true => tls
                .server_name
                .clone()
                .unwrap_or_else(|| "its address".to_owned()),
            false => names.join(" or "),
        };
        let verified = match tls.verification {
            Verification::Secured => format!("{names}, by {chain}"),
            Verification::SkipNames => format!("any name, by {chain}"),
            Verification::SkipChain => format!("{names}, by anybody"),
            Verification::SkipAll => "nothing".to_owned(),
        };
        self.page.line(2, &format!("verifies    {verified}"));
        if let Some(client) = &tls.client {
            let text = format!(
                "proves      itself with {}, key {}",
                source(&client.certificate),
                source(&client.private_key)
            );
            self.page.line(2, &text);
        }
    }
}

fn name(name: &ExpectedName) -> String {
    match name {
        ExpectedName::Exact(name) => name.clone(),
        ExpectedName::Prefix(name) => format!("{name}…"),
    }
}

fn source(source: &ValueSource) -> String {
    match source {
        ValueSource::Secret(name) => format!("secret {name}"),
        ValueSource::File(path) => format!("file {path}"),
        ValueSource::EnvVar(name) => format!("variable {name}"),
        ValueSource::Inline(_) => "in the document".to_owned(),
    }
}
