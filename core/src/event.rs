//! What happens to tokens and connections, told to whoever asked, in order, on a thread of its own.

use crate::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Something that happened to a token or a connection. Never holds a secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A new token was acquired and is in use from now on.
    TokenRefreshed {
        /// When it happened.
        time: SystemTime,
        /// The Redis user name: the token's `oid` claim, or what was configured instead.
        user: Arc<str>,
        /// When the new token expires.
        expires_at: SystemTime,
        /// When the next refresh is due.
        next_refresh: SystemTime,
        /// Counts the tokens of this source, from 1.
        generation: u64,
    },
    /// An attempt to acquire a token failed. The old token stays in use until it expires; attempts go on.
    TokenRefreshFailed {
        /// When it happened.
        time: SystemTime,
        /// Counts the failed attempts since the last success, from 1.
        attempt: u32,
        /// How long until the next attempt.
        next_attempt: Duration,
        /// When the token in use expires; `None` when there is none.
        expires_at: Option<SystemTime>,
        /// Why.
        error: Error,
    },
    /// A live connection was signed in again with a new token.
    ConnectionReauthenticated {
        /// When it happened.
        time: SystemTime,
        /// `host:port` of the connection.
        endpoint: Arc<str>,
        /// When the token the connection now stands on expires.
        expires_at: SystemTime,
        /// Which token of the source it was.
        generation: u64,
    },
    /// A live connection could not be signed in again. It is tried again until its own token expires.
    ConnectionReauthenticationFailed {
        /// When it happened.
        time: SystemTime,
        /// `host:port` of the connection.
        endpoint: Arc<str>,
        /// Counts the failed attempts for this token, from 1.
        attempt: u32,
        /// How long until the next attempt.
        next_attempt: Duration,
        /// Why.
        error: Error,
    },
    /// A connection was lost, or the first one could not be made. Redialling goes on by itself.
    ConnectionLost {
        /// When it happened.
        time: SystemTime,
        /// `host:port` of the connection.
        endpoint: Arc<str>,
        /// Why.
        error: Error,
    },
    /// A lost connection was restored and is signed in.
    ConnectionRestored {
        /// When it happened.
        time: SystemTime,
        /// `host:port` of the connection.
        endpoint: Arc<str>,
        /// How long there was no connection.
        outage: Duration,
        /// How many dials it took.
        attempts: u32,
    },
}
