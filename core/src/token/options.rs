//! What can be set on a token source, and the checks on it.

use super::Claims;
use super::schedule::Schedule;
use crate::error::{Error, ErrorCode, Result};
use crate::event::DEFAULT_QUEUE;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The scope of Azure Managed Redis and Azure Cache for Redis in every cloud that names no other.
///
/// Source: "Use Microsoft Entra ID for cache authentication", Microsoft Learn.
pub const DEFAULT_SCOPE: &str = "https://redis.azure.com/.default";

/// Makes a Redis user name of a token's claims.
pub type UserNameFn = dyn Fn(&Claims) -> Result<String> + Send + Sync;

/// How the Redis user name is found.
#[derive(Clone, Default)]
pub enum UserName {
    /// The token's `oid` claim. Default.
    #[default]
    ObjectId,
    /// Always this one; the token need not even be a JWT then.
    Fixed(Arc<str>),
    /// Whatever the function makes of the claims. Called once per new token, on the thread `keyless-token`.
    FromClaims(Arc<UserNameFn>),
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ObjectId => f.write_str("ObjectId"),
            Self::Fixed(user) => f.debug_tuple("Fixed").field(user).finish(),
            Self::FromClaims(_) => f.write_str("FromClaims"),
        }
    }
}

/// Decides whether a token that was acquired and expires at these times is replaced now.
pub type ShouldRefreshFn = dyn Fn(SystemTime, SystemTime) -> bool + Send + Sync;

/// The function that decides about refreshing, and how often it is asked.
#[derive(Clone)]
pub(crate) struct ShouldRefresh {
    pub(crate) every: Duration,
    pub(crate) function: Arc<ShouldRefreshFn>,
}

impl fmt::Debug for ShouldRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShouldRefresh").field("every", &self.every).finish_non_exhaustive()
    }
}

/// Options of a [`TokenSource`](super::TokenSource). Every default suits production.
#[derive(Clone, Debug)]
pub struct TokenSourceOptions {
    pub(crate) scope: Arc<str>,
    pub(crate) user_name: UserName,
    pub(crate) schedule: Schedule,
    pub(crate) should_refresh: Option<ShouldRefresh>,
    pub(crate) event_queue: usize,
}

impl Default for TokenSourceOptions {
    fn default() -> Self {
        Self {
            scope: DEFAULT_SCOPE.into(),
            user_name: UserName::default(),
            schedule: Schedule::default(),
            should_refresh: None,
            event_queue: DEFAULT_QUEUE,
        }
    }
}

impl TokenSourceOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The scope to ask for; default [`DEFAULT_SCOPE`].
    pub fn scope(mut self, scope: impl Into<Arc<str>>) -> Self {
        self.scope = scope.into();
        self
    }

    /// How the Redis user name is found; default the token's `oid` claim.
    pub fn user_name(mut self, user_name: UserName) -> Self {
        self.user_name = user_name;
        self
    }

    /// The share of a token's life after which it is replaced, above 0 up to 1; default 0.75.
    pub fn refresh_ratio(mut self, ratio: f64) -> Self {
        self.schedule.refresh_ratio = ratio;
        self
    }

    /// The share of a token's life by which a refresh may come earlier at random, 0 to 1; default 0.1. It takes
    /// at most half of what the ratio gives.
    pub fn refresh_jitter(mut self, jitter: f64) -> Self {
        self.schedule.refresh_jitter = jitter;
        self
    }

    /// Lets `function` decide when a token is replaced, instead of ratio and jitter: it is called `every` so often
    /// with the times of the token's receipt and expiry (.NET's extension: `ShouldTokenBeRefreshed`, every 2
    /// minutes). Where it never says yes the token is replaced `refresh_margin`
    /// before its expiry all the same.
    ///
    /// It runs on the thread `keyless-token` and must not block it; a panic counts as a yes.
    pub fn should_refresh(
        mut self,
        every: Duration,
        function: impl Fn(SystemTime, SystemTime) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.should_refresh = Some(ShouldRefresh { every, function: Arc::new(function) });
        self.schedule.refresh_ratio = 1.0;
        self.schedule.refresh_jitter = 0.0;
        self
    }

    /// How long before its expiry a token is replaced at the latest; default 5 minutes. Holds for tokens that
    /// live at least twice as long.
    pub fn refresh_margin(mut self, margin: Duration) -> Self {
        self.schedule.refresh_margin = margin;
        self
    }

    /// The longest wait after the first failed attempt; default 1 s, at least 1 ms. It doubles with each
    /// further one.
    pub fn retry_min(mut self, wait: Duration) -> Self {
        self.schedule.retry_min = wait;
        self
    }

    /// The longest wait after any failed attempt; default 30 s, at least `retry_min`. A `Retry-After` of the
    /// token endpoint may ask for more.
    pub fn retry_max(mut self, wait: Duration) -> Self {
        self.schedule.retry_max = wait;
        self
    }

    /// How long the first attempt may take; default 10 s. Each further one may take half of it more, up to
    /// three times as much.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.schedule.request_timeout = timeout;
        self
    }

    /// How many events may wait for their handlers; default 1024.
    pub fn event_queue(mut self, events: usize) -> Self {
        self.event_queue = events;
        self
    }

    /// Fails with [`ErrorCode::InvalidOption`] on a value that makes no sense.
    pub(crate) fn check(&self) -> Result<()> {
        let schedule = &self.schedule;
        let refuse = |option: &str, rule: &str| {
            Err(Error::new(
                ErrorCode::InvalidOption,
                format!("{option} {rule}."),
                "Correct the option or leave it out.",
            ))
        };
        if self.scope.is_empty() {
            return refuse("scope", "must not be empty");
        }
        if matches!(&self.user_name, UserName::Fixed(user) if user.is_empty()) {
            return refuse("user_name", "must not be empty");
        }
        if !(schedule.refresh_ratio > 0.0 && schedule.refresh_ratio <= 1.0) {
            return refuse("refresh_ratio", "must be above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&schedule.refresh_jitter) {
            return refuse("refresh_jitter", "must be between 0 and 1");
        }
        if schedule.retry_min < Duration::from_millis(1) {
            return refuse("retry_min", "must be at least 1 ms");
        }
        if schedule.retry_max < schedule.retry_min {
            return refuse("retry_max", "must be at least retry_min");
        }
        if schedule.request_timeout.is_zero() {
            return refuse("request_timeout", "must be above 0");
        }
        if self.should_refresh.as_ref().is_some_and(|asked| asked.every < Duration::from_millis(1)) {
            return refuse("the interval of should_refresh", "must be at least 1 ms");
        }
        let day = Duration::from_hours(24);
        if schedule.refresh_margin > day || schedule.retry_max > day || schedule.request_timeout > day {
            return refuse("refresh_margin, retry_max and request_timeout", "must be at most a day");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        let new = TokenSourceOptions::new;
        assert!(new().check().is_ok());
        for (options, name) in [
            (new().scope(""), "scope"),
            (new().user_name(UserName::Fixed("".into())), "user_name"),
            (new().refresh_ratio(0.0), "refresh_ratio"),
            (new().refresh_ratio(f64::NAN), "refresh_ratio"),
            (new().refresh_jitter(1.5), "refresh_jitter"),
            (new().retry_min(Duration::ZERO), "retry_min"),
            (new().retry_max(Duration::ZERO), "retry_max"),
            (new().request_timeout(Duration::ZERO), "request_timeout"),
            (new().refresh_margin(Duration::MAX), "refresh_margin"),
            (new().should_refresh(Duration::ZERO, |_, _| true), "should_refresh"),
        ] {
            let error = options.check().unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidOption);
            assert!(error.message().contains(name), "{error}");
        }
    }
}
