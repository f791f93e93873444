//! Who speaks first, where a client need not say what it is: a workload that does must not wait for that.
//!
//! Never opens a connection to the workload for a client that may not have one.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{is_within_rate, open};
use crate::hello::DETECT_WAIT;
use crate::session::{Session, Standing};
use crate::table::{InboundTable, Table};
use crate::upstream::Connected;

/// Whoever speaks TLS has begun by then: its first bytes follow the last ones of its handshake of TCP.
const SILENCE: Duration = Duration::from_millis(50);

/// What has happened before it was known who the client is.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// A connection to the workload.
    pub(super) opened: Option<Connected>,
    /// It has cost a token.
    pub(super) counted: bool,
}

/// Who has spoken first.
pub(super) enum Heard {
    /// Then what the client says is not looked at: nobody who speaks TLS waits for it.
    Workload(Ahead),
    /// Or it is about to.
    Client(Ahead),
    /// More connections than there may be.
    Refused,
}

/// Waits for one of them. The client is nobody so far.
pub(super) async fn look(
    session: &Session,
    table: &Table,
    inbound: &InboundTable,
    client: &TcpStream,
) -> Heard {
    let mut ahead = Ahead::default();
    let mut byte = [0];
    let spoken = timeout(SILENCE, client.peek(&mut byte)).await.is_ok();
    if spoken || !matches!(session.standing(table), Standing::Good { .. }) {
        return Heard::Client(ahead);
    }
    if !is_within_rate(session, table, inbound) {
        return Heard::Refused;
    }
    ahead.counted = true;
    let Ok(mut opened) = open(session, inbound).await else {
        return Heard::Client(ahead);
    };
    let heard = tokio::select! {
        biased;
        _ = client.peek(&mut byte) => false,
        heard = timeout(DETECT_WAIT, opened.stream.hear()) => heard.is_ok(),
    };
    ahead.opened = Some(opened);
    match heard {
        true => Heard::Workload(ahead),
        false => Heard::Client(ahead),
    }
}
