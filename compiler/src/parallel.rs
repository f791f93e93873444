//! Work that falls into independent pieces, on all processors.
//!
//! Never lets anybody see it: results come in the order of the pieces, whoever did them, and however many there were to do
//! them.

use std::sync::atomic::{AtomicUsize, Ordering};

/// More would wait for memory, not for each other.
const MOST_THREADS: usize = 8;
/// Small items that are taken at once: taking them one by one costs more than they do.
pub(crate) const SMALL: usize = 16;

/// What `work` makes of each item, in their order. A thread takes so many at a time.
pub(crate) fn map<I: Sync, T: Send>(
    items: &[I],
    at_a_time: usize,
    work: impl Fn(&I) -> T + Sync,
) -> Vec<T> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = available
        .min(MOST_THREADS)
        .min(items.len().div_ceil(at_a_time));
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let pieces = || {
        let mut done = Vec::new();
        loop {
            let start = next.fetch_add(at_a_time, Ordering::Relaxed);
            let Some(rest) = items.get(start..).filter(|rest| !rest.is_empty()) else {
                return done;
            };
            let made: Vec<T> = rest.iter().take(at_a_time).map(&work).collect();
            done.push((start, made));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(pieces)).collect();
        let mut done = pieces();
        for other in others {
            match other.join() {
                Ok(made) => done.extend(made),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(start, _)| *start);
    done.into_iter().flat_map(|(_, made)| made).collect()
}

/// What both make, at the same time.
pub(crate) fn both<A, B: Send>(
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, 15, 16, 17, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = super::map(&items, 16, |item| item * 2);
            assert_eq!(
                doubled,
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
    }
}
