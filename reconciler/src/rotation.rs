//! The steps of a change of authority, told as they are taken: a new one is trusted, then it signs, then the old one goes.
//!
//! Never takes a step itself: authorities and the registry do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ca::{AnchorStep, Step};
use crate::event::{Events, News};
use crate::registry::{Now, Registry};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(5);

/// A certificate that vouches for a trust domain: mesh, domain, fingerprint.
type Anchor = (String, String, String);

/// The step at which each was seen last.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    known: Option<BTreeMap<Anchor, Step>>,
}

impl Rotation {
    /// Looks again and again.
    pub(crate) async fn watch(mut self, registry: Arc<Registry>, events: Arc<Events>) {
        loop {
            let now = Now::read().unix;
            if let Some(published) = registry.published() {
                // Whoever has answered knows the new one: it need not be waited for any longer.
                let at = if registry.all_answered() {
                    u64::MAX
                } else {
                    now
                };
                for news in self.look(&published.authorities.steps(at)) {
                    events.record(&news, now);
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What is new since the last look; nothing at the first one, which follows a start.
    fn look(&mut self, steps: &[AnchorStep]) -> Vec<News> {
        let anchor = |it: &AnchorStep| (it.mesh.clone(), it.trust_domain.clone(), it.pin.clone());
        let now: BTreeMap<Anchor, Step> = steps.iter().map(|it| (anchor(it), it.step)).collect();
        let Some(before) = self.known.replace(now.clone()) else {
            return Vec::new();
        };
        let told = |(mesh, domain, pin): &Anchor, reason, what: &dyn fmt::Display| {
            let message = format!("the authority {pin} of the trust domain `{domain}` {what}");
            News::info("Authority", &format!("{mesh}/{domain}"), reason, &message)
        };
        let mut news = Vec::new();
        for (anchor, step) in &now {
            let (reason, what) = match step {
                Step::Spreading => (
                    "AuthorityTrusted",
                    "is trusted from now on; it signs when every connected proxy has answered, or after a minute",
                ),
                Step::Signing => ("AuthoritySigns", "signs from now on"),
                Step::Retiring { .. } => (
                    "AuthorityRetires",
                    "signs no more; it is trusted until the last certificate that it signed has ended",
                ),
            };
            if before.get(anchor) != Some(step) {
                news.push(told(anchor, reason, &what));
            }
        }
        let gone = before.keys().filter(|anchor| !now.contains_key(*anchor));
        news.extend(
            gone.map(|anchor| told(anchor, "AuthorityForgotten", &"is not trusted any more")),
        );
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(list: &[(&str, Step)]) -> Vec<AnchorStep> {
        let step = |(pin, step): &(&str, Step)| AnchorStep {
            mesh: "shop".to_owned(),
            trust_domain: "shop.example".to_owned(),
            pin: (*pin).to_owned(),
            step: *step,
        };
        list.iter().map(step).collect()
    }

    #[test]
    fn each_step_is_told_once_and_a_restart_tells_nothing() {
        let mut rotation = Rotation::default();
        let mut told = |list: &[(&str, Step)]| {
            let news = rotation.look(&steps(list));
            news.iter()
                .map(|news| format!("{news:?}"))
                .collect::<Vec<_>>()
        };
        let retiring = Step::Retiring { until: 9 };
        assert_eq!(told(&[("a", Step::Signing)]), [""; 0]);
        for (list, expected) in [
            (vec![("a", Step::Signing)], vec![]),
            (
                vec![("a", retiring), ("b", Step::Spreading)],
                vec!["AuthorityRetires", "AuthorityTrusted"],
            ),
            (vec![("a", retiring), ("b", Step::Spreading)], vec![]),
            (
                vec![("a", retiring), ("b", Step::Signing)],
                vec!["AuthoritySigns"],
            ),
            (vec![("b", Step::Signing)], vec!["AuthorityForgotten"]),
        ] {
            let news = told(&list);
            assert_eq!(news.len(), expected.len(), "{news:?}");
            for (news, reason) in news.iter().zip(expected) {
                assert!(news.contains(reason), "{reason}: {news}");
            }
        }
    }
}
