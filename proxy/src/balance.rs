//! Which instance of a cluster gets a request or a connection (language 5.10).
//!
//! Never keeps more than whose turn it is: how much an instance has to do, and whether it could be reached, is known to
//! its pool, which outlives a table.

mod draw;
mod way;
mod wheel;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use mesh_bundle::decide::share_of_new;
use mesh_bundle::resource::{Cluster, Locality, SlowStart};
use tokio::time::Instant;

use crate::dice::{mixed, roll};
use crate::table::Instance;
use crate::upstream::Ewma;
use draw::{at_random, cheapest, drawn};
use way::Way;
use wheel::Wheel;

/// Instances that come first because of what a request is hashed to: as many as one request tries.
const FIRSTS: usize = 3;
/// How long a share of healthy instances is taken to be what it was.
const COUNTED: Duration = Duration::from_millis(100);
/// Half of them (language 5.7).
const PANIC: u32 = 500_000;
/// All of them, in millionths.
const WHOLE: u64 = 1_000_000;

/// How the instances of one cluster are chosen from.
#[derive(Debug)]
pub(crate) struct Balance {
    way: Way,
    /// `None`: who is new gets its share at once.
    slow_start: Option<Box<SlowStart>>,
    /// Ascending priorities.
    levels: Vec<Level>,
    /// A level gives some of its requests to the next while its share of healthy instances is below this, in millionths.
    threshold: u64,
    turn: AtomicUsize,
    /// Below this share of healthy instances all are used, in millionths.
    panic: u64,
    healthy: Share,
    /// Instances are judged by what becomes of requests.
    judged: bool,
    /// Instances are probed.
    probed: bool,
}

/// A share of instances that are well, in millionths, and when it was counted.
#[derive(Debug, Default)]
struct Share(Mutex<Option<(Instant, u64)>>);

/// The instances of one priority, as places among those of the cluster.
#[derive(Debug)]
struct Level {
    instances: Range<usize>,
    groups: Vec<Group>,
    healthy: Share,
}

/// Those of them that have the same in common with the client.
#[derive(Debug)]
struct Group {
    instances: Range<usize>,
    weight: u64,
    wheel: OnceLock<Wheel>,
}

/// What a request is sent to first.
#[derive(Debug, Clone, Copy)]
struct First {
    firsts: [Option<usize>; FIRSTS],
    /// Then all of the group, from this one on.
    start: usize,
}

impl Balance {
    /// For instances that [`Self::arrange`] has put into their order.
    ///
    /// # Errors
    /// JSON pointer into the [`Cluster`], and what is wrong there.
    pub(crate) fn new(cluster: &Cluster, instances: &[Instance]) -> Result<Self, (String, String)> {
        let threshold = cluster.locality.as_ref();
        let threshold = threshold.map_or(Locality::THRESHOLD, |locality| locality.threshold.value);
        let balancer = cluster.balancer.as_ref().map(|balancer| &balancer.value);
        // Proxies that start together shall not all begin with the first instance.
        let turn = usize::try_from(roll() >> 33).unwrap_or_default();
        let breaker = cluster.circuit_breaker.as_deref();
        let mut end = 0;
        let levels = instances.chunk_by(|a, b| a.priority == b.priority);
        let levels = levels.map(|level| {
            let start = end;
            let groups = level.chunk_by(|a, b| a.weight == b.weight);
            let groups = groups.map(|group| {
                let start = end;
                end += group.len();
                Group {
                    instances: start..end,
                    weight: group.first().map_or(1, |instance| instance.weight),
                    wheel: OnceLock::new(),
                }
            });
            let groups = groups.collect();
            Level {
                instances: start..end,
                groups,
                healthy: Share::default(),
            }
        });
        let levels = levels.collect();
        Ok(Self {
            way: Way::of(balancer)?,
            slow_start: cluster.slow_start.clone(),
            levels,
            threshold: u64::from(threshold).max(1),
            turn: AtomicUsize::new(turn),
            panic: u64::from(
                breaker.map_or(PANIC, |breaker| breaker.healthy_panic_threshold.value),
            ),
            healthy: Share::default(),
            judged: breaker.is_some_and(|breaker| breaker.detection().is_some()),
            probed: cluster.health_check.is_some(),
        })
    }

    /// Puts those of one priority beside each other, and in them those of one group.
    pub(crate) fn arrange(instances: &mut [Instance]) {
        instances.sort_by_key(|instance| (instance.priority, std::cmp::Reverse(instance.weight)));
    }

    /// Does it get no traffic, for its failures or for what probes have found?
    pub(crate) fn leaves_out(&self, instance: &Instance) -> bool {
        (self.judged && instance.is_ejected()) || (self.probed && instance.is_unhealthy())
    }

    /// Are so many left out that all are used?
    pub(crate) fn panics(&self, instances: &[Instance]) -> bool {
        let is_well = |one: &Instance| !self.leaves_out(one);
        (self.judged || self.probed) && self.healthy.of(instances, is_well) < self.panic
    }

    /// Does it matter what a request is hashed to?
    pub(crate) fn looks_at_hashes(&self) -> bool {
        matches!(self.way, Way::Ring { .. } | Way::Maglev { .. })
    }

    /// What it makes of how long responses take; `None`: nothing.
    pub(crate) fn measures(&self) -> Option<Ewma> {
        match self.way {
            Way::PeakEwma { by, .. } => Some(by),
            _ => None,
        }
    }

    /// Does it matter since when there is an instance?
    pub(crate) fn starts_slowly(&self) -> bool {
        self.slow_start.is_some()
    }

    /// Every instance once, in the order in which they are tried. Requests of one hash have one order as long as the
    /// instances stay the same; without a hash it is another one at each call. `panics`: nobody is left out.
    pub(crate) fn order<'a>(
        &'a self,
        instances: &'a [Instance],
        hash: Option<u64>,
        panics: bool,
    ) -> impl Iterator<Item = &'a Instance> + Clone {
        let hash = hash.filter(|_| self.looks_at_hashes());
        // What chooses a level says nothing about the group in it, nor that about the instance.
        let dice = |salt| mixed(hash.map_or_else(roll, |hash| hash ^ salt));
        let level = self.level(instances, dice(1));
        let group = level.and_then(|level| level.group(dice(2)));
        let first = group.map(|group| {
            let takes = |one: &Instance| self.takes(one, panics);
            self.first(group, instances, hash.unwrap_or_else(roll), takes)
        });
        let first = first.unwrap_or(First {
            firsts: [None; FIRSTS],
            start: 0,
        });
        let group = group.map_or(0..0, |group| group.instances.clone());
        let level = level.map_or(0..0, |level| level.instances.clone());
        let in_group = (first.start..group.end).chain(group.start..first.start);
        let in_level = (level.start..group.start).chain(group.end..level.end);
        let elsewhere = (0..level.start).chain(level.end..instances.len());
        let all = in_group.chain(in_level).chain(elsewhere);
        let rest = all.filter(move |place| !first.firsts.contains(&Some(*place)));
        let order = first.firsts.into_iter().flatten().chain(rest);
        order.filter_map(|place| instances.get(place))
    }

    /// Is it its turn when it is drawn? Whoever is passed over leaves it to all others alike.
    fn takes(&self, instance: &Instance, panics: bool) -> bool {
        !instance.is_shunned() && (panics || !self.leaves_out(instance)) && self.is_warm(instance)
    }

    /// As often as its share is of what it would get if it were not new.
    fn is_warm(&self, instance: &Instance) -> bool {
        let Some(policy) = &self.slow_start else {
            return true;
        };
        let since = instance.known_pool().and_then(|pool| pool.well_since());
        since.is_none_or(|since| {
            let share = share_of_new(policy, since.elapsed());
            roll() % WHOLE < u64::from(share)
        })
    }

    /// The first level has all that its healthy instances suffice for, the next one what is left.
    fn level(&self, instances: &[Instance], dice: u64) -> Option<&Level> {
        let [_, _, ..] = self.levels.as_slice() else {
            return self.levels.first();
        };
        let is_well = |one: &Instance| !one.is_shunned() && !self.leaves_out(one);
        let mut left = WHOLE;
        let shares = self.levels.iter().map(|level| {
            let able = level
                .healthy
                .of(level.members(instances), is_well)
                .saturating_mul(WHOLE)
                / self.threshold;
            let share = able.min(left);
            left -= share;
            share
        });
        let shares: Vec<u64> = shares.collect();
        let level = weighted(shares.into_iter(), dice);
        self.levels.get(level.unwrap_or_default())
    }

    fn first(
        &self,
        group: &Group,
        instances: &[Instance],
        dice: u64,
        takes: impl Fn(&Instance) -> bool,
    ) -> First {
        let range = &group.instances;
        let members = instances.get(range.clone()).unwrap_or_default();
        let starting = |offset: usize| First {
            firsts: [None; FIRSTS],
            start: range.start + offset.checked_rem(range.len()).unwrap_or_default(),
        };
        let wheel = |make: &dyn Fn(&[Instance]) -> Wheel| {
            let wheel = group.wheel.get_or_init(|| make(members));
            let firsts = wheel.firsts(dice);
            First {
                firsts: firsts.map(|place| Some(range.start + place?)),
                start: range.start,
            }
        };
        match self.way {
            Way::RoundRobin => {
                let turn = |_| self.turn.fetch_add(1, Ordering::Relaxed);
                starting(drawn(members, turn, takes))
            }
            Way::Random => starting(drawn(members, |number| at_random(dice, number), takes)),
            Way::LeastRequest { choices } => {
                let cost = |one: &Instance| f64::from(one.requests());
                starting(cheapest(members, (choices, dice), takes, cost))
            }
            Way::PeakEwma { choices, by } => {
                let cost = |one: &Instance| one.cost(by);
                starting(cheapest(members, (choices, dice), takes, cost))
            }
            Way::Ring {
                function,
                least,
                most,
            } => wheel(&|members| Wheel::ring(members, function, least, most)),
            Way::Maglev { size } => wheel(&|members| Wheel::maglev(members, size)),
        }
    }
}

impl Share {
    /// Of these, counted again when it is a while ago.
    fn of(&self, members: &[Instance], is_well: impl Fn(&Instance) -> bool) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((at, share)) if at.elapsed() < COUNTED => share,
            _ => {
                let well = members.iter().filter(|one| is_well(one)).count();
                let well = u64::try_from(well).unwrap_or(u64::MAX);
                let all = u64::try_from(members.len()).unwrap_or(u64::MAX);
                let share = well.saturating_mul(WHOLE).checked_div(all);
                let share = share.unwrap_or_default();
                *known = Some((Instant::now(), share));
                share
            }
        }
    }
}

impl Level {
    fn members<'a>(&self, instances: &'a [Instance]) -> &'a [Instance] {
        instances.get(self.instances.clone()).unwrap_or_default()
    }

    fn group(&self, dice: u64) -> Option<&Group> {
        let weights = self.groups.iter().map(|group| group.weight);
        self.groups.get(weighted(weights, dice)?)
    }
}

/// One of them, each as often as its weight says; `None` where all weights are 0.
fn weighted(weights: impl Iterator<Item = u64> + Clone, dice: u64) -> Option<usize> {
    let sum = weights.clone().map(u128::from).sum::<u128>();
    let mut at = u128::from(dice).checked_rem(sum)?;
    weights.map(u128::from).position(|weight| {
        let here = at < weight;
        at = at.saturating_sub(weight);
        here
    })
}

#[cfg(test)]
mod tests;
