//! What a change may do to a mesh without somebody being asked.
//!
//! Never judges a change: that is `diff`. Never changes what a bundle is.

use std::collections::BTreeSet;

use globset::GlobMatcher;
use mesh_bundle::Kri;

/// The trailer of commit messages where nothing else is said.
pub const TRAILER: &str = "Mesh-Allow-Removal";

/// What the table `[gates]` says.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    /// The file, from the top of the repository.
    pub file: String,
    /// More proxies than this may not get another configuration by one change.
    pub max_proxies: Option<Told<u32>>,
    /// The same as a share of all proxies.
    pub max_proxies_percent: Option<Told<u32>>,
    /// May a change open a destination outside of the mesh?
    pub allow_new_external: Option<Told<bool>>,
    /// Where a larger share of the edges goes, a commit has to say why.
    pub max_removed_edges_percent: Option<Told<u32>>,
    /// With which trailer.
    pub removal_trailer: Option<Told<String>>,
    /// Do the tests of a change have to hold before meshd gives it to anybody?
    pub tests: Option<Told<bool>>,
    /// Who may change what.
    pub owners: Vec<Owner>,
}

/// A value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    /// The value.
    pub value: T,
    /// From 1.
    pub line: u32,
}

/// Whom the changes of one directory may affect.
#[derive(Debug, Clone)]
pub struct Owner {
    /// From the top of the repository, without a `/` at its end; empty for all of it.
    pub directory: String,
    /// Of the file.
    pub line: u32,
    /// `None`: any.
    pub identities: Option<Names>,
    /// `None`: any.
    pub services: Option<Names>,
}

/// Patterns of names; what one of them fits is meant.
#[derive(Debug, Clone)]
pub struct Names(pub(super) Vec<GlobMatcher>);

impl Gates {
    /// The rule for a file, by its name from the top of the repository: that of the nearest directory.
    #[must_use]
    pub fn owner(&self, file: &str) -> Option<&Owner> {
        let holds = |owner: &&Owner| match owner.directory.as_str() {
            "" => true,
            directory => file
                .strip_prefix(directory)
                .is_some_and(|rest| rest.starts_with('/')),
        };
        let owners = self.owners.iter().filter(holds);
        owners.max_by_key(|owner| owner.directory.len())
    }

    /// The name of the trailer.
    #[must_use]
    pub fn trailer(&self) -> &str {
        let said = self.removal_trailer.as_ref();
        said.map_or(TRAILER, |said| said.value.as_str())
    }

    /// Every line of it, as `meshc config show` prints it: the key, what it is set to, and the line.
    pub(super) fn lines(&self) -> impl Iterator<Item = (String, String, u32)> {
        fn line<T: ToString>(name: &str, told: Option<&Told<T>>) -> Option<(String, String, u32)> {
            let told = told?;
            Some((format!("gates.{name}"), told.value.to_string(), told.line))
        }
        let single = [
            line("max-proxies", self.max_proxies.as_ref()),
            line("max-proxies-percent", self.max_proxies_percent.as_ref()),
            line("allow-new-external", self.allow_new_external.as_ref()),
            line(
                "max-removed-edges-percent",
                self.max_removed_edges_percent.as_ref(),
            ),
            line("removal-trailer", self.removal_trailer.as_ref()),
            line("tests", self.tests.as_ref()),
        ];
        let owners = self.owners.iter().flat_map(|owner| {
            let lists = [
                ("identities", &owner.identities),
                ("services", &owner.services),
            ];
            lists.into_iter().filter_map(move |(name, list)| {
                let text = list.as_ref()?.to_string();
                let key = format!("gates.owners.{:?}.{name}", owner.directory);
                Some((key, text, owner.line))
            })
        });
        single.into_iter().flatten().chain(owners)
    }
}

impl Names {
    /// Does one of the patterns fit one of these?
    #[must_use]
    pub fn hold(&self, names: &BTreeSet<&str>) -> bool {
        let mut names = names.iter();
        names.any(|name| self.0.iter().any(|pattern| pattern.is_match(name)))
    }

    /// Is a service meant: by its name, by `name:port` where it has one, or by all of its KRI.
    #[must_use]
    pub fn hold_service(&self, service: &Kri) -> bool {
        let port = format!("{}:{}", service.name(), service.section());
        self.hold(&BTreeSet::from([service.name(), &port, service.as_str()]))
    }
}

/// As in the file.
impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quoted: Vec<String> = self
            .0
            .iter()
            .map(|pattern| format!("{:?}", pattern.glob().glob()))
            .collect();
        write!(f, "[{}]", quoted.join(", "))
    }
}
