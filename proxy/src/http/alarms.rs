//! The limits of all requests of one connection, behind the one timer that the connection has anyway.
//!
//! Never set again for a request that ends in time, as almost all do: a timer that goes off for nobody is set to the next
//! limit, and until then requests that come and go cost it nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::Instant;

/// Who waits for what on one connection.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    waiting: Mutex<Waiting>,
    /// The serial of the last table that refuses the peer.
    revoked: AtomicU64,
    /// A limit is nearer than what the timer is set to.
    sooner: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Option<Entry>>,
    /// Of the entries those that nobody has.
    free: Vec<usize>,
    /// What the timer is set to: no later than the nearest limit.
    set: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: it was reached, or there is none.
    limit: Option<Instant>,
    waker: Waker,
}

/// The place of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entered(usize);

impl Alarms {
    /// Resolves when [`Self::next`] has come nearer.
    pub(super) fn sooner(&self) -> Notified<'_> {
        self.sooner.notified()
    }

    /// When somebody must be woken, if it is not for nothing.
    pub(super) fn next(&self) -> Option<Instant> {
        self.locked().set
    }

    /// Wakes those whose limits are reached.
    pub(super) fn ring(&self, now: Instant) {
        let mut waiting = self.locked();
        if waiting.set.is_none_or(|set| set > now) {
            return;
        }
        let mut next: Option<Instant> = None;
        for entry in waiting.entries.iter_mut().flatten() {
            match entry.limit {
                Some(limit) if limit <= now => {
                    entry.limit = None;
                    entry.waker.wake_by_ref();
                }
                Some(limit) => next = Some(next.map_or(limit, |next| next.min(limit))),
                None => {}
            }
        }
        waiting.set = next;
    }

    /// Ends the requests that a table before this one has permitted.
    pub(super) fn revoke(&self, serial: u64) {
        self.revoked.store(serial, Ordering::Release);
        for entry in self.locked().entries.iter().flatten() {
            entry.waker.wake_by_ref();
        }
    }

    /// Did a later table than this one refuse the peer?
    pub(super) fn is_revoked(&self, permitted_by: u64) -> bool {
        self.revoked.load(Ordering::Acquire) > permitted_by
    }

    /// Takes a place: its task is woken when the limit is reached, or when something is revoked.
    pub(super) fn enter(&self, limit: Option<Instant>, cx: &Context<'_>) -> Entered {
        let mut waiting = self.locked();
        let waker = cx.waker().clone();
        let entry = Some(Entry { limit, waker });
        let place = match waiting.free.pop() {
            Some(place) => place,
            None => waiting.entries.len(),
        };
        match waiting.entries.get_mut(place) {
            Some(free) => *free = entry,
            None => waiting.entries.push(entry),
        }
        self.set(&mut waiting, limit);
        Entered(place)
    }

    /// Waits for another limit, or in another task. False where the limit has been reached since it was set.
    pub(super) fn keep(&self, Entered(place): Entered, cx: &Context<'_>) -> bool {
        let mut waiting = self.locked();
        let Some(Some(entry)) = waiting.entries.get_mut(place) else {
            return false;
        };
        entry.waker.clone_from(cx.waker());
        entry.limit.is_some()
    }

    /// The same for another limit.
    pub(super) fn renew(&self, Entered(place): Entered, limit: Instant) {
        let mut waiting = self.locked();
        if let Some(Some(entry)) = waiting.entries.get_mut(place) {
            entry.limit = Some(limit);
        }
        self.set(&mut waiting, Some(limit));
    }

    pub(super) fn leave(&self, Entered(place): Entered) {
        let mut waiting = self.locked();
        if let Some(entry) = waiting.entries.get_mut(place) {
            *entry = None;
            waiting.free.push(place);
        }
    }

    fn set(&self, waiting: &mut Waiting, limit: Option<Instant>) {
        if let Some(limit) = limit
            && waiting.set.is_none_or(|set| limit < set)
        {
            waiting.set = Some(limit);
            self.sooner.notify_one();
        }
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicUsize);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Bell {
        fn rung(&self) -> usize {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    fn enter(alarms: &Alarms, limit: Instant) -> (Entered, Arc<Bell>) {
        let bell = Arc::new(Bell::default());
        let waker = Arc::clone(&bell).into();
        let entered = alarms.enter(Some(limit), &Context::from_waker(&waker));
        (entered, bell)
    }

    #[test]
    fn only_those_are_woken_whose_limits_are_reached() {
        let alarms = Alarms::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let (_, late) = enter(&alarms, at(9));
        let (early, first) = enter(&alarms, at(3));
        assert_eq!(alarms.next(), Some(at(3)));
        alarms.ring(at(2));
        assert_eq!((first.rung(), late.rung()), (0, 0));
        alarms.ring(at(3));
        assert_eq!((first.rung(), late.rung()), (1, 0));
        assert_eq!(alarms.next(), Some(at(9)));
        // It had something to do meanwhile, and waits on.
        let waker = Arc::clone(&first).into();
        assert!(!alarms.keep(early, &Context::from_waker(&waker)));
        alarms.renew(early, at(6));
        assert!(alarms.keep(early, &Context::from_waker(&waker)));
        alarms.ring(at(6));
        assert_eq!((first.rung(), late.rung()), (1, 0));
    }

    #[test]
    fn who_has_gone_is_not_woken_and_sets_nothing_again() {
        let alarms = Alarms::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        for second in 0..1_000 {
            let (entered, bell) = enter(&alarms, at(15 + second));
            alarms.leave(entered);
            alarms.ring(at(second));
            assert_eq!(bell.rung(), 0);
        }
        // One place was enough for all of them, and each time the timer went off for nobody it was set to nothing.
        assert_eq!(alarms.locked().entries.len(), 1);
        alarms.ring(at(10_000));
        assert_eq!(alarms.next(), None);
    }

    #[test]
    fn a_later_table_ends_what_an_earlier_one_has_permitted() {
        let alarms = Alarms::default();
        let (_, bell) = enter(&alarms, Instant::now() + Duration::from_secs(1));
        alarms.revoke(7);
        assert_eq!(bell.rung(), 1);
        assert!(alarms.is_revoked(6) && !alarms.is_revoked(7));
    }
}
