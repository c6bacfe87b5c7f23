//! What is counted about a client's endpoints, by whoever sees it happen. Cheap enough for the data path: a
//! lock that nobody else holds once per read, and one for each error.

use super::cache::CacheCounters;
use super::node::{Node, State};
use super::outbox::Failure;
use crate::error::{ErrorCode, code_of_reply};
use crate::stats::{EndpointStats, Latencies, Stats};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counts since the client was made. Endpoints that come and go may share one, so that nothing is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) submitted: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) reauthentications: AtomicU64,
    pub(crate) reauthentication_failures: AtomicU64,
    pub(super) cache: Arc<CacheCounters>,
    errors: Mutex<BTreeMap<ErrorCode, u64>>,
    latencies: Mutex<Latencies>,
}

impl Counters {
    /// So many commands ended in an error.
    pub(crate) fn error(&self, code: ErrorCode, count: usize) {
        *self.errors.lock().entry(code).or_default() += count as u64;
    }

    /// The server answered a command with this frame, which is an error.
    pub(super) fn error_reply(&self, frame: &[u8]) {
        // `-WRONGTYPE text` or `!21\r\nWRONGTYPE text`.
        let text = match frame {
            [b'!', ..] => frame.split(|byte| *byte == b'\n').nth(1),
            _ => frame.get(1..),
        };
        let word = text.and_then(|text| text.split(u8::is_ascii_whitespace).next());
        let word = word.and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
        self.error(code_of_reply(word), 1);
    }

    /// Tells those whose requests get no reply, and counts the callers' among them.
    pub(super) fn tell(&self, failures: Vec<Failure>) {
        self.failed(&failures);
        Failure::tell(failures);
    }

    fn failed(&self, failures: &[Failure]) {
        if failures.is_empty() {
            return;
        }
        let mut errors = self.errors.lock();
        for failure in failures.iter().filter(|failure| !failure.own) {
            *errors.entry(failure.error.code()).or_default() += failure.count as u64;
        }
    }

    /// Commands were answered at `now`: when they were handed over, and how many.
    pub(super) fn answered(&self, now: Instant, answered: &mut Vec<(Instant, u64)>) {
        if answered.is_empty() {
            return;
        }
        let mut latencies = self.latencies.lock();
        for (submitted, count) in answered.drain(..) {
            latencies.record(now.saturating_duration_since(submitted), count);
        }
    }

    /// Puts the counts into a client's figures.
    pub(crate) fn fill(&self, stats: &mut Stats) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        stats.commands = count(&self.submitted);
        stats.connections = count(&self.connections);
        stats.reconnects = count(&self.reconnects);
        stats.reauthentications = count(&self.reauthentications);
        stats.reauthentication_failures = count(&self.reauthentication_failures);
        stats.cache = self.cache.stats();
        stats.errors.clone_from(&self.errors.lock());
        stats.latency = self.latencies.lock().view();
    }
}

impl Node {
    /// How things stand with this endpoint.
    pub(crate) fn figures(&self) -> EndpointStats {
        // Each lock for itself: see the order of locks in ARCHITECTURE.md.
        let queued = self.outbox.lock().len();
        let progress = self.active().map(|link| link.progress());
        EndpointStats {
            endpoint: Arc::clone(self.settings.label()),
            connected: matches!(self.state(), State::Ready),
            queued,
            in_flight: progress.map_or(0, |progress| progress.inflight),
            last_reply: progress.map(|progress| progress.heard.elapsed()),
        }
    }
}

impl Stats {
    /// Adds how things stand with one endpoint.
    pub(crate) fn add(&mut self, endpoint: EndpointStats) {
        self.queued += endpoint.queued;
        self.in_flight += endpoint.in_flight;
        self.endpoints.push(endpoint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::outbox::tests::Recorder;
    use crate::error::Error;
    use std::time::Duration;

    fn stats(counters: &Counters) -> Stats {
        let mut stats = Stats::default();
        counters.fill(&mut stats);
        stats
    }

    #[test]
    fn errors_are_counted_by_their_code() {
        let counters = Counters::default();
        for frame in ["-NOPERM no\r\n", "-ERR\r\n", "!21\r\nSYNTAX invalid syntax\r\n", "-WRONGTYPE x\r\n"] {
            counters.error_reply(frame.as_bytes());
        }
        let failure = |own, count, code| Failure {
            sink: Arc::new(Recorder::default()),
            first_tag: 0,
            count,
            error: Error::new(code, "", ""),
            own,
        };
        counters.failed(&[
            failure(false, 3, ErrorCode::Timeout),
            failure(true, 5, ErrorCode::Timeout),
            failure(false, 2, ErrorCode::Closed),
        ]);
        let wanted = [
            (ErrorCode::Timeout, 3),
            (ErrorCode::Closed, 2),
            (ErrorCode::Server, 3),
            (ErrorCode::NoPermission, 1),
        ];
        assert_eq!(stats(&counters).errors, wanted.into());
    }

    #[test]
    fn durations_are_those_since_each_submission() {
        let (counters, now) = (Counters::default(), Instant::now());
        let earlier = |by| now.checked_sub(Duration::from_millis(by)).unwrap();
        let mut answered = vec![(earlier(10), 99), (earlier(2000), 1)];
        counters.answered(now, &mut answered);
        assert!(answered.is_empty());
        let latency = stats(&counters).latency;
        assert_eq!((latency.count, latency.total), (100, Duration::from_millis(2990)));
        assert!(latency.p90 < Duration::from_millis(11) && latency.max >= Duration::from_millis(1980));
    }
}
