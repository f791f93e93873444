//! Proxies that are connected and hold something else than they should, told when it lasts and when it is over.
//!
//! Never tells of what is merely on its way, and never the same twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::{Digest, Kri};
use tokio::time::Instant;

use crate::event::{Events, News};
use crate::registry::{Now, Registry, Seen, Standing};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);
/// A change is everywhere within seconds; who takes longer than this has a reason.
const PATIENCE: Duration = Duration::from_secs(60);
/// Proxies that are told about in one look; the others are counted.
const MOST: usize = 20;

/// Who is behind, and since when.
#[derive(Debug, Default)]
pub(crate) struct Drift {
    behind: BTreeMap<Kri, Behind>,
}

#[derive(Debug)]
struct Behind {
    wanted: Digest,
    since: Instant,
    told: bool,
}

impl Drift {
    /// Looks again and again.
    pub(crate) async fn watch(mut self, registry: Arc<Registry>, events: Arc<Events>) {
        loop {
            let now = Instant::now();
            for news in self.look(&registry.proxies(None, now), now) {
                events.record(&news, Now::read().unix);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What is new.
    fn look(&mut self, proxies: &[Seen], now: Instant) -> Vec<News> {
        let (mut late, mut mended) = (Vec::new(), Vec::new());
        let mut still = BTreeSet::new();
        for seen in proxies {
            match seen.standing {
                Standing::Acked => {
                    if self.behind.get(&seen.name).is_some_and(|it| it.told) {
                        mended.push(seen);
                    }
                }
                // What it does when it is back is seen then.
                Standing::Offline => {}
                Standing::Pending | Standing::Nacked => {
                    still.insert(&seen.name);
                    let new = || Behind {
                        wanted: seen.wanted,
                        since: now,
                        told: false,
                    };
                    let behind = self.behind.entry(seen.name.clone()).or_insert_with(new);
                    if behind.wanted != seen.wanted && !behind.told {
                        *behind = new();
                    }
                    if !behind.told && now.duration_since(behind.since) >= PATIENCE {
                        behind.told = true;
                        late.push(seen);
                    }
                }
            }
        }
        self.behind.retain(|name, _| still.contains(name));
        let mut news = some(&late, |name, message| {
            News::error("Proxy", name, "Drifted", message)
        });
        news.extend(some(&mended, |name, message| {
            News::info("Proxy", name, "InSync", message)
        }));
        news
    }
}

/// The first of them by name, the others as a number.
fn some(proxies: &[&Seen], news: impl Fn(&str, &str) -> News) -> Vec<News> {
    let named = proxies.iter().take(MOST);
    let mut list: Vec<News> = named
        .map(|seen| news(&seen.name.to_string(), &words(seen)))
        .collect();
    if let Some(more) = proxies.len().checked_sub(MOST).filter(|more| *more > 0) {
        list.push(news("many", &format!("and {more} more proxies")));
    }
    list
}

fn words(seen: &Seen) -> String {
    let wanted = seen.wanted.short();
    let held = match seen.held {
        Some(held) if held == seen.wanted => return format!("it holds {wanted} as it should"),
        Some(held) => held.short(),
        None => "nothing that is known".to_owned(),
    };
    let why = match &seen.reason {
        Some(reason) => format!("it refused that: {reason}"),
        None => "it has not answered".to_owned(),
    };
    let patience = PATIENCE.as_secs();
    format!("for {patience} s it has held {held} instead of {wanted}; {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, wanted: &str, standing: Standing) -> Seen {
        let wanted = Digest::of(wanted.as_bytes());
        let current = standing == Standing::Acked;
        Seen {
            name: format!("kri_dp_shop___{name}_").parse().unwrap(),
            standing,
            held: Some(if current { wanted } else { Digest::of(b"old") }),
            wanted,
            current,
            ready: true,
            reason: (standing == Standing::Nacked).then(|| "no such zone".to_owned()),
        }
    }

    #[test]
    fn who_stays_behind_is_told_about_once_and_when_it_is_mended() {
        use Standing::{Acked, Nacked, Offline, Pending};
        let begin = Instant::now();
        let mut drift = Drift::default();
        for (second, wanted, standing, expected) in [
            (0, "a", Acked, ""),
            (10, "b", Pending, ""),
            (60, "b", Pending, ""),
            // Another commit begins anew.
            (70, "c", Nacked, ""),
            (120, "c", Nacked, ""),
            (130, "c", Nacked, "no such zone"),
            (140, "c", Nacked, ""),
            // The same drift, whatever is wanted meanwhile.
            (300, "d", Pending, ""),
            (310, "d", Acked, "as it should"),
            (320, "d", Acked, ""),
            (330, "e", Pending, ""),
            // Who comes back has its time again, and is not said to be mended.
            (340, "e", Offline, ""),
            (395, "e", Pending, ""),
            (460, "e", Pending, "has not answered"),
            (470, "e", Offline, ""),
            (480, "e", Acked, ""),
        ] {
            let now = begin + Duration::from_secs(second);
            let news = drift.look(&[seen("web", wanted, standing)], now);
            let told = format!("{news:?}");
            assert_eq!(
                news.len(),
                usize::from(!expected.is_empty()),
                "{second}: {told}"
            );
            assert!(told.contains(expected), "{second}: {told}");
        }
        assert!(drift.behind.is_empty());
    }

    #[test]
    fn of_many_some_are_named() {
        let begin = Instant::now();
        let mut drift = Drift::default();
        let many = |standing| -> Vec<Seen> {
            let names = (0..100).map(|number| format!("p{number}"));
            names.map(|name| seen(&name, "a", standing)).collect()
        };
        assert!(drift.look(&many(Standing::Pending), begin).is_empty());
        let news = drift.look(&many(Standing::Pending), begin + PATIENCE);
        assert_eq!(news.len(), MOST + 1);
        assert!(format!("{news:?}").contains("and 80 more"));
        let news = drift.look(&many(Standing::Acked), begin + PATIENCE);
        assert_eq!(news.len(), MOST + 1);
        // Who is not in the mesh any more is forgotten.
        drift.look(&many(Standing::Pending), begin);
        assert!(drift.look(&[], begin).is_empty());
        assert!(drift.behind.is_empty());
    }
}
