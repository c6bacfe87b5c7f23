//! The task behind a token source: waits until an attempt is due, makes it, tells what came of it, for ever.

use super::clock::Clock;
use super::fresh::Fresh;
use super::state::{Acquired, State};
use super::{Token, TokenSourceOptions};
use crate::credential::{AccessToken, TokenProvider, TokenRequest};
use crate::error::{Error, ErrorCode, Result};
use crate::event::EventHub;
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// The wall clock is looked at this often at least: a suspended machine wakes up with a token that has expired,
/// and its timers do not know.
const WALL_CLOCK_CHECK: Duration = Duration::from_secs(30);

/// What subscribers see.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    pub(super) token: Option<Token>,
    pub(super) closed: bool,
}

/// What the handles and the task share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) provider: Arc<dyn TokenProvider>,
    pub(super) options: TokenSourceOptions,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) hub: EventHub,
    pub(super) state: Mutex<State>,
    /// The latest token; woken for new tokens and the end only.
    pub(super) tokens: watch::Sender<Published>,
    /// Woken by whatever may end the wait of a caller: a token, a failure, the end.
    pub(super) turned: watch::Sender<()>,
    /// Calls the task back from its sleep.
    pub(super) wake: Notify,
}

impl Shared {
    pub(super) fn close(&self) {
        self.state.lock().close();
        self.tokens.send_replace(Published { token: None, closed: true });
        self.turned.send_replace(());
        self.wake.notify_one();
    }

    pub(super) fn reject(&self, generation: u64) -> bool {
        if !self.state.lock().rejected(generation, &self.options.schedule, &*self.clock) {
            return false;
        }
        tracing::info!(generation, "the server refused the token; a fresh one is asked for");
        self.show(None, false);
        self.wake.notify_one();
        true
    }

    /// Makes `token` the one that subscribers read; `wake` tells them.
    fn show(&self, token: Option<Token>, wake: bool) {
        self.tokens.send_if_modified(|published| {
            if published.closed {
                return false;
            }
            published.token = token;
            wake
        });
    }

    /// Puts what the credential returned into use. What may call foreign code (the function for the user name,
    /// log lines) runs outside the lock.
    fn succeeded(&self, access: AccessToken) {
        let schedule = &self.options.schedule;
        let unchanged = self.state.lock().unchanged(&access, schedule, &*self.clock);
        if let Some(token) = unchanged {
            tracing::debug!(generation = token.generation, "the credential still returns the same token");
            self.show(Some(token), false);
        } else {
            let fresh = match Fresh::read(access, &self.options, self.clock.wall()) {
                Ok(fresh) => fresh,
                Err(error) => return self.failed(error),
            };
            let Acquired { token, event, another } =
                self.state.lock().acquired(fresh, schedule, &*self.clock);
            if let Some(before) = another {
                tracing::warn!(
                    before = &*before,
                    now = &*token.user,
                    "the credential now yields another identity"
                );
            }
            self.show(Some(token), true);
            self.hub.emit(event);
        }
        self.turned.send_replace(());
    }

    /// Whether the application's own function says that the token in use is to be replaced. Not asked while attempts
    /// fail: they come again by themselves.
    fn wants_refresh(&self) -> bool {
        let Some(asked) = &self.options.should_refresh else { return false };
        let Some((received_at, expires_at)) = self.state.lock().replaceable() else { return false };
        let answer = catch_unwind(AssertUnwindSafe(|| (asked.function)(received_at, expires_at)));
        answer.unwrap_or_else(|_| {
            tracing::warn!("the function that decides about refreshing panicked; the token is refreshed");
            true
        })
    }

    fn failed(&self, error: Error) {
        let event = self.state.lock().failed(error, &self.options.schedule, &*self.clock);
        self.hub.emit(event);
        self.turned.send_replace(());
    }
}

/// Runs until the source is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    // When the application's own function is asked next.
    let mut question = Instant::now();
    loop {
        let wait = {
            let state = shared.state.lock();
            if state.closed {
                return;
            }
            state.due.remaining(&*shared.clock)
        };
        if wait.is_zero() {
            let attempt = attempt(&shared);
            tokio::pin!(attempt);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut attempt => break outcome,
                    () = shared.wake.notified() => if shared.state.lock().closed { return },
                }
            };
            match outcome {
                _ if shared.state.lock().closed => return,
                Ok(access) => shared.succeeded(access),
                Err(error) => shared.failed(error),
            }
        } else if let Some(asked) = &shared.options.should_refresh
            && question <= Instant::now()
        {
            question = Instant::now() + asked.every;
            if shared.wants_refresh() {
                shared.state.lock().refresh_now(&*shared.clock);
            }
        } else {
            let question = shared
                .options
                .should_refresh
                .as_ref()
                .map(|_| question.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = sleep(wait.min(WALL_CLOCK_CHECK).min(question.unwrap_or(wait))) => {}
                () = shared.wake.notified() => {}
            }
        }
    }
}

/// One request to the credential, cut after its time. A task of its own, so that a panic ends it alone.
async fn attempt(shared: &Shared) -> Result<AccessToken> {
    let (number, force) = {
        let state = shared.state.lock();
        (state.next_attempt(), state.force())
    };
    let request = TokenRequest { scope: Arc::clone(&shared.options.scope), force };
    let provider = Arc::clone(&shared.provider);
    let limit = shared.options.schedule.attempt_timeout(number);
    // Dropped with the future: whatever is still running is aborted.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { provider.token(&request).await });
    let name = shared.provider.name();
    match timeout(limit, tasks.join_next()).await {
        Ok(Some(Ok(outcome))) => outcome,
        Ok(_) => Err(Error::new(
            ErrorCode::CredentialUnavailable,
            format!("The credential ({name}) panicked."),
            "Correct the credential's code; the panic's message is on standard error.",
        )
        .retryable(true)),
        Err(_) => Err(Error::new(
            ErrorCode::TokenEndpointUnavailable,
            format!("The credential ({name}) did not answer within {:.1} s.", limit.as_secs_f64()),
            "Check that the token endpoint can be reached from here: name resolution, firewall, proxy.",
        )),
    }
}
