//! Git's smart HTTP protocol over rustls, so that libgit2 needs no OpenSSL (gitprotocol-http(5)).
//!
//! Never sends a request to another host than the one that the operator named, and never waits without a deadline.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use git2::Remote;
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream, Transport};
use ureq::http::{Response, header};
use ureq::{Body, RequestBuilder};

use super::access::{Access, Client};
use super::{PACK_LIMIT, deadline};
use crate::https::pause;

/// What a client says in one negotiation; larger is a defect.
const REQUEST_LIMIT: usize = 64 << 20;
const REDIRECT_LIMIT: usize = 3;
/// Bytes of the list of references: a million of them fit.
const REFERENCES_LIMIT: usize = 128 << 20;
const ADVERTISEMENT: &str = "/info/refs?service=git-upload-pack";

/// The transport of a remote, for what is being fetched.
pub(super) fn transport(remote: &Remote<'_>) -> Result<Transport, git2::Error> {
    let url = remote.url().unwrap_or_default().to_owned();
    let Some(Access::Https(access)) = Access::current() else {
        return Err(failure("nothing is being fetched"));
    };
    let base = Arc::new(Mutex::new(url));
    Transport::smart(remote, true, Https { access, base })
}

struct Https {
    access: Client,
    /// Where the repository is, after redirects.
    base: Arc<Mutex<String>>,
}

impl SmartSubtransport for Https {
    fn action(
        &self,
        _url: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let advertise = match service {
            Service::UploadPackLs => true,
            Service::UploadPack => false,
            Service::ReceivePackLs | Service::ReceivePack => {
                return Err(failure("meshd never pushes"));
            }
        };
        Ok(Box::new(Exchange {
            access: self.access.clone(),
            base: Arc::clone(&self.base),
            advertise,
            request: Vec::new(),
            response: None,
        }))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// A stream to libgit2, requests and responses to the server: writing after reading begins the next request.
struct Exchange {
    access: Client,
    base: Arc<Mutex<String>>,
    advertise: bool,
    request: Vec<u8>,
    response: Option<Box<dyn Read + Send>>,
}

impl Read for Exchange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        left()?;
        if self.response.is_none() {
            let response = match self.advertise {
                true => self.advertisement()?,
                false => self.negotiate()?,
            };
            self.response = Some(response);
        }
        match &mut self.response {
            Some(response) => response.read(buffer),
            None => Ok(0),
        }
    }
}

impl Write for Exchange {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.response.take().is_some() {
            self.request.clear();
        }
        if self.request.len() + bytes.len() > REQUEST_LIMIT {
            return Err(io::Error::other("the negotiation is too long"));
        }
        self.request.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Exchange {
    fn base(&self) -> String {
        self.base
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Redirects stay on the host that the operator named, so this does too.
    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.access.authorization {
            Some(value) => request.header(header::AUTHORIZATION, value.as_str()),
            None => request,
        }
    }

    fn advertisement(&self) -> io::Result<Box<dyn Read + Send>> {
        for _ in 0..=REDIRECT_LIMIT {
            let base = self.base();
            let url = format!("{}{ADVERTISEMENT}", base.trim_end_matches('/'));
            let request = self.authorized(self.access.agent.get(&url)).config();
            let request = request.timeout_global(Some(left()?)).build();
            let response = request.call().map_err(io::Error::other)?;
            if !response.status().is_redirection() {
                let expected = "application/x-git-upload-pack-advertisement";
                return body(response, expected, REFERENCES_LIMIT);
            }
            let next = redirected(&base, &response)?;
            *self.base.lock().unwrap_or_else(PoisonError::into_inner) = next;
        }
        Err(io::Error::other("the server redirects too often"))
    }

    fn negotiate(&self) -> io::Result<Box<dyn Read + Send>> {
        let url = format!("{}/git-upload-pack", self.base().trim_end_matches('/'));
        let request = self.authorized(self.access.agent.post(&url)).config();
        let response = request
            .timeout_global(Some(left()?))
            .build()
            .header(
                header::CONTENT_TYPE,
                "application/x-git-upload-pack-request",
            )
            .header(header::ACCEPT, "application/x-git-upload-pack-result")
            .send(&self.request[..])
            .map_err(io::Error::other)?;
        body(response, "application/x-git-upload-pack-result", PACK_LIMIT)
    }
}

fn left() -> io::Result<Duration> {
    deadline::left()
        .ok_or_else(|| io::Error::new(io::ErrorKind::TimedOut, "the fetch takes too long"))
}

fn body(
    response: Response<Body>,
    expected: &str,
    limit: usize,
) -> io::Result<Box<dyn Read + Send>> {
    let status = response.status();
    if let (429 | 503, Some(pause)) = (status.as_u16(), pause(&response)) {
        deadline::ask_again_after(pause);
    }
    let problem = match status.as_u16() {
        200 => None,
        401 | 403 => {
            deadline::note_unauthorized();
            Some("the server asks for credentials, or does not take those that it is given")
        }
        429 => Some("the server has been asked too often"),
        404 => Some("the server has no such repository"),
        _ => Some("the server does not serve it"),
    };
    if let Some(problem) = problem {
        return Err(io::Error::other(format!("{problem} (status {status})")));
    }
    let kind = response.headers().get(header::CONTENT_TYPE);
    if kind.is_none_or(|kind| kind.as_bytes() != expected.as_bytes()) {
        let why = "the server does not speak git's smart HTTP protocol";
        return Err(io::Error::other(why));
    }
    let reader = response
        .into_body()
        .into_with_config()
        .limit(limit as u64)
        .reader();
    Ok(Box::new(reader))
}

/// The base that a redirect of the advertisement points to: same host only.
fn redirected(base: &str, response: &Response<Body>) -> io::Result<String> {
    let elsewhere = || io::Error::other("the server redirects to another place than itself");
    let location = response.headers().get(header::LOCATION);
    let location = location
        .and_then(|value| value.to_str().ok())
        .ok_or_else(elsewhere)?;
    let target = location.strip_suffix(ADVERTISEMENT).ok_or_else(elsewhere)?;
    let target = match target.starts_with('/') {
        true => format!("{}{target}", origin(base)),
        false => target.to_owned(),
    };
    (origin(&target) == origin(base))
        .then_some(target)
        .ok_or_else(elsewhere)
}

/// `https://host:port` of a URL.
fn origin(url: &str) -> &str {
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let path = rest.find('/').map_or(0, |at| rest.len() - at);
    url.get(..url.len() - path).unwrap_or(url)
}

fn failure(why: &str) -> git2::Error {
    git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Net, why)
}

#[cfg(test)]
pub(crate) mod tests;
