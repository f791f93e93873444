//! The addresses of meshd: any number of them serve the same mesh, and the proxy is with one at a time.
//!
//! Never stays with one that does not answer while another may: a lost session is tried with the next address at once, and
//! the proxy waits only when all have failed in a row.

/// Where meshd delivers, each `host:port`; at least one.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    all: Vec<String>,
    /// Index of the one to use.
    at: usize,
    /// Failed in a row.
    failed: usize,
}

impl Addresses {
    /// Begins anywhere, so that a fleet spreads over all of them.
    pub(super) fn new(all: &[String], dice: u32) -> Self {
        let all = all.to_vec();
        // An empty list is refused by the command line; a remainder of it would be a defect.
        let at = dice as usize % all.len().max(1);
        Self { all, at, failed: 0 }
    }

    /// The one to use.
    pub(super) fn current(&self) -> &str {
        self.all.get(self.at).map_or("", String::as_str)
    }

    /// A session is open.
    pub(super) fn answered(&mut self) {
        self.failed = 0;
    }

    /// This one did not do, or is lost: the next one's turn. True when all have had theirs, and it is time to wait.
    pub(super) fn turn(&mut self) -> bool {
        let count = self.all.len().max(1);
        self.at = (self.at + 1) % count;
        self.failed += 1;
        let waits = self.failed >= count;
        if waits {
            self.failed = 0;
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::Addresses;

    #[test]
    fn all_are_tried_before_a_wait() {
        let all = ["a:1", "b:1", "c:1"].map(str::to_owned);
        let mut addresses = Addresses::new(&all, 4);
        let mut tried = Vec::new();
        for _ in 0..6 {
            let current = addresses.current().to_owned();
            tried.push((current, addresses.turn()));
        }
        let tried: Vec<(&str, bool)> = tried.iter().map(|(a, w)| (a.as_str(), *w)).collect();
        let round = [("b:1", false), ("c:1", false), ("a:1", true)];
        assert_eq!(tried, [round, round].concat());
        // One that answered for a while counts as a beginning.
        addresses.turn();
        addresses.answered();
        assert!(!addresses.turn() && !addresses.turn() && addresses.turn());
    }

    #[test]
    fn one_alone_is_waited_for() {
        let mut addresses = Addresses::new(&["a:1".to_owned()], 7);
        assert!(addresses.turn() && addresses.turn());
        assert_eq!(addresses.current(), "a:1");
    }
}
