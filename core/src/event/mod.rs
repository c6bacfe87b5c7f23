//! What happens to tokens and connections: the events, the set of kinds a handler asks for, and the one
//! log line of each. How they reach handlers is in `hub` and `dispatcher`.

mod dispatcher;
mod hub;

pub use hub::{DEFAULT_QUEUE, EventHandler, EventHub, HandlerId};

/// Whether the caller is a handler, on the thread `keyless-events`: what waits for other handlers or callbacks does not do
/// so there.
pub fn is_handler_thread() -> bool {
    dispatcher::is_current_thread()
}

use crate::error::Error;
use std::ops::{BitOr, BitOrAssign};
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
    /// Subscriptions were without a connection and have one again: messages may have been missed. Each subscriber is
    /// told as well ([`Delivery::Gap`](crate::Delivery::Gap)).
    SubscriptionGap {
        /// When it happened.
        time: SystemTime,
        /// `host:port` of the connection.
        endpoint: Arc<str>,
        /// How long there was no connection.
        outage: Duration,
        /// How many channels, patterns and shard channels are subscribed to.
        subscriptions: usize,
    },
}

/// A set of event kinds, one bit each: what a handler wants to hear of.
///
/// The bits are part of the C interface: they never change their meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventMask(u32);

impl EventMask {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// [`Event::TokenRefreshed`].
    pub const TOKEN_REFRESHED: Self = Self(1);
    /// [`Event::TokenRefreshFailed`].
    pub const TOKEN_REFRESH_FAILED: Self = Self(1 << 1);
    /// [`Event::ConnectionReauthenticated`].
    pub const CONNECTION_REAUTHENTICATED: Self = Self(1 << 2);
    /// [`Event::ConnectionReauthenticationFailed`].
    pub const CONNECTION_REAUTHENTICATION_FAILED: Self = Self(1 << 3);
    /// [`Event::ConnectionLost`].
    pub const CONNECTION_LOST: Self = Self(1 << 4);
    /// [`Event::ConnectionRestored`].
    pub const CONNECTION_RESTORED: Self = Self(1 << 5);
    /// [`Event::SubscriptionGap`].
    pub const SUBSCRIPTION_GAP: Self = Self(1 << 6);
    /// Both events of the token.
    pub const TOKEN: Self = Self(0b11);
    /// Everything, also kinds that later versions add.
    pub const ALL: Self = Self(u32::MAX);

    /// The set whose bits are `bits`; unknown bits stand for kinds that later versions may add.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The set as bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether the two sets share a kind.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOr for EventMask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for EventMask {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Event {
    /// The event's kind, as a set of one.
    pub fn kind(&self) -> EventMask {
        match self {
            Self::TokenRefreshed { .. } => EventMask::TOKEN_REFRESHED,
            Self::TokenRefreshFailed { .. } => EventMask::TOKEN_REFRESH_FAILED,
            Self::ConnectionReauthenticated { .. } => EventMask::CONNECTION_REAUTHENTICATED,
            Self::ConnectionReauthenticationFailed { .. } => EventMask::CONNECTION_REAUTHENTICATION_FAILED,
            Self::ConnectionLost { .. } => EventMask::CONNECTION_LOST,
            Self::ConnectionRestored { .. } => EventMask::CONNECTION_RESTORED,
            Self::SubscriptionGap { .. } => EventMask::SUBSCRIPTION_GAP,
        }
    }

    /// The event's name as logs and every binding show it: `token_refreshed`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TokenRefreshed { .. } => "token_refreshed",
            Self::TokenRefreshFailed { .. } => "token_refresh_failed",
            Self::ConnectionReauthenticated { .. } => "connection_reauthenticated",
            Self::ConnectionReauthenticationFailed { .. } => "connection_reauthentication_failed",
            Self::ConnectionLost { .. } => "connection_lost",
            Self::ConnectionRestored { .. } => "connection_restored",
            Self::SubscriptionGap { .. } => "subscription_gap",
        }
    }

    /// When it happened.
    pub fn time(&self) -> SystemTime {
        match self {
            Self::TokenRefreshed { time, .. }
            | Self::TokenRefreshFailed { time, .. }
            | Self::ConnectionReauthenticated { time, .. }
            | Self::ConnectionReauthenticationFailed { time, .. }
            | Self::ConnectionLost { time, .. }
            | Self::ConnectionRestored { time, .. }
            | Self::SubscriptionGap { time, .. } => *time,
        }
    }

    /// Writes the event's one log line: success as info, failure as a warning.
    fn log(&self) {
        let event = self.name();
        // Seconds from the event to another instant; negative instants (already past) read as 0.
        let seconds = |to: &SystemTime| to.duration_since(self.time()).unwrap_or_default().as_secs();
        match self {
            Self::TokenRefreshed { user, expires_at, next_refresh, generation, .. } => tracing::info!(
                event,
                user = &**user,
                generation,
                expires_in_s = seconds(expires_at),
                next_refresh_in_s = seconds(next_refresh),
                "a new token is in use"
            ),
            Self::TokenRefreshFailed { attempt, next_attempt, expires_at, error, .. } => tracing::warn!(
                event,
                attempt,
                next_attempt_in_s = next_attempt.as_secs_f64(),
                expires_in_s = expires_at.as_ref().map(seconds),
                %error,
                "no token was acquired; attempts go on"
            ),
            Self::ConnectionReauthenticated { endpoint, expires_at, generation, .. } => tracing::info!(
                event,
                endpoint = &**endpoint,
                generation,
                expires_in_s = seconds(expires_at),
                "the connection signed in again"
            ),
            Self::ConnectionReauthenticationFailed { endpoint, attempt, next_attempt, error, .. } => {
                tracing::warn!(
                    event,
                    endpoint = &**endpoint,
                    attempt,
                    next_attempt_in_s = next_attempt.as_secs_f64(),
                    %error,
                    "the connection could not sign in again"
                );
            }
            Self::ConnectionLost { endpoint, error, .. } => {
                tracing::warn!(event, endpoint = &**endpoint, %error, "the connection was lost");
            }
            Self::ConnectionRestored { endpoint, outage, attempts, .. } => tracing::info!(
                event,
                endpoint = &**endpoint,
                outage_s = outage.as_secs_f64(),
                attempts,
                "the connection was restored"
            ),
            Self::SubscriptionGap { endpoint, outage, subscriptions, .. } => tracing::warn!(
                event,
                endpoint = &**endpoint,
                outage_s = outage.as_secs_f64(),
                subscriptions,
                "subscribers may have missed messages"
            ),
        }
    }
}
