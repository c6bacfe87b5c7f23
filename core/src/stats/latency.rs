//! How long commands took. Kept in microseconds with two significant digits, in a table of fixed size:
//! recording is a few nanoseconds and never allocates.

use hdrhistogram::Histogram;
use std::time::Duration;

/// Longer ones count as this one, in microseconds.
const LONGEST: u64 = 3_600_000_000;
/// Percentiles are exact to one percent.
const DIGITS: u8 = 2;

/// The upper ends of [`Latency::buckets`] but the last, which has none.
///
/// Those that OpenTelemetry's semantic conventions name for `db.client.operation.duration`.
pub const BOUNDARIES: [Duration; 9] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// How long commands took from the call to their reply, since the client was made: waiting for a connection and
/// in the queue included. Commands that got no reply do not count; error replies do.
///
/// Percentiles are exact to one percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// How many commands.
    pub count: u64,
    /// All of it together.
    pub total: Duration,
    /// Half of them took no longer.
    pub p50: Duration,
    /// 90 % of them took no longer.
    pub p90: Duration,
    /// 99 % of them took no longer.
    pub p99: Duration,
    /// 99.9 % of them took no longer.
    pub p99_9: Duration,
    /// The longest.
    pub max: Duration,
    /// How many took no longer than each of [`BOUNDARIES`] and longer than the one before; the last: longer
    /// than all.
    pub buckets: [u64; BOUNDARIES.len() + 1],
}

/// Where durations are recorded.
#[derive(Debug)]
pub(crate) struct Latencies {
    histogram: Histogram<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS);
        Self { histogram: histogram.expect("valid bounds"), total: 0 }
    }
}

impl Latencies {
    /// So many commands took so long.
    pub(crate) fn record(&mut self, took: Duration, count: u64) {
        let microseconds =
            took.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(took.subsec_micros()));
        self.histogram.saturating_record_n(microseconds, count);
        self.total = self.total.saturating_add(microseconds.saturating_mul(count));
    }

    /// What was recorded so far.
    pub(crate) fn view(&self) -> Latency {
        let histogram = &self.histogram;
        // The highest duration that counts as the same one must not exceed the longest that there was.
        let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile).min(histogram.max()));
        let mut buckets = [0; BOUNDARIES.len() + 1];
        for step in histogram.iter_recorded() {
            let took = Duration::from_micros(step.value_iterated_to());
            // A boundary lies within a step, which is one percent wide: the step's lower end decides.
            let lowest =
                Duration::from_micros(histogram.lowest_equivalent(step.value_iterated_to())).min(took);
            let bucket = BOUNDARIES.partition_point(|boundary| *boundary < lowest);
            buckets[bucket] += step.count_at_value();
        }
        Latency {
            count: histogram.len(),
            total: Duration::from_micros(self.total),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: Duration::from_micros(histogram.max()),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn percentiles_are_exact_to_one_percent() {
        let mut latencies = Latencies::default();
        for took in 1..=1000 {
            latencies.record(milliseconds(took), 1);
        }
        let latency = latencies.view();
        assert_eq!(latency.count, 1000);
        assert_eq!(latency.total, milliseconds(500_500));
        for (got, wanted) in [
            (latency.p50, 500),
            (latency.p90, 900),
            (latency.p99, 990),
            (latency.p99_9, 999),
            (latency.max, 1000),
        ] {
            let wanted = milliseconds(wanted);
            assert!(got >= wanted.mul_f64(0.99) && got <= wanted.mul_f64(1.01), "{got:?}, not {wanted:?}");
        }
        assert!(latency.p99_9 <= latency.max);
    }

    #[test]
    fn each_bucket_ends_at_its_boundary() {
        let mut latencies = Latencies::default();
        for boundary in BOUNDARIES {
            latencies.record(boundary, 2);
            latencies.record(boundary.mul_f64(1.02), 3);
        }
        let mut wanted = [5; BOUNDARIES.len() + 1];
        (wanted[0], wanted[BOUNDARIES.len()]) = (2, 3);
        assert_eq!(latencies.view().buckets, wanted);
    }

    #[test]
    fn nothing_is_too_short_or_too_long() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.view(), Latency::default());
        latencies.record(Duration::ZERO, 1);
        latencies.record(Duration::MAX, 1);
        let latency = latencies.view();
        assert_eq!((latency.count, latency.buckets[0], latency.buckets[BOUNDARIES.len()]), (2, 1, 1));
        assert!(latency.max >= Duration::from_micros(LONGEST).mul_f64(0.99));
    }
}
