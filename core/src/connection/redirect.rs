//! Requests that were not executed and belong elsewhere, or to later, on their way to whoever sends them again.

use super::batch::CompletionSink;
use super::order::Order;
use super::outbox::{Failure, Times};
use crate::error::Error;
use std::sync::Arc;
use std::sync::{OnceLock, Weak};

/// Requests of one run that were not executed, with all that is needed to send them again.
pub(crate) struct Redirected {
    pub(crate) bytes: Vec<u8>,
    /// One past the last byte of each request.
    pub(crate) ends: Vec<usize>,
    pub(crate) sink: Arc<dyn CompletionSink>,
    pub(crate) first_tag: u64,
    pub(crate) times: Times,
    /// A transaction.
    pub(crate) atomic: bool,
    pub(crate) order: Order,
}

impl Redirected {
    /// The failure of all of them: they were not executed.
    pub(crate) fn fail(self, error: Error) -> Failure {
        Failure { sink: self.sink, first_tag: self.first_tag, count: self.ends.len(), error, own: false }
    }
}

/// Who sends redirected requests where they belong.
pub(crate) trait Reroute: Send + Sync {
    /// Takes requests over; their sinks are told of replies or failure. Called without any lock. `teller` is
    /// the host that redirected them.
    fn reroute(&self, teller: &str, requests: Vec<Redirected>);

    /// A node has lost its connection, or told of a change by itself: the map may have changed.
    fn suspect(&self);
}

/// The way from a connection to whoever reroutes; empty where there is no cluster, and redirections then
/// are replies like any other.
pub(crate) type Rerouter = Arc<OnceLock<Weak<dyn Reroute>>>;
