//! Which of the rules that act beside each other are about a peer (language 4.10).
//!
//! Never lets a rule act twice, however many of its matches hold.

use crate::resource::IndependentRule;

use super::peer::Peer;

/// The rules that are about a peer, in their order.
pub fn applying<'a, T>(
    rules: &'a [IndependentRule<T>],
    peer: &Peer<'a>,
) -> impl Iterator<Item = &'a IndependentRule<T>> {
    let peer = *peer;
    let holds = move |rule: &IndependentRule<T>| {
        let own = rule.peer.as_ref();
        own.is_none_or(|own| own.matches(&peer))
    };
    rules.iter().enumerate().filter_map(move |(place, rule)| {
        let before = rules.get(..place).unwrap_or_default();
        let acted = |earlier: &IndependentRule<T>| earlier.number == rule.number && holds(earlier);
        (holds(rule) && !before.iter().any(acted)).then_some(rule)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kri::Kri;
    use crate::origin::Origin;
    use crate::resource::{PeerMatch, SpiffeMatch};

    fn rule(number: u32, peer: Option<&str>, act: &'static str) -> IndependentRule<&'static str> {
        let resource: Kri = "kri_mfi_default___x_".parse().unwrap();
        IndependentRule {
            number,
            peer: peer.map(|id| PeerMatch {
                spiffe_id: Some(SpiffeMatch::Prefix(id.parse().unwrap())),
                sni: None,
            }),
            acts: vec![act],
            origin: Origin {
                resource,
                file: "a.yaml".to_owned(),
                line: 1,
            },
        }
    }

    #[test]
    fn every_rule_acts_once_where_its_first_match_holds() {
        let rules = [
            rule(0, Some("spiffe://td/web"), "zero by web"),
            rule(1, Some("spiffe://td/api"), "one"),
            rule(0, Some("spiffe://td"), "zero by td"),
            rule(2, None, "two"),
        ];
        let acts = |id: Option<&str>| -> Vec<&str> {
            let id = id.map(|id| id.parse().unwrap());
            let identity = id.as_ref();
            let peer = Peer {
                identity,
                sni: None,
            };
            applying(&rules, &peer).map(|rule| rule.acts[0]).collect()
        };
        assert_eq!(acts(Some("spiffe://td/web")), ["zero by web", "two"]);
        assert_eq!(acts(Some("spiffe://td/api")), ["one", "zero by td", "two"]);
        assert_eq!(acts(Some("spiffe://other/x")), ["two"]);
        assert_eq!(acts(None), ["two"]);
    }
}
