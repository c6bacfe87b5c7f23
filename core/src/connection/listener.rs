//! Subscriptions where the server speaks RESP2. A connection that is subscribed takes no commands there, not even
//! `AUTH`: so subscriptions have one of their own, from the first to the last of them, and it is replaced before its
//! token ends. The new one is subscribed first; `overlap` makes one stream of the two.

use super::blocking::over;
use super::establish::{Fresh, Purpose, establish};
use super::link::{Link, timed_out};
use super::node::{Node, closed};
use super::one_reply::{catch_up, ping};
use super::reauth::{Outcome, Reauth};
use super::settings::SignIn;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::token::{Subscription, Token};
use parking_lot::Mutex;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// The wall clock is looked at this often at the least, so that a suspended machine wakes up right.
const WALL_CLOCK_TICK: Duration = Duration::from_secs(30);

/// What a node knows of its connection for subscriptions.
pub(crate) struct Listener {
    /// Whether subscriptions have a connection of their own.
    apart: watch::Sender<bool>,
    running: AtomicBool,
    active: Mutex<Option<Arc<Link>>>,
    /// Since when subscriptions that were made have no connection.
    silent_since: Mutex<Option<Instant>>,
    /// Why there is no connection now.
    trouble: Mutex<Option<Error>>,
}

impl Listener {
    pub(super) fn new() -> Self {
        Self {
            apart: watch::Sender::new(false),
            running: AtomicBool::new(false),
            active: Mutex::default(),
            silent_since: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Whether subscriptions have a connection of their own.
    pub(super) fn is_apart(&self) -> bool {
        *self.apart.borrow()
    }

    /// The connection for subscriptions, if there is one.
    pub(super) fn active(&self) -> Option<Arc<Link>> {
        self.active.lock().clone()
    }

    /// Why there is no connection now.
    pub(super) fn trouble(&self) -> Option<Error> {
        self.trouble.lock().clone()
    }

    /// The shared connection carries the subscriptions.
    pub(super) fn rest(&self) {
        self.apart.send_replace(false);
    }

    /// The shared connection cannot carry subscriptions. `outage`: how long those that it carried before have none.
    ///
    /// Must be called on an I/O thread.
    pub(super) fn work(&self, node: &Arc<Node>, outage: Option<Duration>) {
        if !self.apart.send_replace(true) {
            *self.silent_since.lock() = outage.and_then(|outage| Instant::now().checked_sub(outage));
        }
        if !self.running.swap(true, Ordering::AcqRel) {
            tokio::spawn(listen(Arc::clone(node)));
        }
    }

    /// Waits until the subscriptions are (not) to have a connection of their own.
    async fn until(&self, apart: bool) {
        if self.apart.subscribe().wait_for(|now| *now == apart).await.is_err() {
            pending::<()>().await;
        }
    }
}

/// How a connection for subscriptions ended.
enum End {
    Lost(Error),
    /// Nobody listens any more, or the shared connection carries the subscriptions again.
    Unneeded,
    Over,
}

/// What the task woke up for.
enum Woke {
    Ended(End),
    Timer,
    Token(Option<Token>),
    Replacement(Result<Fresh>),
}

type Replacement = Pin<Box<dyn Future<Output = Result<Fresh>> + Send>>;

/// Keeps a connection for subscriptions while there are any, until the node closes.
async fn listen(node: Arc<Node>) {
    let mut failures: u32 = 0;
    loop {
        let wanted = async {
            node.listener.until(true).await;
            node.subscriptions.until_empty(false).await;
            let pause = node.settings.backoff_min * (1 << failures.min(16));
            if failures > 0 {
                tokio::time::sleep(pause.min(node.settings.backoff_max).mul_f64(0.5 + fastrand::f64() / 2.0))
                    .await;
            }
            establish(&node, &node.reached_target(), Purpose::Listening).await
        };
        let outcome = tokio::select! {
            biased;
            () = over(&node) => break,
            outcome = wanted => outcome,
        };
        let error = match outcome {
            Ok(fresh) => {
                failures = 0;
                *node.listener.trouble.lock() = None;
                let outage = node.listener.silent_since.lock().take().map(|since| since.elapsed());
                let end = Ear::adopt(&node, fresh, outage).hold().await;
                *node.listener.active.lock() = None;
                match end {
                    End::Over => break,
                    End::Unneeded => continue,
                    End::Lost(error) => {
                        node.subscriptions.lost();
                        *node.listener.silent_since.lock() = Some(Instant::now());
                        tracing::warn!(%error, "the connection for subscriptions was lost");
                        error
                    }
                }
            }
            Err(error) => {
                failures += 1;
                node.subscriptions.abandon();
                let error = error.at(Arc::clone(&node.reached_target().label));
                tracing::info!(%error, failures, "no connection for subscriptions yet");
                error
            }
        };
        *node.listener.trouble.lock() = Some(error);
    }
}

/// A connection for subscriptions.
struct Ear {
    node: Arc<Node>,
    link: Arc<Link>,
    label: Arc<str>,
    /// Not that it could sign in again: this says when a new connection must take its place.
    reauth: Option<Reauth>,
    tokens: Option<Subscription>,
    replacement: Option<Replacement>,
    /// Requests are under way: deadlines are looked at in short intervals.
    close_up: bool,
    seen: u64,
    silent_since: Instant,
}

impl Ear {
    /// Makes a connection the one whose messages count.
    fn adopt(node: &Arc<Node>, fresh: Fresh, outage: Option<Duration>) -> Self {
        fresh.link.open();
        node.hear(&fresh, outage, || *node.listener.active.lock() = Some(Arc::clone(&fresh.link)));
        let tokens = match &node.settings.sign_in {
            SignIn::Token(source) => source.subscribe().ok(),
            _ => None,
        };
        Self {
            node: Arc::clone(node),
            link: fresh.link,
            label: fresh.label,
            reauth: fresh.token.map(Reauth::new),
            tokens,
            replacement: None,
            close_up: false,
            seen: 0,
            silent_since: Instant::now(),
        }
    }

    /// Listens until there is no more need or no connection.
    async fn hold(mut self) -> End {
        let end = loop {
            match self.sleep().await {
                Woke::Ended(end) => break end,
                Woke::Timer => {
                    if let Some(error) = self.look() {
                        break End::Lost(error);
                    }
                }
                Woke::Token(Some(token)) => {
                    if let Some(reauth) = &mut self.reauth {
                        let (now, wall) = (Instant::now(), SystemTime::now());
                        reauth.offer(token, &self.node.settings, now, wall, fastrand::f64());
                    }
                }
                // The source was closed: the connection lives as long as its token.
                Woke::Token(None) => self.tokens = None,
                Woke::Replacement(outcome) => {
                    self.replacement = None;
                    match outcome {
                        Ok(fresh) => self = self.hand_over(fresh).await,
                        Err(error) => self.not_replaced(error),
                    }
                }
            }
        };
        let error = match &end {
            End::Lost(error) => error.clone(),
            End::Unneeded | End::Over => closed(),
        };
        self.link.end(&error.clone().at(Arc::clone(&self.label)));
        match end {
            End::Lost(error) => End::Lost(error.at(self.label)),
            end => end,
        }
    }

    async fn sleep(&mut self) -> Woke {
        let wait = self.next_look();
        let Self { node, link, tokens, replacement, close_up, silent_since, .. } = self;
        let new_token = async {
            match tokens {
                Some(tokens) => tokens.changed().await,
                None => pending().await,
            }
        };
        let replaced = async {
            match replacement {
                Some(replacement) => replacement.await,
                None => pending().await,
            }
        };
        let driven = poll_fn(|cx| {
            if let Poll::Ready(error) = link.poll(cx) {
                return Poll::Ready(Woke::Ended(End::Lost(error)));
            }
            if !*close_up && link.progress().inflight > 0 {
                (*close_up, *silent_since) = (true, Instant::now());
                return Poll::Ready(Woke::Timer);
            }
            Poll::Pending
        });
        let unneeded = async {
            tokio::select! {
                () = node.listener.until(false) => {}
                () = node.subscriptions.until_empty(true) => {}
            }
        };
        tokio::select! {
            biased;
            () = over(node) => Woke::Ended(End::Over),
            woke = driven => woke,
            outcome = replaced => Woke::Replacement(outcome),
            token = new_token => Woke::Token(token),
            () = unneeded => Woke::Ended(End::Unneeded),
            () = tokio::time::sleep(wait) => Woke::Timer,
        }
    }

    /// How long until something must be looked at again.
    fn next_look(&self) -> Duration {
        let settings = &self.node.settings;
        let mut wait = if self.close_up {
            settings.tick()
        } else {
            let idle = |after: Duration| after.saturating_sub(self.silent_since.elapsed());
            settings.keep_alive.map_or(WALL_CLOCK_TICK, |after| idle(after).min(WALL_CLOCK_TICK))
        };
        if let Some(reauth) = &self.reauth {
            if let Some(due) = reauth.due() {
                wait = wait.min(due.saturating_duration_since(Instant::now()));
            }
            wait = wait.min(reauth.remaining(Instant::now(), SystemTime::now()));
        }
        wait.max(Duration::from_millis(1))
    }

    /// Looks at every deadline. An error ends the connection.
    fn look(&mut self) -> Option<Error> {
        let (now, settings) = (Instant::now(), &self.node.settings);
        self.link.expire(now, &timed_out(settings.command_timeout).at(Arc::clone(&self.label)));
        let progress = self.link.progress();
        if progress.received != self.seen {
            (self.seen, self.silent_since) = (progress.received, now);
        }
        if progress.inflight == 0 {
            self.close_up = false;
            if settings.keep_alive.is_some_and(|after| self.silent_since.elapsed() >= after) {
                ping(&self.link, settings.command_timeout);
            }
        } else if self.silent_since.elapsed() >= settings.command_timeout * 2 {
            return Some(Error::new(
                ErrorCode::ConnectionLost,
                format!("The server sent nothing for {} ms.", self.silent_since.elapsed().as_millis()),
                "The server or the network path is gone; keyless reconnects by itself.",
            ));
        }
        let reauth = self.reauth.as_mut()?;
        if reauth.remaining(Instant::now(), SystemTime::now()).is_zero() {
            return Some(Error::new(
                ErrorCode::ConnectionLost,
                "The token of the connection for subscriptions ran out before another one took its place.",
                "See the TokenRefreshFailed and ConnectionReauthenticationFailed events for the reason.",
            ));
        }
        if reauth.take_due(now).is_some() {
            let node = Arc::clone(&self.node);
            self.replacement =
                Some(Box::pin(
                    async move { establish(&node, &node.reached_target(), Purpose::Listening).await },
                ));
        }
        None
    }

    /// The fresh connection is subscribed to everything, and is told what came late. Then this one brings what was
    /// published before, and the fresh one what this one has brought meanwhile: see `overlap`.
    async fn hand_over(self, fresh: Fresh) -> Self {
        let (begun, limit) = (Instant::now(), self.node.settings.command_timeout);
        self.node.join(&fresh.link);
        catch_up(&fresh.link, limit).await;
        let left = self.reauth.as_ref().map(|reauth| reauth.remaining(Instant::now(), SystemTime::now()));
        let complete = catch_up(&self.link, limit.min(left.unwrap_or(limit))).await;
        catch_up(&fresh.link, limit).await;
        let gap = (!complete).then(|| begun.elapsed());
        let next = Self::adopt(&self.node, fresh, gap);
        self.link.end(&closed().at(self.label));
        tracing::info!(endpoint = %next.label, "connection for subscriptions replaced before its token's end");
        next
    }

    fn not_replaced(&mut self, error: Error) {
        let (node, wall) = (&self.node, SystemTime::now());
        node.subscriptions.abandon();
        let Some(reauth) = &mut self.reauth else { return };
        let endpoint = Arc::clone(&self.label);
        let answer = Err(error.at(Arc::clone(&endpoint)));
        let outcome = reauth.answered(&answer, &node.settings, Instant::now(), wall, fastrand::f64());
        if let (Some(Outcome::Failed { attempt, next, .. }), Err(error)) = (outcome, answer) {
            node.counters.reauthentication_failures.fetch_add(1, Ordering::Relaxed);
            node.events.emit(Event::ConnectionReauthenticationFailed {
                time: wall,
                endpoint,
                attempt,
                next_attempt: next,
                error,
            });
        }
    }
}
