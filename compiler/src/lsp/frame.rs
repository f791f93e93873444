//! Messages as they travel: a header that says how long they are, and JSON.
//!
//! Never ends because of what a client sends, and never takes more memory than one message may have.

use std::io::{self, BufRead, Read, Write};

use lsp_server::{ErrorCode, Message};
use serde_json::{Value, json};

/// Documents have at most a mebibyte; in JSON, with every character escaped, six.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Of one line of a header.
const MOST_HEADER: u64 = 4096;

/// What came in.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A message.
    Message(Message),
    /// Something else, and what is answered to it.
    Malformed(Value),
}

/// The next message; `None` where there will be none.
pub(super) fn read(input: &mut impl BufRead) -> io::Result<Option<Incoming>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        let read = input
            .by_ref()
            .take(MOST_HEADER)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            let reason = format!("no header of a message: {:?}", shortened(line));
            return Ok(Some(malformed(
                &Value::Null,
                ErrorCode::ParseError,
                &reason,
            )));
        };
        if name.trim().eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<u64>().ok();
        }
    }
    let Some(length) = length else {
        let reason = "the header says no Content-Length";
        return Ok(Some(malformed(&Value::Null, ErrorCode::ParseError, reason)));
    };
    let mut body = Vec::new();
    let mut limited = input.by_ref().take(length);
    if length > MOST_BYTES as u64 {
        io::copy(&mut limited, &mut io::sink())?;
        let reason = format!("a message of {length} bytes exceeds the limit of {MOST_BYTES}");
        return Ok(Some(malformed(
            &Value::Null,
            ErrorCode::InvalidRequest,
            &reason,
        )));
    }
    if limited.read_to_end(&mut body)? as u64 != length {
        return Ok(None);
    }
    Ok(Some(message(&body)))
}

fn message(body: &[u8]) -> Incoming {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => {
            let reason = format!("this is no JSON: {error}");
            return malformed(&Value::Null, ErrorCode::ParseError, &reason);
        }
    };
    let id = value.get("id").cloned().unwrap_or_default();
    match serde_json::from_value(value) {
        Ok(message) => Incoming::Message(message),
        Err(_) => {
            let reason = "this is no request, no response and no notification";
            malformed(&id, ErrorCode::InvalidRequest, reason)
        }
    }
}

/// JSON-RPC answers what cannot be read too, under the identity that it has as far as that can be read.
fn malformed(id: &Value, code: ErrorCode, reason: &str) -> Incoming {
    let id = match id {
        Value::String(_) | Value::Number(_) => id.clone(),
        _ => Value::Null,
    };
    let error = json!({"code": code as i32, "message": reason});
    Incoming::Malformed(json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Writes what [`Message`] has no form for: an answer to nobody.
pub(super) fn write(output: &mut impl Write, answer: &Value) -> io::Result<()> {
    let text = answer.to_string();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Vec<String> {
        let mut input = io::Cursor::new(text.as_bytes().to_vec());
        let mut found = Vec::new();
        while let Some(incoming) = read(&mut input).unwrap() {
            found.push(match incoming {
                Incoming::Message(Message::Request(request)) => request.method,
                Incoming::Message(Message::Notification(notification)) => notification.method,
                Incoming::Message(Message::Response(response)) => response.id.to_string(),
                Incoming::Malformed(answer) => {
                    format!("{} {}", answer["id"], answer["error"]["code"])
                }
            });
        }
        found
    }

    fn framed(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_is_no_message_is_answered_and_passed_over() {
        let good = framed(r#"{"jsonrpc":"2.0","method":"exit"}"#);
        let table = [
            (framed("{"), "null -32700"),
            (framed("[]"), "null -32600"),
            (framed(r#"{"id":7,"method":5}"#), "7 -32600"),
            (framed("\u{e9}"), "null -32700"),
            ("garbage\r\n".to_owned(), "null -32700"),
            ("Content-Type: x\r\n\r\n".to_owned(), "null -32700"),
            ("Content-Length: -1\r\n\r\n".to_owned(), "null -32700"),
        ];
        for (bad, expected) in table {
            assert_eq!(
                read_all(&format!("{bad}{good}")),
                [expected, "exit"],
                "{bad}"
            );
        }
    }

    #[test]
    fn a_length_is_believed_only_as_far_as_memory_goes() {
        let huge = "Content-Length: 99999999999999\r\n\r\n{}";
        assert_eq!(read_all(huge), ["null -32600"]);
        assert_eq!(read_all("Content-Length: 30\r\n\r\n{}"), [""; 0]);
    }

    #[test]
    fn headers_may_be_more_and_in_any_case() {
        let body = r#"{"jsonrpc":"2.0","id":"a","method":"shutdown"}"#;
        let text = format!("Content-Type: x\r\ncontent-length:{}\n\n{body}", body.len());
        assert_eq!(read_all(&text), ["shutdown"]);
    }
}
