//! What a client tells about itself: plain figures, and the names under which OpenTelemetry knows them
//! (`metrics`). Who counts is `connection`'s; `latency` keeps the durations.

mod latency;
mod metrics;

pub(crate) use latency::Latencies;
pub use latency::{BOUNDARIES, Latency};
pub use metrics::{AttributeValue, METRICS, Metric, MetricKind, MetricValue, Sample};

use crate::connection::CacheStats;
use crate::error::ErrorCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Figures of a client: counts since it was made, and how things stand now.
///
/// Taking them costs a few microseconds and holds nobody up. [`Stats::metrics`] gives the same under the
/// names of OpenTelemetry's semantic conventions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// `host:port` of the cache.
    pub endpoint: Arc<str>,
    /// Commands handed over so far; each command of a pipeline or transaction counts.
    pub commands: u64,
    /// Commands that ended in an error, by its code: error replies of the server, what keyless told in place
    /// of a reply, and what was refused at once. What a [`Batch`](crate::Batch) refused to take in is not
    /// known here, and errors inside the reply to `EXEC` are not looked for.
    pub errors: BTreeMap<ErrorCode, u64>,
    /// Commands that wait to be written.
    pub queued: usize,
    /// Commands that were written and wait for their reply.
    pub in_flight: usize,
    /// Connections made, the first one included.
    pub connections: u64,
    /// Connections made after one was lost.
    pub reconnects: u64,
    /// Live connections signed in again.
    pub reauthentications: u64,
    /// Attempts to sign a live connection in again that failed.
    pub reauthentication_failures: u64,
    /// Tokens acquired, the first one included; 0 with an access key. A source that clients share counts for
    /// each of them.
    pub token_refreshes: u64,
    /// Attempts to acquire a token that failed.
    pub token_refresh_failures: u64,
    /// How long ago the token in use was received; `None` when there is none.
    pub token_age: Option<Duration>,
    /// How long the token in use is still valid, zero when it has expired; `None` when there is none.
    pub token_remaining: Option<Duration>,
    /// Client-side caching.
    pub cache: CacheStats,
    /// Messages that subscribers lost by being slow, all of this client's together.
    pub messages_dropped: u64,
    /// Events that no handler heard of because the queue was full.
    pub events_dropped: u64,
    /// How long commands took, from the call to their reply.
    pub latency: Latency,
    /// Each endpoint: one, or a cluster's nodes.
    pub endpoints: Vec<EndpointStats>,
}

/// How things stand with one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// `host:port`.
    pub endpoint: Arc<str>,
    /// Whether there is a signed-in connection now.
    pub connected: bool,
    /// Commands that wait to be written.
    pub queued: usize,
    /// Commands that were written and wait for their reply.
    pub in_flight: usize,
    /// How long ago the server last sent anything, or the connection was made; `None` without a connection.
    /// Together with `in_flight` it shows a server that hangs.
    pub last_reply: Option<Duration>,
}
