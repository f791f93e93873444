//! KRI: the name of a resource, or of a section of it, that is unique in one bundle (language 2.6).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// `kri_<kind>_<mesh>_<zone>_<namespace>_<name>_<section>`; empty parts stay empty.
///
/// Ordered by the bytes of its text, which is the tie-break used everywhere (language 2.6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Kri {
    /// Short name of the kind, `msvc` for `MeshService` (language 0.2).
    pub kind: String,
    /// Mesh, empty for a `Mesh` itself and for global kinds.
    pub mesh: String,
    /// Zone of origin, empty for resources of global origin.
    pub zone: String,
    /// Kubernetes namespace, empty on universal.
    pub namespace: String,
    /// Display name.
    pub name: String,
    /// Port name, `rule_<i>`, or empty for the resource as a whole.
    pub section: String,
}

impl Kri {
    /// The same resource, narrowed to one section.
    #[must_use]
    pub fn with_section(&self, section: impl Into<String>) -> Self {
        Self {
            section: section.into(),
            ..self.clone()
        }
    }

    /// The resource as a whole, without a section.
    #[must_use]
    pub fn without_section(&self) -> Self {
        self.with_section("")
    }

    /// The text from a part on, never built: a comparison must not allocate.
    fn bytes_from(&self, part: usize) -> impl Iterator<Item = u8> {
        let parts = self.parts().into_iter().skip(part);
        parts.flat_map(|part| std::iter::once(b'_').chain(part.bytes()))
    }

    /// Appends the text. Names are most of what a bundle says, so they take no detour.
    pub(crate) fn write(&self, text: &mut String) {
        text.push_str("kri");
        for part in self.parts() {
            text.push('_');
            text.push_str(part);
        }
    }

    fn text(&self) -> String {
        let parts = self.parts();
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        let mut text = String::with_capacity("kri".len() + length);
        self.write(&mut text);
        text
    }

    fn parts(&self) -> [&str; 6] {
        [
            &self.kind,
            &self.mesh,
            &self.zone,
            &self.namespace,
            &self.name,
            &self.section,
        ]
    }
}

impl Ord for Kri {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let pairs = self.parts().into_iter().zip(other.parts());
        for (index, (own, others)) in pairs.enumerate() {
            if own == others {
                continue;
            }
            // Where one part begins with the other, what follows the shorter one decides.
            let decides = !own.starts_with(others) && !others.starts_with(own);
            return match decides {
                true => own.cmp(others),
                false => self.bytes_from(index).cmp(other.bytes_from(index)),
            };
        }
        std::cmp::Ordering::Equal
    }
}

impl PartialOrd for Kri {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Kri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kri")?;
        self.parts().iter().try_for_each(|part| {
            f.write_str("_")?;
            f.write_str(part)
        })
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
        let mut parts = text.split('_');
        let mut next = || parts.next().map(str::to_owned).ok_or_else(malformed);
        if next()? != "kri" {
            return Err(malformed());
        }
        let (kind, mesh, zone) = (next()?, next()?, next()?);
        let (namespace, name) = (next()?, next()?);
        // A section may hold `_` (`rule_0`); no other part can.
        let section = parts.collect::<Vec<_>>();
        if kind.is_empty() || name.is_empty() || section.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            kind,
            mesh,
            zone,
            namespace,
            name,
            section: section.join("_"),
        })
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
        kri.text()
    }
}

impl Serialize for Kri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Kri;

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

    fn kri() -> impl Strategy<Value = Kri> {
        prop::array::uniform6("[a_^]{0,2}").prop_map(|parts| {
            let [kind, mesh, zone, namespace, name, section] = parts;
            Kri {
                kind,
                mesh,
                zone,
                namespace,
                name,
                section,
            }
        })
    }

    proptest! {
        #[test]
        fn any_two_are_ordered_like_their_texts(a in kri(), b in kri()) {
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
