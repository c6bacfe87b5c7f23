//! What a token source holds, and every change to it: a token came, an attempt failed, the server refused one.
//! Nothing here waits or asks; that is the refresher's.

use super::Token;
use super::clock::{Clock, Due};
use super::fresh::Fresh;
use super::schedule::Schedule;
use crate::credential::AccessToken;
use crate::error::{Error, ErrorCode};
use crate::event::Event;
use crate::stats::Stats;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// Refusals further apart than this have nothing to do with each other.
const REFUSALS_FORGOTTEN: Duration = Duration::from_mins(10);

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

impl TokenState {
    /// Puts what concerns tokens into a client's figures.
    pub(crate) fn fill(&self, stats: &mut Stats, now: SystemTime) {
        stats.token_refreshes = self.refreshes;
        stats.token_refresh_failures = self.failures;
        // Negative is what a clock that was set back makes of it.
        stats.token_age = self.received_at.map(|at| now.duration_since(at).unwrap_or_default());
        stats.token_remaining = self.expires_at.map(|at| at.duration_since(now).unwrap_or_default());
    }
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

/// What came of a new token.
pub(super) struct Acquired {
    pub(super) token: Token,
    pub(super) event: Event,
    /// The user before, if it was another one.
    pub(super) another: Option<Arc<str>>,
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
        let now = Instant::now().into_std();
        self.token.as_ref().filter(|token| !self.closed && !token.usable(now, clock.wall()).is_zero())
    }

    /// The number of the attempt that comes next, from 1.
    pub(super) fn next_attempt(&self) -> u32 {
        self.failures_in_row.saturating_add(1)
    }

    /// Whether caches of the credential must be passed over: always but the very first time.
    pub(super) fn force(&self) -> bool {
        self.generation > 0 || self.failures > 0
    }

    /// Keeps the token already held if that is what the credential returned once more, even if the server
    /// refused it: there is no other. Says which.
    pub(super) fn unchanged(
        &mut self,
        access: &AccessToken,
        schedule: &Schedule,
        clock: &dyn Clock,
    ) -> Option<Token> {
        let now = clock.wall();
        let held = self.token.as_ref().or(self.refused.as_ref())?;
        let remaining = held.remaining(Instant::now().into_std(), now);
        if held.secret != access.secret || remaining.is_zero() {
            return None;
        }
        let held = held.clone();
        self.due = Due::after(schedule.unchanged_after(remaining), clock);
        self.token = Some(held.clone());
        self.succeeded();
        Some(held)
    }

    /// Takes a new token over, and says whom the one before belonged to if to somebody else.
    pub(super) fn acquired(&mut self, fresh: Fresh, schedule: &Schedule, clock: &dyn Clock) -> Acquired {
        let now = clock.wall();
        let Fresh { secret, user, expires_at } = fresh;
        let another = self.user.replace(Arc::clone(&user)).filter(|before| *before != user);
        self.generation += 1;
        self.refreshes += 1;
        let lifetime = expires_at.duration_since(now).unwrap_or_default();
        self.due = Due::after(schedule.refresh_after(lifetime, fastrand::f64()), clock);
        let generation = self.generation;
        let received = Instant::now().into_std();
        let token =
            Token { secret, user: Arc::clone(&user), expires_at, received_at: now, generation, received };
        self.token = Some(token.clone());
        self.refused = None;
        self.succeeded();
        let next_refresh = self.due.wall;
        let event = Event::TokenRefreshed { time: now, user, expires_at, next_refresh, generation };
        Acquired { token, event, another }
    }

    /// When the token in use was received and when it expires, unless an attempt to replace it has failed.
    pub(super) fn replaceable(&self) -> Option<(SystemTime, SystemTime)> {
        let token = self.token.as_ref().filter(|_| self.failures_in_row == 0)?;
        Some((token.received_at, token.expires_at))
    }

    /// Makes the next attempt due.
    pub(super) fn refresh_now(&mut self, clock: &dyn Clock) {
        self.due = Due::after(Duration::ZERO, clock);
    }

    /// Forgets every token.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.token = None;
        self.refused = None;
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
            received: Instant::now().into_std(),
        };
        let mut state = State::new(&super::super::clock::SystemClock);
        state.token = Some(token);
        assert!(!format!("{state:?} {:?}", state.view()).contains("hunter2"));
    }
}
