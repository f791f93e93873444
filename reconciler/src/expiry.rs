//! Certificates that are about to end, told early: those of authorities, and those that proxies should have renewed.
//!
//! Never tells the same twice: each step on the way to the end once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::Duration as Written;

use crate::ca::CONTROL;
use crate::event::{Events, News};
use crate::registry::{Now, Registry};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(60);
const DAY: u64 = 24 * 3_600;
/// An authority is told about when less than these is left.
const STEPS: [u64; 4] = [DAY, 7 * DAY, 30 * DAY, 90 * DAY];
/// Proxies that are told about in one look; the others are counted.
const MOST: usize = 20;

/// What has been told.
#[derive(Debug, Default)]
pub(crate) struct Expiry {
    /// By authority: the step that it was told at, and when it ends.
    authorities: BTreeMap<String, (u64, u64)>,
    /// By proxy: when the certificate ends that it was told about.
    proxies: BTreeMap<String, u64>,
}

impl Expiry {
    /// Looks again and again.
    pub(crate) async fn watch(
        mut self,
        registry: Arc<Registry>,
        control_ends: u64,
        events: Arc<Events>,
    ) {
        loop {
            let now = Now::read().unix;
            let published = registry.published();
            let usable = published.iter().flat_map(|it| it.authorities.usable());
            let authorities =
                usable.map(|(kri, authority)| (kri.to_string(), authority.not_after()));
            let authorities = authorities.chain([(CONTROL.to_owned(), control_ends)]);
            let proxies = registry.unrenewed(now);
            let proxies = proxies.into_iter().map(|(kri, end)| (kri.to_string(), end));
            for news in self.look(authorities.collect(), &proxies.collect(), now) {
                events.record(&news, now);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What is new. Both by name, with when they end.
    fn look(
        &mut self,
        authorities: BTreeMap<String, u64>,
        proxies: &BTreeMap<String, u64>,
        now: u64,
    ) -> Vec<News> {
        let mut news = Vec::new();
        self.authorities
            .retain(|name, _| authorities.contains_key(name));
        for (name, end) in authorities {
            let left = end.saturating_sub(now);
            let Some(step) = STEPS.into_iter().find(|step| left < *step) else {
                self.authorities.remove(&name);
                continue;
            };
            if self.authorities.insert(name.clone(), (step, end)) == Some((step, end)) {
                continue;
            }
            let message = match left {
                0 => "its certificate has ended: what it signed is refused, and it signs nothing any more".to_owned(),
                _ => format!(
                    "its certificate ends in {}: replace it before that; proxies need its successor in time",
                    words(left)
                ),
            };
            news.push(News::error(
                "Authority",
                &name,
                "AuthorityExpires",
                &message,
            ));
        }
        self.proxies
            .retain(|name, end| proxies.get(name) == Some(end));
        let fresh = proxies
            .iter()
            .filter(|(name, _)| !self.proxies.contains_key(*name));
        let fresh: Vec<_> = fresh.map(|(name, end)| (name.clone(), *end)).collect();
        for (name, end) in fresh.iter().take(MOST) {
            let message = match end.saturating_sub(now) {
                0 => {
                    "its certificate has ended and was not renewed: its peers refuse it".to_owned()
                }
                left => format!(
                    "its certificate ends in {} and was not renewed: is the proxy connected?",
                    words(left)
                ),
            };
            news.push(News::error(
                "Proxy",
                name,
                "CertificateNotRenewed",
                &message,
            ));
        }
        if fresh.len() > MOST {
            let more = fresh.len() - MOST;
            let message = format!("{more} more proxies have not renewed their certificates");
            news.push(News::error(
                "Proxy",
                "many",
                "CertificateNotRenewed",
                &message,
            ));
        }
        self.proxies.extend(fresh);
        news
    }
}

fn words(seconds: u64) -> String {
    // Days and hours are enough for a person.
    let coarse = if seconds > DAY {
        seconds - seconds % 3_600
    } else {
        seconds
    };
    Written::from(Duration::from_secs(coarse)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn map(list: &[(&str, u64)]) -> BTreeMap<String, u64> {
        list.iter()
            .map(|(name, end)| ((*name).to_owned(), *end))
            .collect()
    }

    #[test]
    fn an_authority_is_told_about_once_at_each_step() {
        let mut expiry = Expiry::default();
        let end = NOW + 100 * DAY;
        let mut told = Vec::new();
        for day in 0..=100 {
            let now = NOW + day * DAY;
            for _ in 0..3 {
                let news = expiry.look(map(&[("a", end)]), &map(&[]), now);
                told.extend(news.iter().map(|_| day));
            }
        }
        assert_eq!(told, [11, 71, 94, 100]);
        // Its successor lives long.
        let news = expiry.look(map(&[("a", end + 900 * DAY)]), &map(&[]), end);
        assert!(news.is_empty());
        assert_eq!(expiry.authorities, BTreeMap::new());
    }

    #[test]
    fn a_proxy_is_told_about_once_for_each_certificate() {
        let mut expiry = Expiry::default();
        let mut count = |list: &[(&str, u64)]| expiry.look(map(&[]), &map(list), NOW).len();
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[("web", NOW + 9)]), 1);
        assert_eq!(count(&[("web", NOW + 9)]), 0);
        assert_eq!(count(&[("web", NOW + 9), ("api", NOW)]), 1);
        assert_eq!(count(&[("web", NOW + 10)]), 1);
        let many: Vec<_> = (0..100).map(|n| (format!("p{n}"), NOW + 1)).collect();
        let many: Vec<_> = many
            .iter()
            .map(|(name, end)| (name.as_str(), *end))
            .collect();
        assert_eq!(count(&many), MOST + 1);
        assert_eq!(count(&many), 0);
    }
}
