//! Drawing one of some instances: who is not to be taken now is passed over, and so leaves his share to all others alike.
//!
//! Never gives nobody: where all are passed over it is the one that was drawn last.

use crate::dice::mixed;
use crate::table::Instance;

/// Instances that are passed over before one is taken as it is: enough to leave out nine of ten.
const MOST_DRAWS: usize = 16;

/// The first that takes it, of those that are drawn one after the other.
pub(super) fn drawn(
    members: &[Instance],
    next: impl Fn(usize) -> usize,
    takes: impl Fn(&Instance) -> bool,
) -> usize {
    let place = |number| next(number).checked_rem(members.len()).unwrap_or_default();
    let mut last = place(0);
    // Whoever is alone is taken.
    let draws = if members.len() > 1 { MOST_DRAWS } else { 1 };
    for number in 1..draws {
        if members.get(last).is_none_or(&takes) {
            break;
        }
        last = place(number);
    }
    last
}

/// The one that costs least, of as many as shall be looked at.
pub(super) fn cheapest(
    members: &[Instance],
    (choices, dice): (usize, u64),
    takes: impl Fn(&Instance) -> bool,
    cost: impl Fn(&Instance) -> f64,
) -> usize {
    let cost = |at: &usize| members.get(*at).map_or(0.0, &cost);
    let cheaper = |a: &usize, b: &usize| cost(a).total_cmp(&cost(b));
    if choices < members.len() {
        let dice = |number: usize| mixed(dice.wrapping_add(u64::try_from(number).unwrap_or(0)));
        let first = drawn(members, |again| at_random(dice(0), again), &takes);
        let others = (1..choices).map(|number| {
            // Any but the first: whoever is dear would else win against itself.
            let on = |again| at_random(dice(number), again).checked_rem(members.len() - 1);
            let next = |again| first + 1 + on(again).unwrap_or_default();
            drawn(members, next, &takes)
        });
        let picked = std::iter::once(first).chain(others);
        return picked.min_by(cheaper).unwrap_or_default();
    }
    // All of them, from any on.
    let all = (0..members.len()).map(|number| at_random(dice, 0).wrapping_add(number));
    let all = all.filter_map(|at| at.checked_rem(members.len()));
    let taking = all
        .clone()
        .filter(|at| members.get(*at).is_some_and(&takes));
    let best = taking.min_by(cheaper);
    best.or_else(|| all.min_by(cheaper)).unwrap_or_default()
}

/// The same dice, rolled so many times more.
pub(super) fn at_random(dice: u64, times: usize) -> usize {
    match times {
        0 => offset(dice),
        _ => offset(mixed(
            dice.wrapping_add(u64::try_from(times).unwrap_or_default() << 32),
        )),
    }
}

fn offset(dice: u64) -> usize {
    usize::try_from(dice >> 1).unwrap_or_default()
}
