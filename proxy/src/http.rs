//! Requests: a connection is served, each request is checked, decided, sent on, and accounted for.
//!
//! Never buffers a body, and never forwards a head that two servers could read differently.

mod alarms;
mod answer;
mod body;
mod bootstrap;
mod deadline;
mod ending;
mod exchange;
mod head;
mod heads;
mod inbound;
mod mirror;
mod outbound;
mod overdue;
mod pace;
mod passing;
mod received;
mod recorded;
mod scan;
mod selection;
mod serve;
mod streams;
mod timers;
mod tries;
mod tunnel;
mod two;
mod upgrade;

pub(crate) use answer::grpc_status;
pub(crate) use body::{Body, RequestBody};
pub(crate) use deadline::told as told_deadline;
pub(crate) use received::Received;
pub(crate) use recorded::Recording;
pub(crate) use serve::serve;
pub(crate) use two::{Pulse, Pump};
