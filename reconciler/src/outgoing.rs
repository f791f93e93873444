//! What meshd tells others by itself: the status of a commit, an event.
//!
//! Never waited for by a pass, never followed to another place than the operator named, never tried for ever, and never shown
//! with a secret of it.

use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::https::{Answer, Client};
use crate::random;

/// The waits between are 1, 2, 4 seconds and so on up to the longest: about three minutes in all.
const ATTEMPTS: u32 = 9;
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Percent.
const JITTER: u32 = 25;
/// Characters of an answer that are shown.
const SHOWN: usize = 200;

/// Something to be posted as JSON.
pub(crate) struct Letter {
    pub(crate) url: String,
    /// Values may be secrets.
    pub(crate) headers: Vec<(&'static str, Zeroizing<String>)>,
    pub(crate) body: Vec<u8>,
}

/// How an attempt failed.
struct Refused {
    why: String,
    /// May it pass by itself? And then not before this time, where the server says so.
    passing: Option<Duration>,
}

impl Refused {
    fn for_now(why: String) -> Self {
        let passing = Some(Duration::ZERO);
        Self { why, passing }
    }
}

/// Posts it, again where that may help. `taken`: an answer that says no, and means that all is as it should be.
///
/// # Errors
/// In words, when it is given up.
pub(crate) async fn send(
    ca: Option<&Path>,
    letter: impl Fn() -> Result<Letter, String> + Clone + Send + 'static,
    taken: fn(&Answer) -> bool,
) -> Result<(), String> {
    let mut attempt = 0;
    loop {
        let (ca, letter) = (ca.map(Path::to_owned), letter.clone());
        // Files are read for each attempt: a secret that was mended counts.
        let once = tokio::task::spawn_blocking(move || {
            let letter = letter().map_err(Refused::for_now)?;
            once(ca.as_deref(), &letter, taken)
        });
        let refused = match once.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(refused)) => refused,
            Err(error) => return Err(error.to_string()),
        };
        attempt += 1;
        let Some(asked) = refused.passing.filter(|_| attempt < ATTEMPTS) else {
            return Err(refused.why);
        };
        let wait = Duration::from_secs(1 << (attempt - 1)).max(asked);
        tokio::time::sleep(random::around(wait.min(LONGEST_WAIT), JITTER)).await;
    }
}

fn once(ca: Option<&Path>, letter: &Letter, taken: fn(&Answer) -> bool) -> Result<(), Refused> {
    let client = Client::new(ca).map_err(Refused::for_now)?;
    let headers = letter.headers.iter();
    let headers: Vec<_> = headers
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = client.post(&letter.url, &headers, letter.body.clone());
    let answer = answer.map_err(Refused::for_now)?;
    let status = answer.status;
    if (200..300).contains(&status) || taken(&answer) {
        return Ok(());
    }
    let said = shown(&String::from_utf8_lossy(&answer.body), &headers);
    let passing = status >= 500 || matches!(status, 408 | 425 | 429);
    Err(Refused {
        why: format!("the server answered {status}: {said}"),
        passing: passing.then(|| answer.pause.unwrap_or_default()),
    })
}

/// One line, not too long, and without what was sent as a secret: a server may repeat what it was sent.
fn shown(text: &str, headers: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (_, value) in headers {
        for word in value.split_whitespace().filter(|word| word.len() > 7) {
            text = text.replace(word, "…");
        }
    }
    let text = text.trim().chars().take(SHOWN);
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_shown_as_one_line_without_the_secrets_of_the_request() {
        let headers = [("authorization", "Bearer abcdefgh12345678")];
        let said = "no\n\u{1b}[31m token abcdefgh12345678 known".to_owned() + &"x".repeat(300);
        let shown = shown(&said, &headers);
        assert!(shown.starts_with("no  [31m token … known"), "{shown}");
        assert_eq!(shown.chars().count(), SHOWN);
    }
}
