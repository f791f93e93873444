//! Records on their way from the traffic to a collector.
//!
//! Never waits, and never wakes anybody for a single record: whoever ships them comes by, and is called where there is much.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc::error::{TryRecvError, TrySendError};
use tokio::sync::{Notify, mpsc, oneshot};

/// Records that wait: some seconds of a busy proxy.
const ROOM: usize = 4_096;
/// What they may take together.
const MOST_BYTES: usize = 4 << 20;

/// Where records are put; one for each collector and signal, shared by all threads.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    sender: mpsc::Sender<Item>,
    state: Arc<State>,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Item>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    bytes: AtomicUsize,
    /// Somebody was called and has not come yet.
    called: AtomicBool,
    call: Notify,
    lost: Counter,
}

#[derive(Debug)]
enum Item {
    Record(Vec<u8>),
    Flush(oneshot::Sender<()>),
}

/// What comes out next.
#[derive(Debug)]
pub(crate) enum Next {
    Record(Vec<u8>),
    /// Whoever asks wants everything before it to be sent.
    Flush(oneshot::Sender<()>),
    Nothing,
    /// Nothing, and nothing will ever come.
    End,
}

/// `lost` counts the records that find no room.
pub(crate) fn outbox(lost: Counter) -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(ROOM);
    let state = Arc::new(State {
        bytes: AtomicUsize::new(0),
        called: AtomicBool::new(false),
        call: Notify::new(),
        lost,
    });
    let inbox = Inbox {
        receiver,
        state: Arc::clone(&state),
    };
    (Outbox { sender, state }, inbox)
}

impl Outbox {
    /// Puts a record there, or counts it as lost; it is made only where there is room.
    pub(crate) fn put(&self, record: impl FnOnce() -> Vec<u8>) {
        let state = &self.state;
        let room = match state.bytes.load(Ordering::Relaxed) < MOST_BYTES {
            true => self.sender.try_reserve(),
            false => Err(TrySendError::Full(())),
        };
        match room {
            Ok(room) => {
                let record = record();
                state.bytes.fetch_add(record.len(), Ordering::Relaxed);
                room.send(Item::Record(record));
            }
            Err(_) => {
                state.lost.inc();
            }
        }
        if self.sender.capacity() <= ROOM / 2 {
            self.call();
        }
    }

    /// Waits until everything before it was sent, or given up.
    pub(crate) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.sender.send(Item::Flush(done)).await.is_ok() {
            self.call();
            // Without an answer there is nobody left who sends.
            let _ = flushed.await;
        }
    }

    fn call(&self) {
        if !self.state.called.swap(true, Ordering::Relaxed) {
            self.state.call.notify_one();
        }
    }
}

impl Inbox {
    /// Waits until it is worth looking before time.
    pub(crate) async fn called(&self) {
        self.state.call.notified().await;
        self.state.called.store(false, Ordering::Relaxed);
    }

    pub(crate) fn next(&mut self) -> Next {
        match self.receiver.try_recv() {
            Ok(Item::Record(record)) => {
                self.state.bytes.fetch_sub(record.len(), Ordering::Relaxed);
                Next::Record(record)
            }
            Ok(Item::Flush(done)) => Next::Flush(done),
            Err(TryRecvError::Empty) => Next::Nothing,
            Err(TryRecvError::Disconnected) => Next::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_finds_no_room_is_counted_and_never_made() {
        let lost = Counter::default();
        let (outbox, mut inbox) = outbox(lost.clone());
        for number in 0..ROOM + 3 {
            outbox.put(|| {
                assert!(number < ROOM, "there was no room for {number}");
                vec![0; 8]
            });
        }
        assert_eq!(lost.get(), 3);
        // Half of the room was taken long ago.
        inbox.called().await;
        let mut came = 0;
        while let Next::Record(_) = inbox.next() {
            came += 1;
        }
        assert_eq!(came, ROOM);
        drop(outbox);
        assert!(matches!(inbox.next(), Next::End));
    }

    #[test]
    fn a_few_large_ones_fill_it_too() {
        let lost = Counter::default();
        let (outbox, mut inbox) = outbox(lost.clone());
        outbox.put(|| vec![0; MOST_BYTES]);
        outbox.put(|| vec![0; 1]);
        assert_eq!(lost.get(), 1);
        assert!(matches!(inbox.next(), Next::Record(_)));
        outbox.put(|| vec![0; 1]);
        assert_eq!(lost.get(), 1);
    }
}
