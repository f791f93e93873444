//! The messages of `grpc.health.v1`: one field each, so that no generated code is needed.
//!
//! Never takes for well what it does not understand.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Field 1 of `HealthCheckRequest`: a text.
const SERVICE: u8 = 1 << 3 | 2;
/// Field 1 of `HealthCheckResponse`: a number.
const STATUS: u8 = 1 << 3;
const SERVING: u8 = 1;

/// A message `HealthCheckRequest` in its frame; the empty name asks about the server as a whole.
pub(super) fn question(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(SERVICE);
        put_length(service.len(), &mut message);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or_default());
    frame.put_slice(&message);
    frame.freeze()
}

/// Seven bits in each byte, the lowest first; all but the last have the eighth.
fn put_length(mut length: usize, message: &mut BytesMut) {
    while let Some(more) = (length >> 7 > 0).then_some(length >> 7) {
        message.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length = more;
    }
    message.put_u8(u8::try_from(length).unwrap_or_default());
}

/// What an answer says.
pub(super) fn judge(status: u16, grpc: Option<u16>, body: &[u8]) -> Result<(), String> {
    match (status, grpc) {
        (200, Some(0)) => {}
        (200, Some(12)) => return Err("it does not speak the health protocol of gRPC".to_owned()),
        (200, Some(5)) => return Err("it does not know the service".to_owned()),
        (200, Some(code)) => return Err(format!("the call ended with code {code}")),
        (200, None) => return Err("the call had no end".to_owned()),
        (status, _) => return Err(format!("the answer to the call was {status}")),
    }
    match body {
        [0, 0, 0, 0, 2, STATUS, SERVING] => Ok(()),
        [0, 0, 0, 0, 2, STATUS, other] => Err(format!("it says that its status is {other}")),
        [0, 0, 0, 0, 0] => Err("it says that its status is not known".to_owned()),
        _ => Err("what it said is no message of the health protocol".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_those_of_the_protocol() {
        assert_eq!(&question("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&question("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = question(&"x".repeat(300));
        assert_eq!(&long[..9], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02, b'x']);
        assert_eq!(long.len(), 5 + 303);
    }

    #[test]
    fn only_who_serves_is_well() {
        let serving = [0, 0, 0, 0, 2, 8, 1];
        assert_eq!(judge(200, Some(0), &serving), Ok(()));
        for (status, grpc, body) in [
            (503, Some(0), &serving[..]),
            (200, None, &serving),
            (200, Some(12), &serving),
            (200, Some(0), &[0, 0, 0, 0, 2, 8, 2]),
            (200, Some(0), &[0, 0, 0, 0, 0]),
            (200, Some(0), &[]),
            (200, Some(0), &[1, 0, 0, 0, 2, 8, 1]),
        ] {
            assert!(
                judge(status, grpc, body).is_err(),
                "{status} {grpc:?} {body:?}"
            );
        }
    }
}
