//! What we hold: a token, its claims, when to replace it, and the source that does so.

mod claims;
mod clock;
mod fresh;
mod options;
mod refresher;
pub mod schedule;
mod source;
mod state;

#[cfg(test)]
#[allow(clippy::unchecked_time_subtraction, reason = "a test that underflows has failed")]
mod scenarios;

pub use claims::Claims;
pub use options::{DEFAULT_SCOPE, ShouldRefreshFn, TokenSourceOptions, UserName, UserNameFn};
pub use source::{Subscription, TokenSource};
pub use state::TokenState;

use crate::secret::Secret;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A token in use. Cheap to clone; `Debug` shows everything but the token itself.
#[derive(Clone, Debug)]
pub struct Token {
    /// The access token itself: the password of `AUTH`.
    pub secret: Secret,
    /// The Redis user name: the token's `oid` claim, or what was configured instead.
    pub user: Arc<str>,
    /// When it expires.
    pub expires_at: SystemTime,
    /// When it was received.
    pub received_at: SystemTime,
    /// Counts the tokens of one source, from 1: two tokens of a source are the same if these are.
    pub generation: u64,
    /// The same moment by the clock that nobody sets.
    pub(crate) received: Instant,
}

impl Token {
    /// How long it lives in all.
    pub(crate) fn lifetime(&self) -> Duration {
        self.expires_at.duration_since(self.received_at).unwrap_or_default()
    }

    /// How long until it expires, by the clock that says so first: the monotonic one stands still while a machine
    /// is suspended, and the wall clock may have been set back since the token came.
    pub(crate) fn remaining(&self, now: Instant, wall: SystemTime) -> Duration {
        let by_wall = self.expires_at.duration_since(wall).unwrap_or_default();
        by_wall.min(self.lifetime().saturating_sub(now.saturating_duration_since(self.received)))
    }

    /// How long it is still good for use: until a little before it expires, so that what is sent then is still
    /// answered.
    pub(crate) fn usable(&self, now: Instant, wall: SystemTime) -> Duration {
        let lifetime = self.lifetime();
        self.remaining(now, wall).saturating_sub(lifetime.saturating_sub(schedule::usable_for(lifetime)))
    }
}
