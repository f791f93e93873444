//! Which source each mesh comes from: whoever had it first keeps it.
//!
//! Never gives a mesh to a second source while the first serves it, whatever a commit says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What all sources know of each other.
#[derive(Debug)]
pub(crate) struct Meshes {
    /// In the order of `meshd.toml`.
    names: Vec<String>,
    /// By mesh.
    owners: Mutex<BTreeMap<String, Owner>>,
    /// What other meshds serve, by their names and the mesh: the source.
    elsewhere: Mutex<Elsewhere>,
    /// Who has shown what he serves, or that he serves nothing yet.
    begun: watch::Sender<BTreeSet<usize>>,
    /// How often a mesh that was served became free.
    freed: watch::Sender<u64>,
}

/// By the name of a meshd and the mesh.
pub(crate) type Elsewhere = BTreeMap<(String, String), String>;

/// Who has a mesh.
#[derive(Debug, Clone, Copy)]
struct Owner {
    index: usize,
    /// It is served, and not only claimed for a commit that is being judged.
    serves: bool,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    meshes: Arc<Meshes>,
    index: usize,
}

/// Another source has this mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) mesh: String,
    pub(crate) owner: String,
}

impl Meshes {
    /// One place for each of these.
    pub(crate) fn among(names: Vec<String>) -> Vec<Place> {
        let meshes = Arc::new(Self {
            names,
            owners: Mutex::default(),
            elsewhere: Mutex::default(),
            begun: watch::Sender::default(),
            freed: watch::Sender::default(),
        });
        let places = 0..meshes.names.len();
        let place = |index| Place {
            meshes: Arc::clone(&meshes),
            index,
        };
        places.map(place).collect()
    }

    fn owners(&self) -> MutexGuard<'_, BTreeMap<String, Owner>> {
        // It is never left half changed.
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elsewhere(&self) -> MutexGuard<'_, Elsewhere> {
        self.elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn free(&self) {
        self.freed.send_modify(|count| *count += 1);
    }
}

impl Place {
    /// Of the source.
    pub(crate) fn name(&self) -> &str {
        let name = self.meshes.names.get(self.index);
        name.map_or("", String::as_str)
    }

    /// There is no other source.
    pub(crate) fn alone(&self) -> bool {
        self.meshes.names.len() == 1
    }

    /// Has another source this mesh?
    pub(crate) fn is_anothers(&self, mesh: &str) -> bool {
        let owner = self.meshes.owners().get(mesh).copied();
        owner.is_some_and(|owner| owner.index != self.index)
    }

    /// Has this source the mesh?
    pub(crate) fn has(&self, mesh: &str) -> bool {
        let owner = self.meshes.owners().get(mesh).copied();
        owner.is_some_and(|owner| owner.index == self.index)
    }

    /// Takes these beside what it has: all of them, or none.
    pub(crate) fn claim(&self, wanted: &BTreeSet<String>) -> Result<(), Taken> {
        let mut owners = self.meshes.owners();
        for mesh in wanted {
            let owner = owners.get(mesh).map(|owner| owner.index);
            if let Some(owner) = owner.filter(|owner| *owner != self.index) {
                let owner = self.meshes.names.get(owner).cloned();
                let (mesh, owner) = (mesh.clone(), owner.unwrap_or_default());
                return Err(Taken { mesh, owner });
            }
            if owner.is_none()
                && let Some(owner) = self.elsewhere(mesh)
            {
                let mesh = mesh.clone();
                return Err(Taken { mesh, owner });
            }
        }
        let index = self.index;
        for mesh in wanted {
            let serves = false;
            let owner = Owner { index, serves };
            owners.entry(mesh.clone()).or_insert(owner);
        }
        Ok(())
    }

    /// Another source that another meshd serves a mesh from. What is called otherwise there counts for nothing here.
    fn elsewhere(&self, mesh: &str) -> Option<String> {
        let elsewhere = self.meshes.elsewhere();
        let told = elsewhere.iter().filter(|((_, told), _)| told == mesh);
        let mut others = told.map(|(_, source)| source);
        let is_another = |it: &&String| *it != self.name() && self.meshes.names.contains(*it);
        others.find(is_another).cloned()
    }

    /// What other meshds serve, all of it.
    pub(crate) fn hears_all(&self, told: Elsewhere) {
        *self.meshes.elsewhere() = told;
        self.meshes.free();
    }

    /// What another meshd serves a mesh from; `None`: nothing any more.
    pub(crate) fn hears(&self, (meshd, mesh): (&str, &str), source: Option<String>) {
        let key = (meshd.to_owned(), mesh.to_owned());
        let Some(source) = source else {
            self.meshes.elsewhere().remove(&key);
            return self.meshes.free();
        };
        self.meshes.elsewhere().insert(key, source);
    }

    /// The source of each mesh that is served here, of all sources.
    pub(crate) fn served(&self) -> BTreeMap<String, String> {
        let owners = self.meshes.owners();
        let served = owners.iter().filter(|(_, owner)| owner.serves);
        let named = served.filter_map(|(mesh, owner)| {
            let source = self.meshes.names.get(owner.index)?;
            Some((mesh.clone(), source.clone()))
        });
        named.collect()
    }

    /// It serves these of what it has claimed, and gives up the others. Only where one was served do others hear of it:
    /// two sources that fail again and again must not wake each other.
    pub(crate) fn keep(&self, served: &BTreeSet<String>) {
        let mut freed = false;
        let mut owners = self.meshes.owners();
        owners.retain(|mesh, owner| {
            let stays = owner.index != self.index || served.contains(mesh);
            freed |= !stays && owner.serves;
            owner.serves |= stays && owner.index == self.index;
            stays
        });
        drop(owners);
        if freed {
            self.meshes.free();
        }
    }

    /// It has shown what it serves, as far as it does.
    pub(crate) fn begun(&self) {
        self.meshes
            .begun
            .send_if_modified(|begun| begun.insert(self.index));
    }

    /// Waits until those before it have: what is new to all goes by their order.
    pub(crate) async fn turn(&self) {
        let mut begun = self.meshes.begun.subscribe();
        let earlier = |begun: &BTreeSet<usize>| (0..self.index).all(|it| begun.contains(&it));
        // Whoever keeps the other end is this very place.
        let _ = begun.wait_for(earlier).await;
    }

    /// Hears when meshes become free.
    pub(crate) fn freed(&self) -> watch::Receiver<u64> {
        self.meshes.freed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn who_had_a_mesh_first_keeps_it_until_it_is_given_up() {
        let places = Meshes::among(vec!["shop".to_owned(), "bank".to_owned()]);
        let [shop, bank] = places.as_slice() else {
            panic!("two places");
        };
        shop.claim(&set(&["a", "b"])).unwrap();
        let taken = bank.claim(&set(&["b", "c"])).unwrap_err();
        assert_eq!((taken.mesh.as_str(), taken.owner.as_str()), ("b", "shop"));
        // Nothing of it was taken.
        assert!(!bank.has("c") && !shop.is_anothers("c"));
        bank.claim(&set(&["c"])).unwrap();
        assert!(shop.is_anothers("c") && bank.is_anothers("a"));
        let freed = shop.freed();
        shop.keep(&set(&["a", "b"]));
        assert!(!freed.has_changed().unwrap());
        shop.keep(&set(&["a"]));
        assert!(freed.has_changed().unwrap());
        // What was claimed and came to nothing wakes nobody.
        let freed = bank.freed();
        shop.claim(&set(&["d"])).unwrap();
        assert!(bank.claim(&set(&["d"])).is_err());
        shop.keep(&set(&["a"]));
        assert!(!freed.has_changed().unwrap());
        bank.claim(&set(&["b", "c"])).unwrap();
        assert!(shop.is_anothers("b") && bank.has("c"));
    }

    #[test]
    fn what_another_meshd_serves_is_no_mesh_for_another_source() {
        let places = Meshes::among(vec!["shop".to_owned(), "bank".to_owned()]);
        let (shop, bank) = (&places[0], &places[1]);
        let told = |source: &str| Some(source.to_owned());
        shop.hears(("one", "a"), told("shop"));
        shop.hears(("two", "b"), told("of another name"));
        let taken = bank.claim(&set(&["a"])).unwrap_err();
        assert_eq!((taken.mesh.as_str(), taken.owner.as_str()), ("a", "shop"));
        shop.claim(&set(&["a", "b"])).unwrap();
        // Whoever serves it goes on, whatever is said elsewhere.
        shop.hears(("one", "a"), told("bank"));
        shop.claim(&set(&["a"])).unwrap();
        assert_eq!(shop.served(), BTreeMap::new());
        shop.keep(&set(&["a"]));
        let served = [("a".to_owned(), "shop".to_owned())];
        assert_eq!(bank.served(), BTreeMap::from(served));
        // It is free when none serves it any more.
        shop.hears(("one", "c"), told("shop"));
        let freed = bank.freed();
        assert!(bank.claim(&set(&["c"])).is_err());
        assert!(!freed.has_changed().unwrap());
        shop.hears(("one", "c"), None);
        assert!(freed.has_changed().unwrap());
        bank.claim(&set(&["c"])).unwrap();
    }

    #[tokio::test]
    async fn what_is_new_to_all_goes_by_their_order() {
        let places = Meshes::among(vec!["shop".to_owned(), "bank".to_owned()]);
        places[0].turn().await;
        let turn = places[1].turn();
        tokio::pin!(turn);
        tokio::select! {
            biased;
            () = &mut turn => panic!("the first one has not begun"),
            () = std::future::ready(()) => {}
        }
        places[0].begun();
        turn.await;
    }
}
