//! The figures under the names of OpenTelemetry's semantic conventions for database clients, and under
//! `keyless.` where those have no name. The one list: what exports metrics, in any language, reads it.

use super::{BOUNDARIES, Stats};
use crate::error::ErrorCode;
use std::time::Duration;

/// How a metric behaves, in OpenTelemetry's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// A number of things that are there now; the numbers of several clients may be added up.
    UpDownCounter,
    /// A value of now that cannot be added up.
    Gauge,
    /// How values are distributed.
    Histogram,
}

impl MetricKind {
    /// Its name in OpenTelemetry's registry: `counter`, `updowncounter`, `gauge`, `histogram`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::UpDownCounter => "updowncounter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric that keyless knows.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name: `db.client.operation.duration`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// Its unit as UCUM writes it: `s`, `{command}`.
    pub unit: &'static str,
    /// What it says.
    pub description: &'static str,
}

const fn metric(
    name: &'static str,
    kind: MetricKind,
    unit: &'static str,
    description: &'static str,
) -> Metric {
    Metric { name, kind, unit, description }
}

use MetricKind::{Counter, Gauge, Histogram, UpDownCounter};

static DURATION: Metric = metric(
    "db.client.operation.duration",
    Histogram,
    "s",
    "How long commands took from the call to their reply",
);
static CONNECTIONS: Metric =
    metric("db.client.connection.count", UpDownCounter, "{connection}", "Connections that are signed in now");
static PENDING: Metric = metric(
    "db.client.connection.pending_requests",
    UpDownCounter,
    "{request}",
    "Commands that wait to be written",
);
static COMMANDS: Metric = metric("keyless.client.commands", Counter, "{command}", "Commands handed over");
static ERRORS: Metric =
    metric("keyless.client.errors", Counter, "{command}", "Commands that ended in an error, by `error.type`");
static IN_FLIGHT: Metric =
    metric("keyless.client.in_flight", UpDownCounter, "{command}", "Commands that wait for their reply");
static MADE: Metric = metric("keyless.client.connections", Counter, "{connection}", "Connections made");
static RECONNECTS: Metric =
    metric("keyless.client.reconnects", Counter, "{connection}", "Connections made after one was lost");
static REAUTHENTICATIONS: Metric =
    metric("keyless.client.reauthentications", Counter, "{sign-in}", "Live connections signed in again");
static REAUTHENTICATION_FAILURES: Metric = metric(
    "keyless.client.reauthentication.failures",
    Counter,
    "{sign-in}",
    "Failed attempts to sign a live connection in again",
);
static CACHE_HITS: Metric =
    metric("keyless.cache.hits", Counter, "{command}", "Reads answered by client-side caching");
static CACHE_MISSES: Metric = metric(
    "keyless.cache.misses",
    Counter,
    "{command}",
    "Reads that client-side caching could not answer yet",
);
static CACHE_INVALIDATIONS: Metric =
    metric("keyless.cache.invalidations", Counter, "{key}", "Cached keys that have changed");
static CACHE_EVICTIONS: Metric =
    metric("keyless.cache.evictions", Counter, "{reply}", "Cached replies given up for want of room");
static CACHE_ENTRIES: Metric =
    metric("keyless.cache.entries", UpDownCounter, "{reply}", "Replies cached on this side");
static CACHE_BYTES: Metric =
    metric("keyless.cache.size", UpDownCounter, "By", "What the replies cached on this side take");
static LAST_REPLY: Metric =
    metric("keyless.client.last_reply.age", Gauge, "s", "How long ago the server last sent anything");
static REFRESHES: Metric = metric("keyless.token.refreshes", Counter, "{token}", "Tokens acquired");
static REFRESH_FAILURES: Metric =
    metric("keyless.token.refresh.failures", Counter, "{attempt}", "Failed attempts to acquire a token");
static TOKEN_AGE: Metric =
    metric("keyless.token.age", Gauge, "s", "How long ago the token in use was received");
static TOKEN_REMAINING: Metric =
    metric("keyless.token.remaining", Gauge, "s", "How long the token in use is still valid");
static MESSAGES_DROPPED: Metric =
    metric("keyless.messages.dropped", Counter, "{message}", "Messages that subscribers lost by being slow");
static EVENTS_DROPPED: Metric =
    metric("keyless.events.dropped", Counter, "{event}", "Events that gave way because the queue was full");

/// Every metric that [`Stats::metrics`] can yield.
pub static METRICS: [&Metric; 23] = [
    &DURATION,
    &CONNECTIONS,
    &PENDING,
    &COMMANDS,
    &ERRORS,
    &IN_FLIGHT,
    &MADE,
    &RECONNECTS,
    &REAUTHENTICATIONS,
    &REAUTHENTICATION_FAILURES,
    &LAST_REPLY,
    &CACHE_HITS,
    &CACHE_MISSES,
    &CACHE_INVALIDATIONS,
    &CACHE_EVICTIONS,
    &CACHE_ENTRIES,
    &CACHE_BYTES,
    &REFRESHES,
    &REFRESH_FAILURES,
    &TOKEN_AGE,
    &TOKEN_REMAINING,
    &MESSAGES_DROPPED,
    &EVENTS_DROPPED,
];

/// What a metric shows now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MetricValue {
    /// A number of things.
    Count(u64),
    /// A duration in seconds.
    Seconds(f64),
    /// A distribution of durations in seconds.
    Histogram {
        /// How many.
        count: u64,
        /// All of them together.
        sum: f64,
        /// The upper ends of all buckets but the last.
        boundaries: Vec<f64>,
        /// How many fell into each bucket.
        buckets: Vec<u64>,
    },
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttributeValue {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
}

/// One value of one metric.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Which metric.
    pub metric: &'static Metric,
    /// What it shows.
    pub value: MetricValue,
    /// What it is about, by the names of the semantic conventions: `server.address`, `error.type`.
    pub attributes: Vec<(&'static str, AttributeValue)>,
}

type Attributes = Vec<(&'static str, AttributeValue)>;

fn text(text: &str) -> AttributeValue {
    AttributeValue::Text(text.to_owned())
}

/// What every sample says of the server.
fn server(endpoint: &str) -> Attributes {
    let mut attributes = vec![("db.system.name", text("redis"))];
    match endpoint.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => {
            attributes.push(("server.address", text(host.trim_matches(['[', ']']))));
            attributes.push(("server.port", AttributeValue::Number(port)));
        }
        None => attributes.push(("server.address", text(endpoint))),
    }
    attributes
}

fn seconds(duration: Duration) -> MetricValue {
    MetricValue::Seconds(duration.as_secs_f64())
}

impl Stats {
    /// The figures as metrics: one sample for each value, several for a metric that is split by an attribute.
    ///
    /// ```
    /// # fn export(client: &keyless::Client) {
    /// for sample in client.stats().metrics() {
    ///     println!("{} {:?} {} {:?}", sample.metric.name, sample.value, sample.metric.unit, sample.attributes);
    /// }
    /// # }
    /// ```
    pub fn metrics(&self) -> Vec<Sample> {
        let cache = server(&self.endpoint);
        let whole = |metric, value| Sample { metric, value, attributes: cache.clone() };
        let count = |metric, count| whole(metric, MetricValue::Count(count));
        let latency = &self.latency;
        let mut samples = vec![
            whole(
                &DURATION,
                MetricValue::Histogram {
                    count: latency.count,
                    sum: latency.total.as_secs_f64(),
                    boundaries: BOUNDARIES.iter().map(Duration::as_secs_f64).collect(),
                    buckets: latency.buckets.to_vec(),
                },
            ),
            count(&COMMANDS, self.commands),
            count(&MADE, self.connections),
            count(&RECONNECTS, self.reconnects),
            count(&REAUTHENTICATIONS, self.reauthentications),
            count(&REAUTHENTICATION_FAILURES, self.reauthentication_failures),
            count(&CACHE_HITS, self.cache.hits),
            count(&CACHE_MISSES, self.cache.misses),
            count(&CACHE_INVALIDATIONS, self.cache.invalidations),
            count(&CACHE_EVICTIONS, self.cache.evictions),
            count(&CACHE_ENTRIES, self.cache.entries as u64),
            count(&CACHE_BYTES, self.cache.bytes as u64),
            count(&REFRESHES, self.token_refreshes),
            count(&REFRESH_FAILURES, self.token_refresh_failures),
            count(&MESSAGES_DROPPED, self.messages_dropped),
            count(&EVENTS_DROPPED, self.events_dropped),
        ];
        samples.extend(self.errors.iter().map(|(code, times)| {
            let mut sample = count(&ERRORS, *times);
            sample.attributes.push(("error.type", text(ErrorCode::name(*code))));
            sample
        }));
        samples.extend(self.token_age.map(|age| whole(&TOKEN_AGE, seconds(age))));
        samples.extend(self.token_remaining.map(|left| whole(&TOKEN_REMAINING, seconds(left))));
        for endpoint in &self.endpoints {
            let of = |metric, value| {
                let mut attributes = server(&endpoint.endpoint);
                attributes.push(("db.client.connection.pool.name", text(&endpoint.endpoint)));
                Sample { metric, value, attributes }
            };
            let mut open = of(&CONNECTIONS, MetricValue::Count(u64::from(endpoint.connected)));
            // Commands share the connection: it is never taken by one of them and never idle.
            open.attributes.push(("db.client.connection.state", text("used")));
            samples.push(open);
            samples.push(of(&PENDING, MetricValue::Count(endpoint.queued as u64)));
            samples.push(of(&IN_FLIGHT, MetricValue::Count(endpoint.in_flight as u64)));
            samples.extend(endpoint.last_reply.map(|age| of(&LAST_REPLY, seconds(age))));
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::EndpointStats;
    use std::collections::BTreeSet;

    fn stats() -> Stats {
        let endpoint = EndpointStats {
            endpoint: "cache.example:10000".into(),
            connected: true,
            queued: 3,
            in_flight: 4,
            last_reply: Some(Duration::from_millis(1500)),
        };
        Stats {
            endpoint: "cache.example:10000".into(),
            errors: [(ErrorCode::Timeout, 2), (ErrorCode::Server, 5)].into(),
            token_age: Some(Duration::from_secs(10)),
            token_remaining: Some(Duration::from_secs(50)),
            endpoints: vec![endpoint],
            ..Stats::default()
        }
    }

    #[test]
    fn every_metric_is_yielded_and_none_that_is_not_in_the_list() {
        let samples = stats().metrics();
        let yielded: BTreeSet<_> = samples.iter().map(|sample| sample.metric.name).collect();
        let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(yielded, known);
        assert_eq!(known.len(), METRICS.len(), "each name once");
    }

    #[test]
    fn a_sample_says_what_it_is_about() {
        let samples = stats().metrics();
        let of = |name: &str| samples.iter().filter(|sample| sample.metric.name == name).collect::<Vec<_>>();
        let timeouts = ("error.type", text("timeout"));
        let errors = of("keyless.client.errors");
        assert_eq!(errors.len(), 2);
        assert!(
            errors
                .iter()
                .any(|sample| sample.value == MetricValue::Count(2) && sample.attributes.contains(&timeouts))
        );
        let age = of("keyless.client.last_reply.age").remove(0);
        assert_eq!(age.value, MetricValue::Seconds(1.5));
        assert!(age.attributes.contains(&("server.port", AttributeValue::Number(10000))));
        assert!(age.attributes.contains(&("server.address", text("cache.example"))));
    }

    #[test]
    fn the_address_of_an_ipv6_endpoint_has_no_brackets() {
        assert!(server("[::1]:6379").contains(&("server.address", text("::1"))));
    }
}
