//! A session as the body of the answer to its call: messages of gRPC, and at the end a status.
//!
//! Never sends a frame for each small message, which whoever reads them would take for a flood, and never keeps the bytes
//! of messages once they are handed out: of ten thousand sessions most say nothing most of the time,
//! and what gRPC libraries write into grows to the longest message and stays.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::{Body, Frame};
use prost::Message as _;
use tonic::Status;

use super::session::Session;
use crate::authority::Authority;
use crate::generated as wire;
use crate::message::ToProxy;

/// Whether a message is compressed, and its length.
const PREFIX: usize = 5;
/// What there is to say at once is said together, up to this.
const TOGETHER: usize = 16 * 1024;

/// Nothing runs while nothing happens.
pub(super) enum Outgoing<A: Authority> {
    Going(Turn<A>),
    /// Why it has ended, until that is said.
    Ended(Option<Status>),
}

type Turn<A> = Pin<Box<dyn Future<Output = (Result<ToProxy, Status>, Box<Session<A>>)> + Send>>;

impl<A: Authority> Outgoing<A> {
    pub(super) fn new(session: Session<A>) -> Self {
        Self::Going(turn(Box::new(session)))
    }

    /// Adds what there is to say right now.
    fn gather(&mut self, bytes: &mut BytesMut, cx: &mut Context<'_>) -> Poll<()> {
        while bytes.len() < TOGETHER {
            let Self::Going(turn) = self else { break };
            let (outcome, session) = ready!(turn.as_mut().poll(cx));
            let added = outcome.and_then(|message| add(&message.into(), bytes));
            *self = match added {
                Ok(()) => {
                    session.offers();
                    Self::Going(self::turn(session))
                }
                Err(status) => Self::Ended(Some(status)),
            };
        }
        Poll::Ready(())
    }
}

fn turn<A: Authority>(mut session: Box<Session<A>>) -> Turn<A> {
    Box::pin(async move { (session.next().await, session) })
}

impl<A: Authority> Body for Outgoing<A> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut bytes = BytesMut::new();
        let gathered = self.gather(&mut bytes, cx);
        if !bytes.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(bytes.freeze()))));
        }
        ready!(gathered);
        let Self::Ended(status) = &mut *self else {
            return Poll::Ready(None);
        };
        let Some(status) = status.take() else {
            return Poll::Ready(None);
        };
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Ended(None))
    }
}

/// Not compressed.
fn add(message: &wire::ToProxy, bytes: &mut BytesMut) -> Result<(), Status> {
    let length = message.encoded_len();
    let stated = u32::try_from(length);
    let stated = stated.map_err(|_| Status::out_of_range("a message of more than 4 GiB"))?;
    bytes.reserve(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(stated);
    let encoded = message.encode(bytes);
    encoded.map_err(|error| Status::internal(error.to_string()))
}
