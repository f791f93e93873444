//! Traces: which requests are followed, how the next server hears of it, and what is told of them (language 5.13).
//!
//! Never makes a request wait, and never fails it: a span that finds no room is counted and let go. Where nothing is traced, a
//! request costs one look at the table.

mod b3;
mod otlp;
mod span;
mod w3c;
pub(crate) mod zipkin;

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, HeaderValue};
use mesh_bundle::resource::{Sampling, TagValue, Tracing, TracingBackend, ZipkinVersion};

use crate::access_log::RequestView;
use crate::dice::{mixed, roll};
use crate::metrics::Direction;
use crate::session::Session;
use crate::table::Table;
use crate::telemetry::Outbox;

pub(crate) use span::Span;

/// With this a client asks for a trace, whatever else it sends.
const WISH: HeaderName = HeaderName::from_static("x-client-trace-id");
const ALL: u32 = 1_000_000;

/// How the requests of a proxy are traced.
#[derive(Debug)]
pub(crate) struct Tracer {
    pub(crate) backend: TracingBackend,
    /// Set before it is used: spans go there.
    pub(crate) outbox: OnceLock<Outbox>,
    /// In millionths: at most, of those whose client asks for it, of all others.
    overall: u32,
    client: u32,
    random: u32,
    literals: Vec<(String, String)>,
    headers: Vec<HeaderTag>,
    form: Form,
}

/// A tag that is a header of the request.
#[derive(Debug)]
struct HeaderTag {
    name: String,
    header: HeaderName,
    default: Option<String>,
}

/// How spans are written, and how the next server hears of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Otlp,
    Zipkin {
        version: ZipkinVersion,
        long_ids: bool,
        shared: bool,
    },
}

/// What came with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incoming {
    trace_id: u128,
    parent: u64,
    /// Of the parent, where the client told.
    grandparent: Option<u64>,
    /// `None`: the client leaves it to us.
    sampled: Option<bool>,
}

/// What is decided of a request, before anything is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    trace_id: u128,
    span_id: u64,
    parent: Option<u64>,
    sampled: bool,
    /// The span is also that of the client.
    is_shared: bool,
    /// The next server has to be told something else than the client said.
    is_news: bool,
}

impl Tracer {
    /// `None` where nothing is traced.
    pub(crate) fn new(tracing: &Tracing) -> Result<Option<Self>, (String, String)> {
        let Some(backend) = &tracing.backend.value else {
            return Ok(None);
        };
        let form = match backend {
            TracingBackend::OpenTelemetry { .. } => Form::Otlp,
            TracingBackend::Zipkin {
                long_ids,
                shared_spans,
                version,
                ..
            } => Form::Zipkin {
                version: *version,
                long_ids: *long_ids,
                shared: *shared_spans,
            },
            // `meshc` has warned that nothing is sent there.
            TracingBackend::Datadog { .. } => return Ok(None),
        };
        let Sampling {
            overall,
            client,
            random,
        } = &tracing.sampling;
        let (mut literals, mut headers) = (Vec::new(), Vec::new());
        let tags = tracing
            .tags
            .as_ref()
            .map_or([].as_slice(), |tags| &tags.value);
        for (index, tag) in tags.iter().enumerate() {
            match &tag.value {
                TagValue::Literal { text } => literals.push((tag.name.clone(), text.clone())),
                TagValue::Header { name, default } => headers.push(HeaderTag {
                    name: tag.name.clone(),
                    header: HeaderName::try_from(name)
                        .map_err(|why| (format!("/tags/value/{index}"), why.to_string()))?,
                    default: default.clone(),
                }),
            }
        }
        Ok(Some(Self {
            backend: backend.clone(),
            outbox: OnceLock::new(),
            overall: overall.value,
            client: client.value,
            random: random.value,
            literals,
            headers,
            form,
        }))
    }

    /// Decides about a request. `stranger`: who sends it is neither a proxy of the mesh nor the workload of this one.
    fn decide(&self, headers: &HeaderMap, side: Direction, stranger: bool) -> Context {
        let (incoming, told) = match self.form {
            Form::Otlp => {
                let incoming = w3c::extract(headers);
                (incoming, incoming.and_then(|it| it.sampled))
            }
            Form::Zipkin { .. } => b3::extract(headers),
        };
        let trace_id = incoming.map_or_else(|| self.new_trace(), |incoming| incoming.trace_id);
        let share = match told {
            Some(false) => 0,
            // Who is of the mesh has decided already, by the same dice.
            Some(true) if !stranger => ALL,
            Some(true) => self.client,
            None if headers.contains_key(WISH) => self.client,
            None => self.random,
        };
        let sampled = chance(trace_id) < share.min(self.overall);
        let is_shared = sampled
            && incoming.is_some()
            && side == Direction::Inbound
            && matches!(self.form, Form::Zipkin { shared: true, .. });
        let parent = match is_shared {
            true => incoming.and_then(|incoming| incoming.grandparent),
            false => incoming.map(|incoming| incoming.parent),
        };
        // A request that is not followed keeps the span that it came with.
        let span_id = match incoming.filter(|_| is_shared || !sampled) {
            Some(incoming) => incoming.parent,
            None => new_span(),
        };
        Context {
            trace_id,
            span_id,
            parent,
            sampled,
            is_shared,
            is_news: sampled || told != Some(false),
        }
    }

    /// Tells the next server.
    fn inject(&self, context: &Context, headers: &mut HeaderMap) {
        if !context.is_news {
            return;
        }
        match self.form {
            Form::Otlp => w3c::inject(context, headers),
            Form::Zipkin { .. } => b3::inject(context, headers),
        }
    }

    fn new_trace(&self) -> u128 {
        let low = u128::from(new_span());
        match self.form {
            Form::Zipkin {
                long_ids: false, ..
            } => low,
            Form::Zipkin { .. } | Form::Otlp => u128::from(roll() ^ salt()) << 64 | low,
        }
    }

    /// What the tags that are headers say of a request.
    fn tagged(&self, headers: &HeaderMap) -> Vec<Option<HeaderValue>> {
        let tags = self.headers.iter();
        tags.map(|tag| headers.get(&tag.header).cloned()).collect()
    }
}

impl Context {
    pub(crate) fn is_sampled(&self) -> bool {
        self.sampled
    }
}

/// The same number for the same trace on every proxy, so that all of them follow the same requests. Below [`ALL`].
fn chance(trace_id: u128) -> u32 {
    let low = u64::try_from(trace_id & u128::from(u64::MAX)).unwrap_or_default();
    u32::try_from(mixed(low) % u64::from(ALL)).unwrap_or_default()
}

/// Not 0, which would be none.
fn new_span() -> u64 {
    roll().max(1)
}

/// Beside the dice of a thread, which are 64 bits: two threads that come to the same number go on apart.
fn salt() -> u64 {
    use std::collections::hash_map::RandomState;
    use std::hash::{BuildHasher as _, Hasher as _};
    thread_local! {
        static SALT: u64 = RandomState::new().build_hasher().finish();
    }
    SALT.with(|salt| *salt)
}

/// A number of hexadecimal digits, lower case.
fn from_hex(text: &[u8]) -> Option<u128> {
    if text.is_empty() || text.len() > 32 {
        return None;
    }
    text.iter().try_fold(0, |number: u128, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

/// Writes a number with so many hexadecimal digits as there is room for.
fn to_hex(number: u128, room: &mut [u8]) {
    let mut rest = number;
    for place in room.iter_mut().rev() {
        let digit = u8::try_from(rest & 0xF).unwrap_or_default();
        *place = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        rest >>= 4;
    }
}

/// Decides about a request, where requests are traced.
pub(crate) fn decide(
    session: &Session,
    table: &Table,
    asked: Option<RequestView<'_>>,
) -> Option<Context> {
    let (tracer, asked) = (table.tracer.as_ref()?, asked?);
    let stranger = session.direction == Direction::Inbound && session.peer.is_none();
    Some(tracer.decide(asked.headers, session.direction, stranger))
}

/// The span of a request that is followed.
pub(crate) fn begin(
    table: &Table,
    context: Option<Context>,
    asked: Option<RequestView<'_>>,
) -> Option<Span> {
    let context = context.filter(|context| context.sampled)?;
    Some(Span::begin(table.tracer.as_ref()?, context, asked?.headers))
}

/// Tells the next server what was decided.
pub(crate) fn inject(table: &Table, context: Option<Context>, headers: &mut HeaderMap) {
    if let (Some(tracer), Some(context)) = (&table.tracer, &context) {
        tracer.inject(context, headers);
    }
}

#[cfg(test)]
mod tests;
