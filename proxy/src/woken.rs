//! A future that is looked at only when it was woken, beside one that is looked at for each of many things.
//!
//! Never misses a wake-up: one that comes while the future is looked at has it looked at again.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Tells a task that something in it was woken, and what.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

/// Resolves as the future in it does.
#[derive(Debug)]
pub(crate) struct Woken<'f, F> {
    future: Pin<&'f mut F>,
    bell: Arc<Bell>,
    waker: Waker,
    /// What the bell wakes.
    task: Option<Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.wake_by_ref();
        }
    }
}

impl<'f, F> Woken<'f, F> {
    /// One bell is for one future at a time.
    pub(crate) fn new(bell: &Arc<Bell>, future: Pin<&'f mut F>) -> Self {
        Self {
            future,
            bell: Arc::clone(bell),
            waker: Arc::clone(bell).into(),
            task: None,
        }
    }
}

impl<F: Future> Future for Woken<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let same = |task: &Waker| task.will_wake(cx.waker());
        if !this.task.as_ref().is_some_and(same) {
            let task = &this.bell.task;
            *task.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
            this.task = Some(cx.waker().clone());
            this.bell.rung.store(true, Ordering::Release);
        }
        let rung = &this.bell.rung;
        if !rung.load(Ordering::Relaxed) || !rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let mut cx = Context::from_waker(&this.waker);
        this.future.as_mut().poll(&mut cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::sync::Notify;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn it_is_looked_at_when_it_was_woken_and_not_otherwise() {
        let (looks, notify) = (AtomicBool::new(false), Notify::new());
        let mut notified = pin!(notify.notified());
        let future = pin!(poll_fn(|cx| {
            looks.store(true, Ordering::Relaxed);
            notified.as_mut().poll(cx)
        }));
        let mut woken = Woken::new(&Arc::default(), future);
        for look in 0..3 {
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut woken).poll(cx))).await;
            assert_eq!(polled, Poll::Pending);
            assert_eq!(looks.swap(false, Ordering::Relaxed), look == 0);
            yield_now().await;
        }
        let (looks, ()) = tokio::join!(
            async {
                woken.await;
                looks.swap(false, Ordering::Relaxed)
            },
            async { notify.notify_one() }
        );
        assert!(looks);
    }
}
