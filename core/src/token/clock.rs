//! The wall clock, which tokens expire by: real in the product, moved by hand in tests.

use std::fmt;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Tells the time of day.
pub(crate) trait Clock: fmt::Debug + Send + Sync {
    /// The time of day.
    fn wall(&self) -> SystemTime;
}

/// The system's clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A moment that has come when either clock says so.
///
/// The monotonic clock stands still while a machine is suspended, the wall clock may be set back: with both, a
/// refresh is late for neither reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) wall: SystemTime,
    monotonic: Instant,
}

impl Due {
    pub(crate) fn after(wait: Duration, clock: &dyn Clock) -> Self {
        Self { wall: clock.wall() + wait, monotonic: Instant::now() + wait }
    }

    /// How long until the moment comes; zero when it has come.
    pub(crate) fn remaining(&self, clock: &dyn Clock) -> Duration {
        let by_wall = self.wall.duration_since(clock.wall()).unwrap_or_default();
        by_wall.min(self.monotonic.saturating_duration_since(Instant::now()))
    }
}
