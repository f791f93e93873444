//! A session as the body of the answer to its call: each message is a frame of gRPC of its own, and the end is a status.
//!
//! Never keeps the bytes of a message once they are handed out: of ten thousand sessions most say nothing most of the time,
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

/// Nothing runs while nothing happens.
pub(super) struct Outgoing<A: Authority>(Option<Turn<A>>);

type Turn<A> = Pin<Box<dyn Future<Output = (Result<ToProxy, Status>, Box<Session<A>>)> + Send>>;

impl<A: Authority> Outgoing<A> {
    pub(super) fn new(session: Session<A>) -> Self {
        Self(Some(turn(Box::new(session))))
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
        let Some(current) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let (outcome, session) = ready!(current.as_mut().poll(cx));
        let sent = outcome.and_then(|message| framed(&message.into()));
        let frame = match sent {
            Ok(bytes) => {
                session.offers();
                self.0 = Some(turn(session));
                Frame::data(bytes)
            }
            Err(status) => {
                self.0 = None;
                let mut trailers = HeaderMap::new();
                status.add_header(&mut trailers)?;
                Frame::trailers(trailers)
            }
        };
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

/// Not compressed.
fn framed(message: &wire::ToProxy) -> Result<Bytes, Status> {
    let length = message.encoded_len();
    let stated = u32::try_from(length);
    let stated = stated.map_err(|_| Status::out_of_range("a message of more than 4 GiB"))?;
    let mut bytes = BytesMut::with_capacity(PREFIX + length);
    bytes.put_u8(0);
    bytes.put_u32(stated);
    let encoded = message.encode(&mut bytes);
    encoded.map_err(|error| Status::internal(error.to_string()))?;
    Ok(bytes.freeze())
}
