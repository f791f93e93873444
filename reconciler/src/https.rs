//! Requests to servers that an operator has named: sources of keys, signers, forges.
//!
//! Never follows a redirect, never speaks in the clear but to this machine, and never takes more or waits longer than it is
//! told to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Request, Response, header};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use crate::pem;

/// For all of a request.
const DEADLINE: Duration = Duration::from_secs(10);
/// Of an answer. Larger ones are refused.
const MOST_BYTES: u64 = 1 << 20;
/// A server that wants to be left alone for longer is asked all the same.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Asks one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// How long the server wants to be left alone.
    pub(crate) pause: Option<Duration>,
}

impl Client {
    /// `authorities`: certificate authorities in a PEM file, instead of those of the system.
    pub(crate) fn new(authorities: Option<&Path>) -> Result<Self, String> {
        let roots = match authorities {
            Some(path) => pem::certificates(path)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let roots = roots
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(crate::tls::provider())
            .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(DEADLINE))
            .user_agent(concat!("meshd/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent: Agent::new_with_config(config),
        })
    }

    /// Asks. The URL has been judged where it was read. Blocks.
    pub(crate) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, String> {
        self.send("GET", url, headers, Vec::new())
    }

    /// Sends JSON. Blocks.
    pub(crate) fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        self.send("POST", url, headers, body)
    }

    fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder().method(method).uri(url);
        request = request.header(header::ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        let mut response = self.agent.run(request).map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let pause = pause(&response);
        let body = response
            .body_mut()
            .with_config()
            .limit(MOST_BYTES)
            .read_to_vec();
        let body = body.map_err(|error| error.to_string())?;
        Ok(Answer {
            status,
            body: Zeroizing::new(body),
            pause,
        })
    }
}

/// `Retry-After` in seconds. A date is not understood: meshd then comes back when it would have.
pub(crate) fn pause(response: &Response<Body>) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let pause = Duration::from_secs(text.parse().unwrap_or(u64::MAX));
    digits.then_some(pause.min(LONGEST_PAUSE))
}
