//! What a token source holds, and every change to it: a token came, an attempt failed, the server refused one.
//! Nothing here waits or asks; that is the refresher's.

use super::clock::{Clock, Due};
use super::schedule::{Schedule, usable_for};
use super::{Claims, Token, TokenSourceOptions, UserName};
use crate::credential::AccessToken;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Refusals further apart than this have nothing to do with each other.
const REFUSALS_FORGOTTEN: Duration = Duration::from_secs(600);

/// A token source as an operator sees it: everything but the token.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TokenState {
    /// The Redis user name; `None` before the first token.
    pub user: Option<Arc<str>>,
    /// Counts the tokens of this source, from 1; 0 before the first.
    pub generation: u64,
    /// When the token in use was received; `None` when there is none.
    pub received_at: Option<SystemTime>,
    /// When the token in use expires; `None` when there is none.
    pub expires_at: Option<SystemTime>,
    /// When the next attempt is due; `None` before the source is first used and after it was closed.
    pub next_refresh: Option<SystemTime>,
    /// Why the last attempt failed; `None` after a success.
    pub last_error: Option<Error>,
    /// How many attempts failed since the last success.
    pub attempt: u32,
    /// How many new tokens were acquired.
    pub refreshes: u64,
    /// How many attempts failed in all.
    pub failures: u64,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) token: Option<Token>,
    /// The token that the server refused last, until another one comes.
    refused: Option<Token>,
    user: Option<Arc<str>>,
    generation: u64,
    pub(super) due: Due,
    pub(super) last_error: Option<Error>,
    failures_in_row: u32,
    pub(super) failures: u64,
    refreshes: u64,
    refusals: u32,
    last_refusal: Option<Instant>,
    pub(super) closed: bool,
    /// The process that runs the refresher; a forked child has to start its own.
    pub(super) process: Option<u32>,
}

/// What came of a successful attempt.
pub(super) enum Acquired {
    /// A new token, to be told to subscribers and handlers.
    New(Token, Event),
    /// The token already held.
    Unchanged(Token),
}

impl State {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        Self {
            token: None,
            refused: None,
            user: None,
            generation: 0,
            due: Due::after(Duration::ZERO, clock),
            last_error: None,
            failures_in_row: 0,
            failures: 0,
            refreshes: 0,
            refusals: 0,
            last_refusal: None,
            closed: false,
            process: None,
        }
    }

    /// The token, unless it has expired or is about to.
    pub(super) fn usable(&self, clock: &dyn Clock) -> Option<&Token> {
        self.token.as_ref().filter(|token| {
            let lifetime = token.expires_at.duration_since(token.received_at).unwrap_or_default();
            clock.wall() < token.received_at + usable_for(lifetime)
        })
    }

    /// The number of the attempt that comes next, from 1.
    pub(super) fn next_attempt(&self) -> u32 {
        self.failures_in_row.saturating_add(1)
    }

    /// Whether caches of the credential must be passed over: always but the very first time.
    pub(super) fn force(&self) -> bool {
        self.generation > 0 || self.failures > 0
    }

    /// Takes a token over. Fails with [`ErrorCode::InvalidToken`] when it cannot be used.
    pub(super) fn acquired(
        &mut self,
        access: AccessToken,
        options: &TokenSourceOptions,
        clock: &dyn Clock,
    ) -> Result<Acquired> {
        let now = clock.wall();
        let held = self.token.as_ref().or(self.refused.as_ref());
        if let Some(held) = held.filter(|held| held.secret == access.secret && held.expires_at > now) {
            let held = held.clone();
            let remaining = held.expires_at.duration_since(now).unwrap_or_default();
            self.due = Due::after(options.schedule.unchanged_after(remaining), clock);
            self.token = Some(held.clone());
            self.succeeded();
            return Ok(Acquired::Unchanged(held));
        }
        let (user, expires_at) = read(&access, options, now)?;
        if let Some(before) = self.user.as_ref().filter(|before| **before != user) {
            tracing::warn!(before = &**before, now = &*user, "the credential now yields another identity");
        }
        self.generation += 1;
        self.refreshes += 1;
        let lifetime = expires_at.duration_since(now).unwrap_or_default();
        self.due = Due::after(options.schedule.refresh_after(lifetime, fastrand::f64()), clock);
        let token = Token {
            secret: access.secret,
            user: Arc::clone(&user),
            expires_at,
            received_at: now,
            generation: self.generation,
        };
        self.user = Some(Arc::clone(&user));
        self.token = Some(token.clone());
        self.refused = None;
        self.succeeded();
        let event = Event::TokenRefreshed {
            time: now,
            user,
            expires_at,
            next_refresh: self.due.wall,
            generation: self.generation,
        };
        Ok(Acquired::New(token, event))
    }

    fn succeeded(&mut self) {
        self.failures_in_row = 0;
        self.last_error = None;
    }

    /// Notes a failed attempt and when the next one comes.
    pub(super) fn failed(&mut self, error: Error, schedule: &Schedule, clock: &dyn Clock) -> Event {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        self.failures += 1;
        let next_attempt = schedule.retry_after(
            self.failures_in_row,
            !error.is_retryable(),
            error.retry_after(),
            fastrand::f64(),
        );
        self.due = Due::after(next_attempt, clock);
        self.last_error = Some(error.clone());
        Event::TokenRefreshFailed {
            time: clock.wall(),
            attempt: self.failures_in_row,
            next_attempt,
            expires_at: self.token.as_ref().map(|token| token.expires_at),
            error,
        }
    }

    /// Throws the token away that the server refused; says whether it was the one in use and not refused before.
    pub(super) fn rejected(&mut self, generation: u64, schedule: &Schedule, clock: &dyn Clock) -> bool {
        let already = self.refused.as_ref().is_some_and(|refused| refused.generation == generation);
        if already || self.token.as_ref().is_none_or(|token| token.generation != generation) {
            return false;
        }
        self.refused = self.token.take();
        let now = Instant::now();
        if self.last_refusal.is_none_or(|last| now - last > REFUSALS_FORGOTTEN) {
            self.refusals = 0;
        }
        self.refusals = self.refusals.saturating_add(1);
        self.last_refusal = Some(now);
        // While attempts fail the next one keeps its time: it may be what the endpoint asked for.
        if self.failures_in_row == 0 {
            let due = Due::after(schedule.refused_after(self.refusals, fastrand::f64()), clock);
            if due.remaining(clock) < self.due.remaining(clock) {
                self.due = due;
            }
        }
        true
    }

    /// Why there is no token to hand out.
    pub(super) fn reason(&self, credential: &str, waited: Duration, clock: &dyn Clock) -> Error {
        if self.closed {
            return closed();
        }
        if let Some(error) = &self.last_error {
            return error.clone();
        }
        if self.token.is_none() && self.refused.is_some() {
            let next = self.due.remaining(clock).as_secs_f64();
            return Error::new(
                ErrorCode::AuthRefused,
                format!("The cache refused the last token; a fresh one is asked for in {next:.1} s."),
                "Add this object id under Authentication on the cache's Resource menu (Azure portal); groups are not supported.",
            )
            .retryable(true);
        }
        Error::new(
            ErrorCode::Timeout,
            format!("The credential ({credential}) gave no token within {:.1} s.", waited.as_secs_f64()),
            "Allow more time, or check that the token endpoint can be reached from here.",
        )
    }

    pub(super) fn view(&self) -> TokenState {
        TokenState {
            user: self.user.clone(),
            generation: self.generation,
            received_at: self.token.as_ref().map(|token| token.received_at),
            expires_at: self.token.as_ref().map(|token| token.expires_at),
            next_refresh: (self.process.is_some() && !self.closed).then_some(self.due.wall),
            last_error: self.last_error.clone(),
            attempt: self.failures_in_row,
            refreshes: self.refreshes,
            failures: self.failures,
        }
    }
}

/// The error of a closed source.
pub(super) fn closed() -> Error {
    Error::new(ErrorCode::Closed, "The token source was closed.", "Make a new one.")
}

/// The user name and the expiry of a fresh token.
///
/// The expiry is the earlier one of what the credential says (local clock) and what the token says (the
/// issuer's clock): with clocks that differ the token is replaced too early rather than too late.
fn read(
    access: &AccessToken,
    options: &TokenSourceOptions,
    now: SystemTime,
) -> Result<(Arc<str>, SystemTime)> {
    let claims = Claims::decode(access.secret.expose());
    let user = match &options.user_name {
        UserName::Fixed(user) => Arc::clone(user),
        UserName::ObjectId => claims.as_ref().map_err(Clone::clone)?.object_id()?.into(),
        UserName::FromClaims(name) => {
            let user = name(claims.as_ref().map_err(Clone::clone)?)?;
            if user.is_empty() {
                return Err(Error::new(
                    ErrorCode::InvalidToken,
                    "The configured function made an empty Redis user name of the token's claims.",
                    "Return the object id, or an error that says why there is none.",
                ));
            }
            user.into()
        }
    };
    let claims = claims.unwrap_or_default();
    let expires_at = claims.expires_at().map_or(access.expires_at, |exp| exp.min(access.expires_at));
    if expires_at <= now {
        return Err(Error::new(
            ErrorCode::InvalidToken,
            "The token that the credential returned has already expired.",
            "Check this machine's clock, and that the credential does not return a stored token.",
        )
        .retryable(true));
    }
    if let Some(warning) = claims.audience_warning(&options.scope) {
        tracing::warn!("{warning}");
    }
    Ok((user, expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn debug_shows_no_token() {
        let token = Token {
            secret: Secret::new("hunter2"),
            user: "o-1".into(),
            expires_at: SystemTime::UNIX_EPOCH,
            received_at: SystemTime::UNIX_EPOCH,
            generation: 1,
        };
        let mut state = State::new(&super::super::clock::SystemClock);
        state.token = Some(token);
        assert!(!format!("{state:?} {:?}", state.view()).contains("hunter2"));
    }
}
