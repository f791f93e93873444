//! The boot order of mesh-proxy, and how it ends.
//!
//! Never opens a listener for traffic before there is a verified configuration.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::admin::Admin;
use crate::backoff::{Backoff, dice};
use crate::cli::Run;
use crate::control::view::View;
use crate::control::{Control, Hopeless, Settings};
use crate::dataplane::DataPlane;
use crate::enroll::Claim;
use crate::enroll::document::{self, NoDocument};
use crate::enroll::token::Token;
use crate::metrics::Metrics;
use crate::state::{Directory, Refused, Store};
use crate::telemetry::{Environment, Unheard};
use crate::tls::{Unprovided, provided};
use crate::workers::{Threads, Workers};
use crate::{http_admin, log};

/// meshd and the proxy could not do their work: as `meshc`, 2.
const HOPELESS: u8 = 2;
/// A second signal: the drain was cut short.
const CUT_SHORT: u8 = 1;

/// A proxy that is started again may meet the end of the one before.
const OVERLAP: Duration = Duration::from_secs(3);

/// How long the drain waits until meshd was told; its clients then stop coming.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why there is nothing that could run.
#[derive(Debug, thiserror::Error)]
enum Unbootable {
    #[error(transparent)]
    Document(#[from] NoDocument),
    #[error(transparent)]
    State(#[from] Refused),
    #[error("{0}")]
    System(#[from] io::Error),
    #[error(transparent)]
    Certificate(#[from] Unprovided),
}

/// Runs until a signal ends it.
pub(crate) fn run(arguments: Run) -> ExitCode {
    log::begin(arguments.log_format);
    match boot(arguments) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!(reason = %error, "mesh-proxy cannot run");
            ExitCode::from(HOPELESS)
        }
    }
}

fn boot(arguments: Run) -> Result<ExitCode, Unbootable> {
    let claim = claim(&arguments)?;
    let directory = Directory::open(&arguments.state_dir, OVERLAP)?;
    let data = Threads::start(arguments.workers)?;
    let control = tokio::runtime::Builder::new_current_thread()
        .thread_name("control")
        .enable_all()
        .build()?;
    let code = control.block_on(serve(
        arguments,
        claim,
        Store::new(directory),
        data.workers.clone(),
    ));
    // What still runs has had its time.
    drop(data);
    control.shutdown_background();
    code
}

/// Of this process; what it says in vain is told.
fn environment() -> Environment {
    let (environment, unheard) = Environment::read(std::env::vars_os());
    for Unheard { variable, why } in unheard {
        tracing::warn!(variable, why, "a variable of the environment does nothing");
    }
    environment
}

async fn serve(
    arguments: Run,
    claim: Claim,
    store: Store,
    data: Workers,
) -> Result<ExitCode, Unbootable> {
    let mut signals = Signals::new()?;
    let metrics = Arc::new(Metrics::new());
    let files = (
        arguments.metrics_cert.as_deref(),
        arguments.metrics_key.as_deref(),
    );
    let provided = match files {
        (Some(cert), Some(key)) => Some(provided(cert, key)?),
        _ => None,
    };
    let dns_port = (arguments.dns_port > 0).then_some(arguments.dns_port);
    let plane = DataPlane::start(Arc::clone(&metrics), data)
        .answering_names_on(dns_port)
        .showing_metrics_with(provided)
        .hearing_of_collectors(environment());
    plane.hold_at_most(usize::try_from(arguments.max_connections).unwrap_or(usize::MAX));
    if arguments.hide_refusals {
        plane.hide_refusals();
    }
    let plane = Arc::new(plane);
    let view = watch::Sender::new(View::default());

    let admin = Arc::new(Admin::new(view.subscribe(), metrics));
    let listener = http_admin::bind(arguments.admin).await?;
    tracing::info!(admin = %listener.local_addr()?, "listening");
    tokio::spawn(http_admin::serve(listener, admin));

    let settings = Settings {
        meshd: arguments.meshd,
        token_file: arguments.token_file,
        pin: arguments.meshd_pin,
        claim,
        agent: arguments.spiffe_socket,
    };
    let control = control(settings, store, Arc::clone(&plane), view.clone());
    let control = tokio::spawn(control);
    tokio::select! {
        ended = control => {
            let reason = ended.map_or_else(|error| error.to_string(), |reason| reason.to_string());
            tracing::error!(reason, "this proxy cannot serve");
            return Ok(ExitCode::from(HOPELESS));
        }
        name = signals.next() => tracing::info!(signal = name, "draining"),
    }
    tokio::select! {
        () = drain(&plane, &view, arguments.drain.as_std()) => {
            tracing::info!("drained");
            Ok(ExitCode::SUCCESS)
        }
        name = signals.next() => {
            tracing::warn!(signal = name, "ending at once");
            Ok(ExitCode::from(CUT_SHORT))
        }
    }
}

/// Tells meshd first: its clients stop coming while this proxy still serves.
async fn drain(plane: &DataPlane, view: &watch::Sender<View>, within: Duration) {
    view.send_modify(|view| view.draining = true);
    let mut shown = view.subscribe();
    let told = shown.wait_for(|view| view.farewell || !view.connected);
    // Whether meshd was told or not, the drain goes on.
    drop(tokio::time::timeout(FAREWELL, told).await);
    plane.drain(within).await;
}

/// The control side, begun again from the state on disk should it ever fail.
async fn control(
    settings: Settings,
    store: Store,
    plane: Arc<DataPlane>,
    view: watch::Sender<View>,
) -> Hopeless {
    let mut backoff = Backoff::default();
    loop {
        // Without a token there may still be a state; whether one is needed is seen later.
        let token = Token::read(&settings.token_file, settings.pin).ok();
        let restored = store.load(settings.claim.dataplane.as_deref(), token.as_ref());
        let control = Control::new(
            settings.clone(),
            store.clone(),
            Arc::clone(&plane),
            view.clone(),
            restored,
        );
        match tokio::spawn(control.run()).await {
            Ok(hopeless) => return hopeless,
            Err(error) => tracing::error!(%error, "the control side failed and begins again"),
        }
        view.send_modify(|view| view.connected = false);
        tokio::time::sleep(backoff.next(dice)).await;
    }
}

fn claim(arguments: &Run) -> Result<Claim, NoDocument> {
    let variable = |name: &str| std::env::var(name).ok();
    let file = arguments.dataplane_file.as_deref();
    let document = file
        .map(|path| document::read(path, variable))
        .transpose()?;
    Ok(Claim {
        dataplane: arguments.dataplane.clone(),
        document,
    })
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
