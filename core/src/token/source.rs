//! The handle on a token source: get a token, follow its changes, refuse one. The work behind it is the
//! refresher's.

use super::clock::{Clock, SystemClock};
use super::refresher::{Published, Shared, run};
use super::state::{State, closed};
use super::{Token, TokenSourceOptions, TokenState};
use crate::credential::Credential;
#[cfg(doc)]
use crate::error::ErrorCode;
use crate::error::{Error, Result};
use crate::event::{EventHandler, EventHub, EventMask, HandlerId};
use crate::runtime;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

/// "For ever" as a deadline can hold it.
const LONGEST_WAIT: Duration = Duration::from_hours(365 * 24);

/// One identity's token, always fresh: one token, one refresh task, any number of users.
///
/// Clones share the source; many clients may. Nothing is asked for before the first [`get`](Self::get) or
/// [`subscribe`](Self::subscribe); from then on the token is replaced long before it expires, and failed
/// attempts are repeated for ever. When the last clone is dropped the refreshing ends and the token is wiped.
/// Every method may be called from any thread, with or without an async runtime.
#[derive(Clone, Debug)]
pub struct TokenSource {
    alive: Arc<Alive>,
    /// Where the task runs; the process' own thread for tokens when `None`.
    handle: Option<Handle>,
}

/// Held by handles only: when the last one goes, so does the task.
#[derive(Debug)]
struct Alive(Arc<Shared>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl TokenSource {
    /// A source of tokens of one credential.
    ///
    /// Fails with [`ErrorCode::InvalidOption`] when an option makes no sense. Asks for nothing yet.
    pub fn new(credential: Credential, options: TokenSourceOptions) -> Result<Self> {
        Self::build(credential, options, Arc::new(SystemClock), None)
    }

    /// A source whose task runs on `handle` and whose time of day is `clock`'s.
    pub(super) fn build(
        credential: Credential,
        options: TokenSourceOptions,
        clock: Arc<dyn Clock>,
        handle: Option<Handle>,
    ) -> Result<Self> {
        options.check()?;
        let state = State::new(&*clock);
        let shared = Shared {
            provider: credential.into_provider(),
            hub: EventHub::with_capacity(options.event_queue),
            options,
            clock,
            state: Mutex::new(state),
            tokens: watch::Sender::default(),
            turned: watch::Sender::default(),
            wake: Notify::new(),
        };
        Ok(Self { alive: Arc::new(Alive(Arc::new(shared))), handle })
    }

    /// A token that has not expired and is not about to (its last 10 s, or the last 5 % of its life if that is
    /// less).
    ///
    /// Returns at once while there is one. Otherwise waits up to `wait` for the refresher, whose one request
    /// serves all who wait. Then fails with why the last attempt failed ([`ErrorCode::TokenEndpointUnavailable`],
    /// [`ErrorCode::InvalidToken`] ...), with [`ErrorCode::AuthRefused`] while a refused token is being replaced,
    /// or with [`ErrorCode::Timeout`] when no attempt has ended yet. What no retry can heal
    /// ([`ErrorCode::SignInRefused`], [`ErrorCode::CredentialUnavailable`]) is reported as soon as an attempt
    /// ends with it. [`ErrorCode::Closed`] after [`close`](Self::close).
    pub async fn get(&self, wait: Duration) -> Result<Token> {
        let handle = match self.ready()? {
            Ready::Token(token) => return Ok(token),
            Ready::Wait(handle) => handle,
        };
        // On the thread for tokens, so that the caller needs no timer of this runtime.
        let waiting = handle.spawn(wait_for_token(Arc::clone(&self.alive.0), wait));
        waiting.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Does what [`get`](Self::get) does and blocks the calling thread meanwhile.
    ///
    /// Not to be called on the thread `keyless-token` itself, in a credential's callback: that would wait for
    /// itself.
    pub fn get_blocking(&self, wait: Duration) -> Result<Token> {
        let handle = match self.ready()? {
            Ready::Token(token) => return Ok(token),
            Ready::Wait(handle) => handle,
        };
        let (send, receive) = sync_channel(1);
        let shared = Arc::clone(&self.alive.0);
        handle.spawn(async move {
            let _ = send.send(wait_for_token(shared, wait).await);
        });
        receive.recv().unwrap_or_else(|_| Err(closed()))
    }

    /// Follows the token: the current one first, then each new one. Starts the refreshing.
    ///
    /// A subscription does not keep the source alive.
    pub fn subscribe(&self) -> Result<Subscription> {
        let receiver = self.alive.0.tokens.subscribe();
        self.start()?;
        Ok(Subscription { receiver, seen: 0 })
    }

    /// Says that the server refused the token of this generation (`WRONGPASS`, `NOAUTH`).
    ///
    /// If it is the one in use it is thrown away and one fresh token is asked for: at once the first time,
    /// later within the bounds of `retry_min` and `retry_max`, so that an identity without access does not
    /// hammer the token endpoint. Any number of connections may report the same generation. Should the
    /// credential return the same token again it is taken back into use. Says whether the call had an effect.
    pub fn reject(&self, generation: u64) -> bool {
        self.alive.0.reject(generation)
    }

    /// What the source holds and does, without the token.
    pub fn state(&self) -> TokenState {
        self.alive.0.state.lock().view()
    }

    /// Calls `handler` for the events of this source whose kind is in `mask`.
    pub fn on_event(&self, mask: EventMask, handler: EventHandler) -> HandlerId {
        self.alive.0.hub.add(mask, handler)
    }

    /// The hub that delivers this source's events.
    pub fn events(&self) -> &EventHub {
        &self.alive.0.hub
    }

    /// The name of the credential: `client secret`, `managed identity`.
    pub fn credential_name(&self) -> &str {
        self.alive.0.provider.name()
    }

    /// Ends the refreshing for all clones, wipes the token, and ends every wait with [`ErrorCode::Closed`].
    pub fn close(&self) {
        self.alive.0.close();
    }

    fn ready(&self) -> Result<Ready> {
        let shared = &self.alive.0;
        {
            let state = shared.state.lock();
            // A forked child inherits the token, not the task: then it starts one first.
            if state.process == Some(std::process::id())
                && let Some(token) = state.usable(&*shared.clock)
            {
                return Ok(Ready::Token(token.clone()));
            }
        }
        Ok(Ready::Wait(self.start()?))
    }

    /// Starts the task unless it runs in this process; returns where.
    fn start(&self) -> Result<Handle> {
        let handle = match &self.handle {
            Some(handle) => handle.clone(),
            None => runtime::token()?,
        };
        let shared = &self.alive.0;
        let process = Some(std::process::id());
        let mut state = shared.state.lock();
        if state.closed {
            return Err(closed());
        }
        if std::mem::replace(&mut state.process, process) != process {
            handle.spawn(run(Arc::clone(shared)));
        }
        Ok(handle)
    }
}

enum Ready {
    Token(Token),
    Wait(Handle),
}

async fn wait_for_token(shared: Arc<Shared>, wait: Duration) -> Result<Token> {
    let deadline = Instant::now() + wait.min(LONGEST_WAIT);
    let mut turned = shared.turned.subscribe();
    let failures = shared.state.lock().failures;
    loop {
        {
            let state = shared.state.lock();
            if let Some(token) = state.usable(&*shared.clock) {
                return Ok(token.clone());
            }
            let hopeless = |error: &Error| !error.is_retryable() && state.failures > failures;
            if state.closed || state.last_error.as_ref().is_some_and(hopeless) {
                return Err(state.reason(shared.provider.name(), wait, &*shared.clock));
            }
        }
        // After a suspension it sleeps by a clock that stood still, and does not know yet that an attempt is due.
        shared.wake.notify_one();
        // The sender lives in `shared`: only the deadline is an error here.
        if timeout_at(deadline, turned.changed()).await.is_err() {
            return Err(shared.state.lock().reason(shared.provider.name(), wait, &*shared.clock));
        }
    }
}

/// Follows the token of a source. The latest wins: whoever is slow misses tokens, and holds nobody up.
#[derive(Debug)]
pub struct Subscription {
    receiver: watch::Receiver<Published>,
    seen: u64,
}

impl Subscription {
    /// The next token that this subscription has not returned yet: the current one at first, then each new
    /// one. `None` when the source was closed or its last handle dropped. Needs no particular async runtime,
    /// and may be cancelled without losing a token.
    pub async fn changed(&mut self) -> Option<Token> {
        loop {
            {
                let published = self.receiver.borrow_and_update();
                if published.closed {
                    return None;
                }
                if let Some(token) = published.token.as_ref().filter(|token| token.generation != self.seen) {
                    self.seen = token.generation;
                    return Some(token.clone());
                }
            }
            self.receiver.changed().await.ok()?;
        }
    }

    /// The latest token; `None` while there is none. It may have expired if refreshing fails.
    pub fn current(&self) -> Option<Token> {
        self.receiver.borrow().token.clone()
    }
}
