//! KRI: the name of a resource, or of a section of it, that is unique in one bundle (language 2.6).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// `kri_<kind>_<mesh>_<zone>_<namespace>_<name>_<section>`; empty parts stay empty.
///
/// Ordered by the bytes of its text, which is the tie-break used everywhere (language 2.6).
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Kri {
    /// Shared: names are most of what is kept of a repository, so a copy must cost nothing.
    text: Arc<str>,
    /// Where each part but the last ends.
    ends: [u32; 5],
}

/// What a [`Kri`] is made of. No part but the last can hold `_`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Short name of the kind, `msvc` for `MeshService` (language 0.2).
    pub kind: &'a str,
    /// Mesh, empty for a `Mesh` itself and for global kinds.
    pub mesh: &'a str,
    /// Zone of origin, empty for resources of global origin.
    pub zone: &'a str,
    /// Kubernetes namespace, empty on universal.
    pub namespace: &'a str,
    /// Display name.
    pub name: &'a str,
    /// Port name, `rule_<i>`, or empty for the resource as a whole.
    pub section: &'a str,
}

impl Kri {
    /// The name with these parts.
    #[must_use]
    pub fn new(parts: Parts<'_>) -> Self {
        let all = parts.all();
        let length: usize = all.iter().map(|part| part.len() + 1).sum();
        let mut text = String::with_capacity(PREFIX.len() + length);
        text.push_str(PREFIX);
        let mut ends = [0; 5];
        for (index, part) in all.into_iter().enumerate() {
            text.push('_');
            text.push_str(part);
            if let Some(end) = ends.get_mut(index) {
                // What a name is read from is smaller than 4 GiB by far.
                *end = u32::try_from(text.len()).unwrap_or(u32::MAX);
            }
        }
        Self {
            text: text.into(),
            ends,
        }
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            kind: self.kind(),
            mesh: self.mesh(),
            zone: self.zone(),
            namespace: self.namespace(),
            name: self.name(),
            section: self.section(),
        }
    }

    /// See [`Parts::kind`].
    #[must_use]
    pub fn kind(&self) -> &str {
        let [end, ..] = self.ends;
        self.between(PREFIX.len(), end as usize)
    }

    /// See [`Parts::mesh`].
    #[must_use]
    pub fn mesh(&self) -> &str {
        let [start, end, ..] = self.ends;
        self.between(start as usize, end as usize)
    }

    /// See [`Parts::zone`].
    #[must_use]
    pub fn zone(&self) -> &str {
        let [_, start, end, ..] = self.ends;
        self.between(start as usize, end as usize)
    }

    /// See [`Parts::namespace`].
    #[must_use]
    pub fn namespace(&self) -> &str {
        let [.., start, end, _] = self.ends;
        self.between(start as usize, end as usize)
    }

    /// See [`Parts::name`].
    #[must_use]
    pub fn name(&self) -> &str {
        let [.., start, end] = self.ends;
        self.between(start as usize, end as usize)
    }

    /// See [`Parts::section`].
    #[must_use]
    pub fn section(&self) -> &str {
        let [.., start] = self.ends;
        self.between(start as usize, self.text.len())
    }

    /// What stands between two `_`.
    fn between(&self, start: usize, end: usize) -> &str {
        self.text.get(start + 1..end).unwrap_or_default()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same resource, narrowed to one section.
    #[must_use]
    pub fn with_section(&self, section: impl AsRef<str>) -> Self {
        Self::new(Parts {
            section: section.as_ref(),
            ..self.parts()
        })
    }

    /// Is it another resource as a whole, or a section of it?
    #[must_use]
    pub fn is_within(&self, whole: &Self) -> bool {
        let [.., end] = self.ends;
        self.text.get(..=end as usize) == Some(&*whole.text)
    }

    /// The resource as a whole, without a section.
    #[must_use]
    pub fn without_section(&self) -> Self {
        match self.section() {
            "" => self.clone(),
            _ => self.with_section(""),
        }
    }
}

const PREFIX: &str = "kri";

impl<'a> Parts<'a> {
    fn all(self) -> [&'a str; 6] {
        [
            self.kind,
            self.mesh,
            self.zone,
            self.namespace,
            self.name,
            self.section,
        ]
    }
}

impl PartialEq for Kri {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Kri {}

impl Hash for Kri {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Ord for Kri {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl PartialOrd for Kri {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Kri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Kri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is not a KRI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a KRI: expected `kri_<kind>_<mesh>_<zone>_<namespace>_<name>_<section>`")]
pub struct MalformedKri {
    /// What was given.
    pub text: String,
}

impl FromStr for Kri {
    type Err = MalformedKri;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || MalformedKri {
            text: text.to_owned(),
        };
        let rest = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('_'));
        // A section may hold `_` (`rule_0`); no other part can.
        let mut parts = rest.ok_or_else(malformed)?.splitn(6, '_');
        let mut next = || parts.next().ok_or_else(malformed);
        let parts = Parts {
            kind: next()?,
            mesh: next()?,
            zone: next()?,
            namespace: next()?,
            name: next()?,
            section: next()?,
        };
        match parts.kind.is_empty() || parts.name.is_empty() {
            true => Err(malformed()),
            false => Ok(Self::new(parts)),
        }
    }
}

impl TryFrom<String> for Kri {
    type Error = MalformedKri;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Kri> for String {
    fn from(kri: Kri) -> Self {
        kri.as_str().to_owned()
    }
}

impl Serialize for Kri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Kri, Parts};

    #[test]
    fn order_is_that_of_the_texts() {
        let mut texts = [
            "kri_msvc_a__b_c_",
            "kri_msvc_a__b_c_rule_0",
            "kri_msvc_a-b___c_",
            "kri_msvc_a___c_",
            "kri_dp_z_z_z_z_z",
            "kri_msvc_aa___b_",
            "kri_msvc_a___cc_http",
        ];
        let mut kris: Vec<Kri> = texts.iter().map(|text| text.parse().unwrap()).collect();
        texts.sort_unstable();
        kris.sort();
        let sorted: Vec<String> = kris.iter().map(Kri::to_string).collect();
        assert_eq!(sorted, texts);
    }

    #[test]
    fn what_lacks_a_part_is_no_name() {
        for text in [
            "",
            "kri",
            "kri_",
            "kri_msvc_a__b_c",
            "kri_msvc_a____",
            "kri__a__b_c_",
            "msvc_a__b_c_",
            "krimsvc_a__b_c__",
        ] {
            assert!(text.parse::<Kri>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parts_are_what_it_was_made_of(
            parts in prop::array::uniform5("[a-z^]{1,3}"),
            section in "[a-z_]{0,3}",
        ) {
            let [kind, mesh, zone, namespace, name] = &parts;
            let parts = Parts { kind, mesh, zone, namespace, name, section: &section };
            let kri = Kri::new(parts);
            prop_assert_eq!(kri.parts(), parts);
            let read: Kri = kri.to_string().parse().unwrap();
            prop_assert_eq!(read.parts(), parts);
            let whole = kri.without_section();
            prop_assert!(kri.is_within(&whole) && whole.is_within(&whole));
            prop_assert_eq!(whole.is_within(&kri), section.is_empty());
            let longer = Kri::new(Parts { name: &format!("{name}x"), section: "", ..parts });
            prop_assert!(!kri.is_within(&longer) && !longer.is_within(&whole));
            prop_assert_eq!(whole.with_section(&section), kri);
        }
    }
}
