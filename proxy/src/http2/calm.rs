//! How calm the other side is: frames that ask for an answer and carry nothing are counted, and so are streams that it
//! begins in vain. A flood of them ends its connection.
//!
//! Never holds against anybody how much it sends: who sends much sends few frames for it.

use std::time::Duration;

use tokio::time::Instant;

use super::frame::{CONTINUATION, DATA, HEADERS, Head, PING, PRIORITY, SETTINGS};
use super::reason::Reason;

/// What one idle frame takes. The answer to a PING has 17 bytes and brings that much back, the smallest DATA frame with
/// what a client that measures its bandwidth asks beside it brings more: such a client may ask for as long as it is sent
/// something.
const PRICE: usize = 24;
/// What a frame with a request or a part of one brings.
const USE: usize = 8 * PRICE;
/// 1,000 idle frames.
const MOST: usize = 1_000 * PRICE;
/// Within this time: who keeps a connection alive sends one in some seconds.
const SPAN: Duration = Duration::from_secs(10);
/// Within the same time: what streams in vain count together.
const MOST_VAIN: usize = 1_000;
/// One that is given up before anybody has heard of it, or that breaks the rules.
pub(super) const ABUSED: usize = 10;
/// One more than there may be: whoever begins a connection does not know yet how many that are.
pub(super) const REFUSED: usize = 1;

/// What the other side has done lately.
#[derive(Debug)]
pub(super) struct Calm {
    left: usize,
    since: Instant,
    vain: usize,
    vain_since: Instant,
}

impl Calm {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            left: MOST,
            since: now,
            vain: 0,
            vain_since: now,
        }
    }

    /// A frame begins.
    pub(super) fn begins(&mut self, head: Head) -> Result<(), Reason> {
        match head.kind {
            HEADERS => self.earn(USE),
            DATA if head.length > 0 => self.earn(USE),
            DATA | PRIORITY | SETTINGS | PING => return self.pay(),
            // A kind that nobody knows is passed over, as often as it comes.
            _ if head.kind > CONTINUATION => return self.pay(),
            _ => {}
        }
        Ok(())
    }

    /// As many bytes were sent to it.
    pub(super) fn earn(&mut self, more: usize) {
        self.left = self.left.saturating_add(more).min(MOST);
    }

    /// Something came for nothing.
    pub(super) fn pay(&mut self) -> Result<(), Reason> {
        self.left = self.left.saturating_sub(PRICE);
        if self.left > 0 {
            return Ok(());
        }
        // The time is asked for once in a thousand frames.
        let over = self.since.elapsed() < SPAN;
        self.since = Instant::now();
        self.left = MOST;
        if over {
            Err(Reason::ENHANCE_YOUR_CALM)
        } else {
            Ok(())
        }
    }

    /// A stream was in vain, which counts as much.
    pub(super) fn vain(&mut self, counts: usize) -> Result<(), Reason> {
        self.vain += counts;
        if self.vain <= MOST_VAIN {
            return Ok(());
        }
        let over = self.vain_since.elapsed() < SPAN;
        self.vain_since = Instant::now();
        self.vain = 0;
        if over {
            Err(Reason::ENHANCE_YOUR_CALM)
        } else {
            Ok(())
        }
    }
}
