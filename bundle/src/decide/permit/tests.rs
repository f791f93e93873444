//! Permissions and limits against the naive reading of the specification.

use proptest::prelude::*;

use super::*;
use crate::decide::timeout::limits;
use crate::duration::Duration;
use crate::origin::Sourced;
use crate::resource::{PeerMatch, PeerTimeouts, Permissions, SpiffeMatch, TlsMode};
use crate::spiffe::SpiffeId;

fn origin(line: u32) -> Origin {
    Origin {
        resource: "kri_mtp_default___p_".parse().unwrap(),
        file: "policies/api.yaml".to_owned(),
        line,
    }
}

fn id(text: &str) -> SpiffeId {
    text.parse().unwrap()
}

fn exact(text: &str) -> PeerMatch {
    PeerMatch {
        spiffe_id: Some(SpiffeMatch::Exact(id(text))),
        sni: None,
    }
}

fn prefix(text: &str) -> PeerMatch {
    PeerMatch {
        spiffe_id: Some(SpiffeMatch::Prefix(id(text))),
        sni: None,
    }
}

fn inbound(permissions: Option<Permissions>) -> InboundPolicy {
    InboundPolicy::new(TlsMode::Strict, permissions)
}

fn permissions(
    deny: Vec<PeerMatch>,
    allow: Vec<PeerMatch>,
    shadow: Vec<PeerMatch>,
) -> InboundPolicy {
    let rules = |first: u32, peers: Vec<PeerMatch>| {
        let rule = |(line, peer)| PermissionRule {
            peer,
            origin: origin(line),
        };
        (first..).zip(peers).map(rule).collect()
    };
    inbound(Some(Permissions {
        deny: rules(100, deny),
        allow: rules(200, allow),
        allow_with_shadow_deny: rules(300, shadow),
        unmatched: origin(1),
    }))
}

fn ask(policy: &InboundPolicy, identity: Option<&str>) -> (char, Option<u32>) {
    let identity = identity.map(id);
    match permit(
        policy,
        &Peer {
            identity: identity.as_ref(),
            sni: None,
        },
    ) {
        Verdict::Permit { origin } => ('p', origin.map(|origin| origin.line)),
        Verdict::ShadowDeny { origin } => ('s', Some(origin.line)),
        Verdict::Deny { origin } => ('d', Some(origin.line)),
    }
}

/// Language 9, E7.
#[test]
fn deny_beats_allow_whoever_wrote_it() {
    let policy = permissions(
        vec![exact("spiffe://td/workload/web")],
        vec![prefix("spiffe://td")],
        vec![],
    );
    assert_eq!(
        ask(&policy, Some("spiffe://td/workload/web")),
        ('d', Some(100))
    );
    assert_eq!(
        ask(&policy, Some("spiffe://td/workload/api")),
        ('p', Some(200))
    );
    assert_eq!(
        ask(&policy, Some("spiffe://other/workload/api")),
        ('d', Some(1))
    );
    assert_eq!(ask(&policy, None), ('d', Some(1)));
}

#[test]
fn shadow_permits_and_says_so() {
    let web = "spiffe://td/workload/web";
    let shadow = permissions(vec![], vec![], vec![exact(web)]);
    assert_eq!(ask(&shadow, Some(web)), ('s', Some(300)));
    let identity = id(web);
    assert!(
        permit(
            &shadow,
            &Peer {
                identity: Some(&identity),
                sni: None
            }
        )
        .permits()
    );
    let both = permissions(vec![], vec![exact(web)], vec![exact(web)]);
    assert_eq!(ask(&both, Some(web)), ('p', Some(200)));
    let denied = permissions(vec![exact(web)], vec![exact(web)], vec![exact(web)]);
    assert_eq!(ask(&denied, Some(web)), ('d', Some(100)));
}

#[test]
fn without_an_identity_nothing_is_asked_and_without_rules_nothing_is_permitted() {
    assert_eq!(ask(&inbound(None), None), ('p', None));
    assert_eq!(
        ask(&permissions(vec![], vec![], vec![]), Some("spiffe://td/a")),
        ('d', Some(1))
    );
}

/// Language 9, E6, as the compiler orders it: the most specific match first, merged.
#[test]
fn limits_depend_on_the_peer() {
    let at = |line, value: &str| Sourced {
        value: value.parse().unwrap(),
        origin: Some(origin(line)),
    };
    let mut policy = inbound(None);
    policy.timeouts.request = at(1, "10s");
    let timeouts = |peer, request, stream_idle| PeerTimeouts {
        peer,
        request,
        stream_idle,
    };
    policy.peer_timeouts = vec![
        timeouts(exact("spiffe://td/workload/web"), at(3, "2s"), at(2, "1m")),
        timeouts(
            prefix("spiffe://td/workload/web"),
            at(1, "10s"),
            at(2, "1m"),
        ),
    ];
    for (peer, request, stream_idle) in [
        (Some("spiffe://td/workload/web"), "2s", "1m"),
        (Some("spiffe://td/workload/webhook"), "10s", "1m"),
        (Some("spiffe://td/workload/api"), "10s", "30m"),
        (None, "10s", "30m"),
    ] {
        let identity = peer.map(id);
        let found = limits(
            &policy,
            &Peer {
                identity: identity.as_ref(),
                sni: None,
            },
        );
        let expected: [Duration; 2] = [request, stream_idle].map(|text| text.parse().unwrap());
        assert_eq!(
            [found.request.value, found.stream_idle.value],
            expected,
            "{peer:?}"
        );
    }
}

fn ids() -> impl Strategy<Value = String> {
    let domain = prop::sample::select(vec!["td", "td2", "td.x"]);
    let path = prop::sample::select(vec!["", "/a", "/ab", "/a/b", "/a/bc", "/b"]);
    (domain, path).prop_map(|(domain, path)| format!("spiffe://{domain}{path}"))
}

fn matches() -> impl Strategy<Value = PeerMatch> {
    let sni = prop::option::weighted(0.3, prop::sample::select(vec!["x", "y"]));
    (prop::option::weighted(0.9, (ids(), any::<bool>())), sni).prop_map(|(spiffe, sni)| PeerMatch {
        spiffe_id: spiffe.map(|(text, is_prefix)| match is_prefix {
            true => SpiffeMatch::Prefix(id(&text)),
            false => SpiffeMatch::Exact(id(&text)),
        }),
        sni: sni.map(str::to_owned),
    })
}

/// On texts, condition by condition.
fn naive(rule: &PeerMatch, identity: Option<&str>, sni: Option<&str>) -> bool {
    let spiffe = match (&rule.spiffe_id, identity) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(SpiffeMatch::Exact(rule)), Some(id)) => rule.as_str() == id,
        (Some(SpiffeMatch::Prefix(rule)), Some(id)) => {
            let domain = |text: &str| text.split('/').nth(2).unwrap_or_default().to_owned();
            id.starts_with(rule.as_str()) && domain(id) == domain(rule.as_str())
        }
    };
    let name = rule.sni.is_none() || rule.sni.as_deref() == sni;
    let empty = rule.spiffe_id.is_none() && rule.sni.is_none();
    spiffe && name && !empty
}

proptest! {
    #[test]
    fn as_the_naive_reading(
        lists in prop::array::uniform3(prop::collection::vec(matches(), 0..4)),
        identity in prop::option::of(ids()),
        sni in prop::option::of(prop::sample::select(vec!["x", "y", "z"])),
    ) {
        let [deny, allow, shadow] = lists.clone();
        let policy = permissions(deny, allow, shadow);
        let parsed = identity.as_deref().map(id);
        let verdict = permit(&policy, &Peer { identity: parsed.as_ref(), sni });
        let any = |list: &[PeerMatch]| list.iter().any(|rule| naive(rule, identity.as_deref(), sni));
        let [deny, allow, shadow] = lists.map(|list| any(&list));
        let expected = match (deny, allow, shadow) {
            (true, _, _) | (false, false, false) => 'd',
            (false, true, _) => 'p',
            (false, false, true) => 's',
        };
        let found = match verdict {
            Verdict::Permit { origin } => { prop_assert!(origin.is_some()); 'p' }
            Verdict::ShadowDeny { .. } => 's',
            Verdict::Deny { .. } => 'd',
        };
        prop_assert_eq!(found, expected);
    }
}
