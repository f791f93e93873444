//! Who a proxy is: which `MeshIdentity` it gets, and what its SPIFFE ID says (language 3.8).
//!
//! Never holds a key: an [`Issuer`] says where meshd finds one, and inline values travel beside the bundle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use mesh_bundle::resource::{IdentityAgent, WorkloadIdentity};
use mesh_bundle::{CaSource, Duration, Issuer, Kri, SpiffeId, TrustDomain, ValueSource};

use crate::diag::{Code, Diagnostic, Diagnostics, Pointer};
use crate::kinds::data_source::{DataSource, DataSourceType};
use crate::kinds::mesh_identity::{
    Bundled, MeshIdentity, MeshTrustCreation, Provider, ProviderType,
};
use crate::model::{Format, Meta, Settings};
use crate::policy::target::NAMESPACE;
use crate::repository::Lines;
use crate::service::{Instance, WORKLOAD};
use crate::template::{Template, Variable};

/// `1s` (language 3.8).
const AGENT_TIMEOUT: Duration = Duration::from_secs(1);
/// `120h` (language 3.8).
const LIFETIME: Duration = Duration::from_secs(120 * 3_600);
const TRUST_DOMAIN: &str = "{{ .Mesh }}.{{ .Zone }}.mesh.local";
const PATH: &str = "/workload/{{ .Workload }}";
const KUBERNETES_PATH: &str = "/ns/{{ .Namespace }}/sa/{{ .ServiceAccount }}";
const SERVICE_ACCOUNT: &str = "k8s.kuma.io/service-account";

/// A `MeshIdentity`, understood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Identity {
    pub(crate) meta: Meta,
    /// `None`: selects nobody.
    labels: Option<BTreeMap<String, String>>,
    pub(crate) trust_domain: TrustDomain,
    path: Option<Template>,
    bundled: Option<Bundled>,
    agent: Option<IdentityAgent>,
}

/// Values of [`ValueSource::Inline`], by issuer and pointer.
pub(crate) type Inline = BTreeMap<(Kri, String), String>;

impl Identity {
    /// Understands a document. What its own checks have reported is left out silently.
    pub(crate) fn read(
        meta: &Meta,
        spec: &MeshIdentity,
        settings: &Settings,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self> {
        let selector = spec.selector.as_ref();
        let dataplane = selector.and_then(|selector| selector.dataplane.as_ref());
        let templates = spec.spiffe_id.as_ref();
        let trust_domain = templates.and_then(|id| id.trust_domain.as_deref());
        let trust_domain = Template::parse(trust_domain.unwrap_or(TRUST_DOMAIN)).ok()?;
        let path = templates.and_then(|id| id.path.as_deref());
        let path = path.map(Template::parse).transpose().ok()?;
        let zone = || meta.labels.get("kuma.io/zone").unwrap_or(&settings.zone);
        let rendered = trust_domain.render(|variable| match variable {
            Variable::Label(key) => meta.labels.get(key).cloned(),
            Variable::Field(name) => match name.as_str() {
                "Mesh" => Some(meta.kri.mesh().to_owned()),
                "Zone" => Some(zone().clone()),
                _ => None,
            },
        });
        let parsed = rendered
            .map_err(|variable| format!("`{variable}` has no value here"))
            .and_then(|text| {
                let why = |why| format!("`{text}` is no trust domain: {why}");
                text.parse::<TrustDomain>().map_err(why)
            });
        let trust_domain = match parsed {
            Ok(trust_domain) => trust_domain,
            Err(message) => {
                let at = Pointer::default().field("spiffeID").field("trustDomain");
                let at = meta.within(&at);
                diagnostics.push(Diagnostic::new(Code::IDENTITY_VARIABLE, at, message));
                return None;
            }
        };
        let provider = spec.provider.as_ref();
        let bundled = provider.filter(|provider| provider.kind == Some(ProviderType::Bundled));
        Some(Self {
            meta: meta.clone(),
            labels: dataplane.and_then(|dataplane| dataplane.match_labels.clone()),
            trust_domain,
            path,
            bundled: bundled.and_then(|provider| provider.bundled.clone()),
            agent: provider.and_then(agent),
        })
    }

    /// Do proxies show certificates of it whose authority only a `MeshTrust` document can make believed?
    pub(crate) fn needs_trust(&self) -> bool {
        let bundled = self.bundled.as_ref();
        let creation = bundled.and_then(|bundled| bundled.mesh_trust_creation);
        let unpublished = creation == Some(MeshTrustCreation::Disabled);
        self.is_for_somebody() && (self.agent.is_some() || unpublished)
    }

    /// Does somebody give certificates for it, or does it only announce names?
    fn is_proven(&self) -> bool {
        self.bundled.is_some() || self.agent.is_some()
    }

    /// Does it select anybody at all? One without selector only publishes its CA.
    pub(crate) fn is_for_somebody(&self) -> bool {
        self.labels.is_some()
    }

    /// Is this proxy one of those that it is for?
    pub(crate) fn selects(&self, proxy: &Meta) -> bool {
        let carries = |labels| crate::policy::carries(&proxy.labels, labels);
        self.meta.kri.mesh() == proxy.kri.mesh() && self.labels.as_ref().is_some_and(carries)
    }

    /// The SPIFFE ID that it gives to a proxy.
    ///
    /// # Errors
    /// In words, when a variable has no value or the result is no SPIFFE ID.
    pub(crate) fn render(&self, proxy: &Meta) -> Result<SpiffeId, String> {
        let default = match proxy.format {
            Format::Universal => PATH,
            Format::Kubernetes => KUBERNETES_PATH,
        };
        let label = |key: &str| proxy.labels.get(key).cloned();
        let value = |variable: &Variable| match variable {
            Variable::Label(key) => label(key),
            Variable::Field(name) => match name.as_str() {
                "Workload" => label(WORKLOAD),
                "Namespace" => label(NAMESPACE),
                "ServiceAccount" => label(SERVICE_ACCOUNT),
                "TrustDomain" => Some(self.trust_domain.to_string()),
                _ => None,
            },
        };
        let parsed = Template::parse(default);
        let path = self.path.as_ref().or(parsed.as_ref().ok());
        let path = path
            .ok_or("it has no path")?
            .render(value)
            .map_err(|variable| {
                let label = match &variable {
                    Variable::Label(key) => key.clone(),
                    Variable::Field(name) => match name.as_str() {
                        "Workload" => WORKLOAD.to_owned(),
                        "Namespace" => NAMESPACE.to_owned(),
                        "ServiceAccount" => SERVICE_ACCOUNT.to_owned(),
                        other => format!(".{other}"),
                    },
                };
                format!("it has no label `{label}`, which its SPIFFE ID is made of")
            })?;
        let text = format!("spiffe://{}{path}", self.trust_domain);
        text.parse()
            .map_err(|why| format!("`{text}` is no SPIFFE ID: {why}"))
    }

    /// Why a proxy that both select gets the other one.
    pub(crate) fn loses(&self, winner: &Self) -> &'static str {
        let pairs = |identity: &Self| identity.labels.as_ref().map_or(0, BTreeMap::len);
        match self.is_proven() {
            false => "it only announces names",
            true if pairs(self) < pairs(winner) => "another selects it by more labels",
            true => "another comes before it by name",
        }
    }

    /// How meshd issues its certificates; `None` where it issues none.
    pub(crate) fn issuer(&self, lines: Lines<'_>, inline: &mut Inline) -> Option<Issuer> {
        let bundled = self.bundled.as_ref()?;
        let generated = bundled.autogenerate.as_ref();
        let generated = generated.and_then(|generated| generated.enabled) == Some(true);
        let ca = match &bundled.ca {
            _ if generated => CaSource::Autogenerated {},
            Some(ca) => CaSource::Provided {
                certificate: self.value(ca.certificate.as_ref()?, "certificate", inline)?,
                private_key: self.value(ca.private_key.as_ref()?, "privateKey", inline)?,
            },
            // Reported by its own checks.
            None => return None,
        };
        Some(Issuer {
            mesh: self.meta.kri.mesh().to_owned(),
            trust_domain: self.trust_domain.clone(),
            ca,
            lifetime: self.lifetime(),
            publish_trust: bundled.mesh_trust_creation != Some(MeshTrustCreation::Disabled),
            origin: lines.document(&self.meta),
        })
    }

    fn value(&self, source: &DataSource, name: &str, inline: &mut Inline) -> Option<ValueSource> {
        Some(match source.kind? {
            DataSourceType::Secret => {
                ValueSource::Secret(source.secret_ref.as_ref()?.name.clone()?)
            }
            DataSourceType::File => ValueSource::File(source.file.as_ref()?.path.clone()?),
            DataSourceType::EnvVar => ValueSource::EnvVar(source.env_var.as_ref()?.name.clone()?),
            DataSourceType::InsecureInline => {
                let at = ["provider", "bundled", "ca", name, "insecureInline", "value"];
                let pointer = self.meta.within(&crate::policy::merge::pointer(&at));
                let pointer = pointer.pointer.to_string();
                let value = source.insecure_inline.as_ref()?.value.clone()?;
                inline.insert((self.meta.kri.clone(), pointer.clone()), value);
                ValueSource::Inline(pointer)
            }
        })
    }

    fn lifetime(&self) -> Duration {
        if self.agent.is_some() {
            return Duration::from_secs(0);
        }
        let bundled = self.bundled.as_ref();
        let parameters = bundled.and_then(|b| b.certificate_parameters.as_ref());
        let expiry = parameters.and_then(|parameters| parameters.expiry);
        expiry.map_or(LIFETIME, |expiry| expiry.0)
    }
}

/// The agent of an identity, where one gives its certificates.
fn agent(provider: &Provider) -> Option<IdentityAgent> {
    let spire = provider.kind == Some(ProviderType::Spire);
    let agent = provider.spire.as_ref().and_then(|it| it.agent.as_ref());
    let timeout = agent.and_then(|agent| agent.timeout);
    spire.then(|| IdentityAgent {
        timeout: timeout.map_or(AGENT_TIMEOUT, |timeout| timeout.0),
    })
}

/// The identity that a proxy gets: of those that have certificates and select it, the one with the most label pairs, then
/// the smallest name. One that only announces names never takes a certificate away.
pub(crate) fn winner<'a>(identities: &'a [Identity], proxy: &Meta) -> Option<&'a Identity> {
    let selecting = identities
        .iter()
        .filter(|identity| identity.is_proven() && identity.selects(proxy));
    best(selecting)
}

/// Of several identities the one with the most label pairs, then the smallest name.
pub(crate) fn best<'a>(identities: impl Iterator<Item = &'a Identity>) -> Option<&'a Identity> {
    let pairs = |identity: &Identity| identity.labels.as_ref().map_or(0, BTreeMap::len);
    identities.min_by_key(|identity| {
        (
            Reverse(pairs(identity)),
            identity.meta.kri.name().to_owned(),
        )
    })
}

/// What a proxy is given; what keeps it from being somebody is reported.
pub(crate) fn given(
    identities: &[Identity],
    instance: Instance<'_>,
    lines: Lines<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<WorkloadIdentity> {
    let identity = winner(identities, instance.meta)?;
    match identity.render(instance.meta) {
        Ok(spiffe_id) => Some(WorkloadIdentity {
            spiffe_id,
            issuer: identity.meta.kri.clone(),
            lifetime: identity.lifetime(),
            agent: identity.agent.clone(),
            origin: lines.document(&identity.meta),
        }),
        Err(why) => {
            let message = format!(
                "`{}` cannot get the identity `{}`: {why}",
                instance.meta.kri.name(),
                identity.meta.kri.name()
            );
            let at = instance.meta.at.clone();
            let mut diagnostic = Diagnostic::new(Code::IDENTITY_VARIABLE, at, message);
            diagnostic.related(identity.meta.at.clone(), "the identity that selects it");
            diagnostics.push(diagnostic);
            None
        }
    }
}

/// Every SPIFFE ID that clients must expect of a proxy: of all identities that select it, so that a mesh can move from one
/// trust domain to another while both are in use.
pub(crate) fn announced(identities: &[Identity], proxy: &Meta) -> BTreeSet<SpiffeId> {
    identities
        .iter()
        .filter(|identity| identity.selects(proxy))
        .filter_map(|identity| identity.render(proxy).ok())
        .collect()
}
