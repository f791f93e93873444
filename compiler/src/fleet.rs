//! What live proxies still need, as meshd says of its fleet: a change that takes it from them is refused.
//!
//! Never asks meshd: it is given a snapshot, and judges as of then.

use std::collections::BTreeSet;

use mesh_bundle::{Bundle, Digest, Duration, Key, Kri, Resource, TrustDomain};
use serde::{Deserialize, Serialize};

use crate::diag::{Code, Diagnostic, Diagnostics, Location, Pointer};
use crate::kinds::certificate;
use crate::source::{Identity, Sources};

/// The version of a snapshot. A reader refuses every other.
pub const FORMAT: u32 = 1;

/// What `meshd fleet` says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fleet {
    /// [`FORMAT`].
    pub format: u32,
    /// The commit that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Authorities that have signed what live proxies show each other.
    pub anchors: Vec<Needed>,
}

/// An authority that live proxies need: their peers must trust it, or refuse them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Needed {
    /// The mesh.
    pub mesh: String,
    /// Whose SPIFFE IDs it vouches for.
    pub trust_domain: TrustDomain,
    /// SHA-256 of its key.
    pub anchor: Digest,
    /// How many proxies show what it has signed.
    pub proxies: usize,
    /// One of them.
    pub example: Kri,
    /// When the last of their certificates ends, in seconds since 1970.
    pub until: u64,
}

impl Fleet {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// In words: it is not one, or of another version.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let fleet: Self = serde_json::from_slice(text)
            .map_err(|error| format!("this is not what `meshd fleet` prints: {error}"))?;
        match fleet.format {
            FORMAT => Ok(fleet),
            other => Err(format!(
                "this is a snapshot of format {other}; this program reads {FORMAT}"
            )),
        }
    }

    /// What of it the proxies of a bundle would not trust. Authorities that meshd keeps are trusted for as long as it is to
    /// publish those of their trust domain.
    pub fn lacking<'a>(&'a self, bundle: &'a Bundle) -> impl Iterator<Item = &'a Needed> {
        self.anchors
            .iter()
            .filter(|needed| !is_published(needed, bundle) && !is_written(needed, bundle))
    }

    /// The same as findings, each at the document that could trust it.
    #[must_use]
    pub fn findings(&self, bundle: &Bundle, sources: &Sources, now: Option<i64>) -> Diagnostics {
        let mut found = Diagnostics::default();
        for needed in self.lacking(bundle) {
            let at = place(needed, bundle, sources);
            let mut finding = Diagnostic::new(Code::NEEDED_ANCHOR, at, needed.told(now));
            finding.help(
                "let it be trusted until no proxy needs it any more: `meshd fleet` says which do",
            );
            found.push(finding);
        }
        found.sort(sources);
        found
    }
}

impl Needed {
    /// In a sentence.
    #[must_use]
    pub fn told(&self, now: Option<i64>) -> String {
        let left = now.and_then(|now| self.until.checked_sub(u64::try_from(now).ok()?));
        let left = left.map_or_else(String::new, |left| {
            format!(" for up to {}", Duration::from_secs(left))
        });
        let who = match self.proxies {
            1 => format!("a proxy needs it{left}: `{}`", self.example),
            many => format!("{many} proxies need it{left}, such as `{}`", self.example),
        };
        format!(
            "the authority {} would not be trusted any more for `spiffe://{}`, and {who}",
            self.anchor, self.trust_domain
        )
    }
}

fn is_published(needed: &Needed, bundle: &Bundle) -> bool {
    bundle.issuers.values().any(|issuer| {
        issuer.publish_trust
            && issuer.mesh == needed.mesh
            && issuer.trust_domain == needed.trust_domain
    })
}

/// Do all proxies of the mesh find it in a document?
fn is_written(needed: &Needed, bundle: &Bundle) -> bool {
    let proxies = bundle.proxies.iter();
    let proxies = proxies.filter(|(kri, _)| kri.mesh() == needed.mesh);
    let trusts: BTreeSet<Option<&Digest>> = proxies
        .map(|(_, proxy)| proxy.manifest.entries.get(&Key::Trust))
        .collect();
    trusts.into_iter().all(|digest| {
        let trust = digest.and_then(|digest| bundle.resources.get(digest));
        let Some(Resource::Trust(trust)) = trust.map(AsRef::as_ref) else {
            return false;
        };
        let anchors = trust.anchors.get(&needed.trust_domain);
        let mut anchors = anchors.into_iter().flatten();
        anchors.any(|pem| certificate::keys(pem).contains(&needed.anchor))
    })
}

/// The trust of its domain, an identity of its mesh, or the mesh.
fn place(needed: &Needed, bundle: &Bundle, sources: &Sources) -> Location {
    let issuers = bundle.issuers.values();
    let mut issuers = issuers.filter(|issuer| issuer.mesh == needed.mesh);
    let identity = || sources.written(&issuers.next()?.origin.resource);
    let at = trust(needed, sources).or_else(identity);
    at.or_else(|| mesh(needed, sources))
        .unwrap_or_else(|| Location::of_file(sources.files().next().map_or("", |(file, _)| file)))
}

fn trust(needed: &Needed, sources: &Sources) -> Option<Location> {
    let mut documents = of_kind("MeshTrust", sources);
    let (mut at, _) = documents.find(|(at, kri)| {
        let tree = sources.trees(&at.file).into_iter().nth(at.document);
        let json = tree.flatten().map(|tree| tree.to_json());
        let domain = json
            .as_ref()
            .and_then(|json| json.pointer("/spec/trustDomain"));
        kri.mesh() == needed.mesh
            && domain.and_then(|domain| domain.as_str()) == Some(needed.trust_domain.as_str())
    })?;
    at.pointer = Pointer::default().field("spec").field("trustDomain");
    Some(at)
}

fn mesh(needed: &Needed, sources: &Sources) -> Option<Location> {
    let mut meshes = of_kind("Mesh", sources);
    let found = meshes.find(|(_, kri)| kri.name() == needed.mesh);
    found.map(|(at, _)| at)
}

fn of_kind<'a>(wanted: &'a str, sources: &'a Sources) -> impl Iterator<Item = (Location, &'a Kri)> {
    sources.files().flat_map(move |(path, file)| {
        file.documents.iter().filter_map(move |document| {
            let Identity::Resource { kind, kri } = &document.identity else {
                return None;
            };
            let mut at = Location::of_file(path);
            at.document = document.index;
            (*kind == wanted).then_some((at, kri))
        })
    })
}
