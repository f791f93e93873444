//! What a `MeshLoadBalancingStrategy` must hold (language 5.10).
//!
//! Never looks at the destination itself.

use crate::diag::{Code, Pointer};
use crate::kinds::target_ref::{TargetKind, TargetRef};
use crate::kinds::{Check, conf};

use super::{
    BalancerType, BalancingConf, HashPolicy, HashPolicyType, LoadBalancer, Maglev,
    MeshLoadBalancingStrategy, PeakEwma, RingHash, SlowStart,
};

/// The largest ring (language 5.10).
const MOST_RING: u32 = 8_000_000;
/// The largest table (language 5.10).
const MOST_TABLE: u32 = 5_000_011;

impl MeshLoadBalancingStrategy {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        TargetRef::check_top(self.target_ref.as_ref(), false, check);
        let at = Pointer::default().field("to");
        if self.to.is_empty() {
            check.warn(Code::NO_EFFECT, &at, "a policy without `to` does nothing");
        }
        for (index, to) in self.to.iter().enumerate() {
            let at = at.index(index);
            let target = to.target_ref.as_ref();
            TargetRef::check_item(target, &at.field("targetRef"), super::KIND.to, check);
            let kind = target.and_then(|target| target.kind.as_ref());
            let at = at.field("default");
            match &to.default {
                Some(conf) => conf.check(kind, &at, check),
                None => {
                    check.warn(
                        Code::NO_EFFECT,
                        &at,
                        "a destination without `default` changes nothing",
                    );
                }
            }
        }
    }
}

impl BalancingConf {
    fn check(&self, target: Option<&TargetKind>, at: &Pointer, check: &mut Check<'_>) {
        let route = target == Some(&TargetKind::MeshHttpRoute);
        let of_clusters = [
            ("loadBalancer", self.load_balancer.is_some()),
            ("localityAwareness", self.locality_awareness.is_some()),
        ];
        for (field, _) in of_clusters.into_iter().filter(|(_, set)| route && *set) {
            let message = format!("`{field}` cannot be set for a route");
            check
                .invalid(&at.field(field), message)
                .help("a route can have `hashPolicies` of its own, nothing else");
        }
        if let Some(balancer) = self.load_balancer.as_ref().filter(|_| !route) {
            balancer.check(&at.field("loadBalancer"), check);
        }
        if let Some(locality) = self.locality_awareness.as_ref().filter(|_| !route) {
            locality.check(target, &at.field("localityAwareness"), check);
        }
        for (index, policy) in self.hash_policies.iter().flatten().enumerate() {
            policy.check(&at.field("hashPolicies").index(index), check);
        }
    }
}

impl LoadBalancer {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check.missing(&at.field("type")).help(
                "one of `RoundRobin`, `LeastRequest`, `PeakEWMA`, `RingHash`, `Random`, `Maglev`",
            );
            return;
        };
        let members = [
            (
                BalancerType::LeastRequest,
                "leastRequest",
                self.least_request.is_some(),
            ),
            (BalancerType::PeakEWMA, "peakEWMA", self.peak_ewma.is_some()),
            (BalancerType::RingHash, "ringHash", self.ring_hash.is_some()),
            (BalancerType::Maglev, "maglev", self.maglev.is_some()),
        ];
        for (other, field, _) in members.into_iter().filter(|(_, _, set)| *set) {
            if other != kind {
                let message = format!("`{field}` has no effect with the type `{kind:?}`");
                check.warn(Code::NO_EFFECT, &at.field(field), message);
            }
        }
        if let Some(least) = &self.least_request {
            let at = at.field("leastRequest");
            if least.choice_count.is_some_and(|count| count < 2) {
                check.invalid(&at.field("choiceCount"), "it must be at least 2");
            }
            if let Some(bias) = &least.active_request_bias {
                bias.check_not_negative(&at.field("activeRequestBias"), check);
            }
        }
        if let Some(ewma) = &self.peak_ewma {
            ewma.check(&at.field("peakEWMA"), check);
        }
        if let Some(slow_start) = &self.slow_start {
            let at = at.field("slowStart");
            slow_start.check(&at, check);
            if matches!(kind, BalancerType::RingHash | BalancerType::Maglev) {
                let message = format!("`slowStart` has no effect with the type `{kind:?}`");
                check
                    .warn(Code::NO_EFFECT, &at, message)
                    .help("who is new has its places among the hashes at once; remove it, or change the type");
            }
        }
        if let Some(ring) = &self.ring_hash {
            ring.check(&at.field("ringHash"), check);
        }
        if let Some(maglev) = &self.maglev {
            maglev.check(&at.field("maglev").field("tableSize"), check);
        }
    }
}

impl PeakEwma {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        if self.choice_count.is_some_and(|count| count < 2) {
            check.invalid(&at.field("choiceCount"), "it must be at least 2");
        }
        conf::span_above_zero(self.decay_time, &at.field("decayTime"), check);
    }
}

impl SlowStart {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let window = at.field("window");
        if self.window.is_none() {
            check.missing(&window);
        }
        conf::span_above_zero(self.window, &window, check);
        if let Some(aggression) = &self.aggression {
            aggression.check_above_zero(&at.field("aggression"), check);
        }
        let least = at.field("minWeightPercent");
        conf::between(self.min_weight_percent, (1, 100), &least, check);
    }
}

impl RingHash {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let least = at.field("minRingSize");
        conf::between(self.min_ring_size, (1, MOST_RING), &least, check);
        let most = at.field("maxRingSize");
        conf::between(self.max_ring_size, (1, MOST_RING), &most, check);
        if let (Some(min), Some(max)) = (self.min_ring_size, self.max_ring_size)
            && min > max
        {
            let message = format!("the smallest ring `{min}` is larger than the largest, `{max}`");
            check.invalid(&least, message);
        }
    }
}

impl Maglev {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        conf::between(self.table_size, (1, MOST_TABLE), at, check);
        let Some(size) = self
            .table_size
            .filter(|size| (1..=MOST_TABLE).contains(size))
        else {
            return;
        };
        if !is_prime(size) {
            check
                .invalid(at, format!("`{size}` is not a prime number"))
                .help("for example 251, 4099, 65537");
        }
    }
}

fn is_prime(number: u32) -> bool {
    let roots = (2..).take_while(|root| root * root <= number);
    number > 1 && roots.into_iter().all(|root| !number.is_multiple_of(root))
}

impl HashPolicy {
    fn check(&self, at: &Pointer, check: &mut Check<'_>) {
        let Some(kind) = self.kind else {
            check
                .missing(&at.field("type"))
                .help("one of `Header`, `Cookie`, `Connection`, `QueryParameter`, `FilterState`");
            return;
        };
        let members = [
            ("header", self.header.is_some()),
            ("cookie", self.cookie.is_some()),
            ("connection", self.connection.is_some()),
            ("queryParameter", self.query_parameter.is_some()),
            ("filterState", self.filter_state.is_some()),
        ];
        let wanted = match kind {
            HashPolicyType::Header => "header",
            HashPolicyType::Cookie => "cookie",
            HashPolicyType::Connection => "connection",
            HashPolicyType::QueryParameter => "queryParameter",
            HashPolicyType::FilterState => "filterState",
        };
        conf::member_of(&format!("{kind:?}"), wanted, &members, at, check);
        let named = [
            ("header", &self.header),
            ("queryParameter", &self.query_parameter),
        ];
        for (field, member) in named {
            if let Some(member) = member {
                check.required(member.name.as_ref(), &at.field(field).field("name"));
            }
        }
        if let Some(cookie) = &self.cookie {
            let at = at.field("cookie");
            check.required(cookie.name.as_ref(), &at.field("name"));
            if let Some(path) = cookie.path.as_ref().filter(|path| !path.starts_with('/')) {
                let message = format!("`{path}` is not an absolute path");
                check.invalid(&at.field("path"), message);
            }
        }
        if let Some(state) = &self.filter_state {
            let at = at.field("filterState");
            check.required(state.key.as_ref(), &at.field("key"));
            check.not_implemented(&at, "there are no filters that keep a state");
        }
    }
}
