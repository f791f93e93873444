//! Certificates from an agent beside the proxy: the SPIFFE Workload API, as SPIRE offers it on a socket of the host.
//!
//! Never gives up asking, never writes a key down, and never takes what was good away because the agent is gone or says
//! something else: whoever uses a certificate sees when it ends.

mod call;
mod svid;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mesh_bundle::SpiffeId;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::backoff::{Backoff, dice};
use crate::clock::unix_now;
use crate::identity::Credential;
use call::{Call, Trouble};
use svid::Given;

/// An agent has this long for its first answer: it looks at the process that asks, and may ask its own server.
const FIRST: Duration = Duration::from_secs(10);
/// A stream that lasted this long was a good one: the next is tried at once.
const STEADY: Duration = Duration::from_secs(10);

/// What an agent has said so far.
#[derive(Debug, Clone, Default)]
struct Known {
    given: Option<Arc<Given>>,
    trouble: Option<String>,
}

/// An agent that is asked, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Agent {
    known: watch::Receiver<Known>,
    task: Option<AbortHandle>,
}

impl Agent {
    /// Begins to ask. Without a socket it says so for ever.
    pub(crate) fn start(socket: Option<PathBuf>) -> Self {
        let Some(socket) = socket else {
            let trouble = "no Workload API is named: `--spiffe-socket` or `SPIFFE_ENDPOINT_SOCKET`";
            let known = Known {
                trouble: Some(trouble.to_owned()),
                ..Known::default()
            };
            let (_, known) = watch::channel(known);
            return Self { known, task: None };
        };
        let (tell, known) = watch::channel(Known::default());
        let task = tokio::spawn(async move { follow(&socket, &tell).await });
        let task = Some(task.abort_handle());
        Self { known, task }
    }

    /// The newest certificate of that name, or why there is none.
    pub(crate) fn certificate(&self, name: &SpiffeId) -> Result<Arc<Credential>, String> {
        let known = self.known.borrow();
        let given = known.given.as_ref();
        let found = given.and_then(|given| given.named(name));
        match (found, given, &known.trouble) {
            (Some(found), ..) if !found.is_expired(unix_now()) => Ok(found),
            (None, Some(given), None) => Err(format!("it gives {given}, and not `{name}`")),
            (_, _, Some(trouble)) => Err(trouble.clone()),
            (Some(_), _, None) => Err("what it gave has ended".to_owned()),
            (None, None, None) => Err("it has not answered yet".to_owned()),
        }
    }

    /// Has it said something that nobody has looked at? Asking is looking.
    pub(crate) fn has_news(&mut self) -> bool {
        let news = self.known.has_changed().unwrap_or(false);
        self.known.mark_unchanged();
        news
    }

    /// Resolves when it says something that nobody has looked at.
    pub(crate) fn news(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut known = self.known.clone();
        async move {
            if known.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Asks for ever.
async fn follow(socket: &Path, known: &watch::Sender<Known>) {
    let mut backoff = Backoff::default();
    loop {
        let began = Instant::now();
        let trouble = listen(socket, known).await;
        if began.elapsed() >= STEADY {
            backoff.reset();
        }
        let wait = backoff.next(dice);
        let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(socket = %socket.display(), reason = %trouble, retry_ms, "the SPIFFE agent is away");
        let trouble = format!("{}: {trouble}", socket.display());
        known.send_modify(|known| known.trouble = Some(trouble));
        sleep(wait).await;
    }
}

/// Takes what it says, until it says nothing more.
async fn listen(socket: &Path, known: &watch::Sender<Known>) -> Trouble {
    let first = async {
        let mut call = Call::open(socket).await?;
        let answer = call.next().await?;
        Ok((call, answer))
    };
    let (mut call, mut answer) = match timeout(FIRST, first).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(trouble)) => return trouble,
        Err(_) => return Trouble::Silent,
    };
    loop {
        match Given::read(answer, unix_now()) {
            Ok(given) => known.send_modify(|known| {
                known.given = Some(Arc::new(given));
                known.trouble = None;
            }),
            Err(why) => {
                tracing::warn!(socket = %socket.display(), reason = %why, "what the SPIFFE agent gives is not taken");
                let trouble = format!("{}: {why}", socket.display());
                known.send_modify(|known| known.trouble = Some(trouble));
            }
        }
        answer = match call.next().await {
            Ok(answer) => answer,
            Err(trouble) => return trouble,
        };
    }
}

/// Where a Workload API is, as `SPIFFE_ENDPOINT_SOCKET` says it: `unix:///path`, `unix:/path`, or the path alone.
pub(crate) fn socket(text: &str) -> Result<PathBuf, String> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    // An empty authority may stand before the path.
    let path = match path.strip_prefix("//") {
        Some(rest) if text.starts_with("unix:") => rest,
        _ => path,
    };
    match path.starts_with('/') && !path.contains(['?', '#']) {
        true => Ok(PathBuf::from(path)),
        false => Err("expected `unix:///path/of/a/socket`".to_owned()),
    }
}
