//! The token that opens everything under `/v1` to whoever asks over the network.
//!
//! Never kept in memory: the file is read for each request, so that another token counts as soon as it stands there.

use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use zeroize::Zeroizing;

/// Shorter ones could be guessed.
const SHORTEST: usize = 32;
/// Longer files hold no token.
const LONGEST: u64 = 4 << 10;

/// The file of the operator; without one nobody gets in by the network.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdminToken(Option<Arc<PathBuf>>);

impl AdminToken {
    pub(crate) fn new(path: Option<PathBuf>) -> Self {
        Self(path.map(Arc::new))
    }

    /// # Errors
    /// In words for the operator: it cannot be read, or is too short.
    pub(crate) fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
        let Some(path) = &self.0 else {
            return Ok(None);
        };
        let named = |why: String| format!("the admin token in `{}` {why}", path.display());
        let unreadable = |error: std::io::Error| named(format!("cannot be read: {error}"));
        let length = std::fs::metadata(path.as_path()).map_err(unreadable)?.len();
        if length > LONGEST {
            return Err(named(format!("has more than {LONGEST} bytes")));
        }
        let text = Zeroizing::new(std::fs::read(path.as_path()).map_err(unreadable)?);
        let token = Zeroizing::new(text.trim_ascii().to_vec());
        if token.len() < SHORTEST {
            let help = "make one with `openssl rand -hex 32`";
            return Err(named(format!(
                "has fewer than {SHORTEST} characters; {help}"
            )));
        }
        Ok(Some(token))
    }

    fn admits(&self, headers: &HeaderMap) -> Result<(), String> {
        let Some(token) = self.read().map_err(|why| {
            tracing::error!(%why, "requests are refused");
            "meshd cannot read its admin token\n".to_owned()
        })?
        else {
            return Err(
                "this needs a token, and meshd was started without one (`--admin-token`); on its own machine ask through `control.sock` in its state directory, as `meshd status` does\n".to_owned(),
            );
        };
        let said = headers.get(header::AUTHORIZATION);
        let said = said.map(|value| value.as_bytes());
        let said = said.and_then(|value| value.strip_prefix(b"Bearer "));
        match said.map(|said| verify_slices_are_equal(said, &token)) {
            Some(Ok(())) => Ok(()),
            _ => Err("this needs the header `Authorization: Bearer TOKEN`\n".to_owned()),
        }
    }
}

/// In front of the routes that need the token.
pub(super) async fn required(
    State(token): State<AdminToken>,
    request: Request,
    next: Next,
) -> Response {
    match token.admits(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, challenge, why).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_opens_and_a_new_one_counts_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let token = AdminToken::new(Some(path.clone()));
        let admits = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            token.admits(&headers)
        };
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        assert!(admits(&format!("Bearer {one}")).is_err(), "no file yet");
        std::fs::write(&path, format!("{one}\n")).unwrap();
        let cases = [
            (format!("Bearer {one}"), true),
            (format!("bearer {one}"), false),
            (one.clone(), false),
            (format!("Bearer {one}1"), false),
            (format!("Bearer {}", one.get(1..).unwrap()), false),
            ("Bearer ".to_owned(), false),
            (format!("Bearer {two}"), false),
        ];
        for (value, opens) in cases {
            assert_eq!(admits(&value).is_ok(), opens, "{value}");
        }
        std::fs::write(&path, &two).unwrap();
        assert!(admits(&format!("Bearer {two}")).is_ok());
        assert!(admits(&format!("Bearer {one}")).is_err());
        std::fs::write(&path, "short").unwrap();
        assert!(token.read().unwrap_err().contains("fewer than 32"));
        assert!(admits("Bearer short").is_err());
        let none = AdminToken::default();
        assert!(
            none.admits(&HeaderMap::new())
                .unwrap_err()
                .contains("--admin-token")
        );
    }
}
