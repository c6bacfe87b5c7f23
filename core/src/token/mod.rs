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
use std::time::SystemTime;

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
}
