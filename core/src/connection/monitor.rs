//! The task of one live connection: drives it, signs it in again, looks after deadlines, pings it when it
//! is idle, notices a dead peer, and ends it in time.

use super::batch::Batch;
use super::decode::decode;
use super::handshake::{Login, reauth_refused};
use super::link::{Link, timed_out};
use super::node::{Node, Wish};
use super::one_reply::{OneReply, ping};
use super::reauth::{Outcome, Reauth};
use super::settings::SignIn;
use crate::error::{Error, ErrorCode};
use crate::event::Event;
use crate::token::{Subscription, Token};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio::time::Sleep;

/// The wall clock is looked at this often at the least, so that a suspended machine wakes up right.
const WALL_CLOCK_TICK: Duration = Duration::from_secs(30);

/// How a connection ended.
pub(super) enum End {
    /// It was lost, or had to be given up.
    Lost(Error),
    /// It was to end and has.
    Finished,
}

/// What the task woke up for.
enum Woke {
    Ended(Error),
    Timer,
    Drained,
    AuthAnswer(Result<(), Error>),
    NewToken(Option<Token>),
    Notice(Duration),
    Wish,
}

pub(super) struct Monitor {
    node: Arc<Node>,
    link: Arc<Link>,
    /// `host:port` of this connection.
    label: Arc<str>,
    reauth: Option<Reauth>,
    tokens: Option<Subscription>,
    auth: Option<(Arc<OneReply>, Login)>,
    replacement_wanted: watch::Sender<bool>,
    /// When to ask for a replacement, because the server has said that it will be gone.
    replace_at: Option<Instant>,
    /// Deadlines are looked at in short intervals, because somebody waits.
    close_up: bool,
    /// Frames seen at the last look, and since when that figure has not changed.
    seen: u64,
    silent_since: Instant,
    pinged: bool,
    /// How often a guest had got to run at the last look.
    guest_turns: u64,
}

impl Monitor {
    pub(super) fn new(node: Arc<Node>, link: Arc<Link>, label: Arc<str>, token: Option<Token>) -> Self {
        let tokens = match &node.settings.sign_in {
            SignIn::Token(source) => source.subscribe().ok(),
            _ => None,
        };
        Self {
            node,
            link,
            label,
            reauth: token.map(Reauth::new),
            tokens,
            auth: None,
            replacement_wanted: watch::Sender::new(false),
            replace_at: None,
            close_up: false,
            seen: 0,
            silent_since: Instant::now(),
            pinged: false,
            guest_turns: 0,
        }
    }

    /// Becomes true when a fresh connection should take this one's place.
    pub(super) fn replacement_wanted(&self) -> watch::Receiver<bool> {
        self.replacement_wanted.subscribe()
    }

    /// Drives the connection to its end.
    pub(super) async fn run(&mut self) -> End {
        let end = self.drive().await;
        let error = match &end {
            End::Lost(error) => error.clone(),
            End::Finished => super::node::closed(),
        };
        self.link.end(&error.at(Arc::clone(&self.label)));
        end
    }

    async fn drive(&mut self) -> End {
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        let mut wish = self.node.wish.subscribe();
        // What is wished from now on is noticed as a change; this may have been wished before.
        if *wish.borrow() == Wish::Stop {
            return End::Finished;
        }
        loop {
            if let Some(reauth) = &mut self.reauth
                && let Some(token) = reauth.take_due(Instant::now())
            {
                self.send_auth(&token);
            }
            timer.as_mut().reset(tokio::time::Instant::now() + self.next_look());
            let tokens = self.tokens.take();
            let (woke, tokens) = self.sleep(timer.as_mut(), &mut wish, tokens).await;
            self.tokens = tokens;
            match woke {
                Woke::Ended(error) => return End::Lost(error),
                Woke::Drained => return self.drained(),
                Woke::Timer => {
                    if let Some(error) = self.look() {
                        return End::Lost(error);
                    }
                }
                Woke::AuthAnswer(answer) => self.auth_answered(answer),
                Woke::NewToken(Some(token)) => {
                    if let Some(reauth) = &mut self.reauth {
                        let (now, wall) = (Instant::now(), SystemTime::now());
                        reauth.offer(token, &self.node.settings, now, wall, fastrand::f64());
                    }
                }
                // The source was closed: the connection lives as long as its token.
                Woke::NewToken(None) => self.tokens = None,
                Woke::Notice(gone_in) => {
                    tracing::info!(endpoint = %self.label, gone_in_s = gone_in.as_secs_f64(), "the server announces its move");
                    // Half of the time for the name to lead elsewhere, the other half to go there.
                    self.replace_at = Some(Instant::now() + gone_in.min(WALL_CLOCK_TICK * 120) / 2);
                }
                Woke::Wish => {
                    if *wish.borrow_and_update() == Wish::Stop {
                        return End::Finished;
                    }
                    self.close_up = true;
                    self.link.end_guest();
                }
            }
        }
    }

    /// Drives the link until something is to be decided.
    async fn sleep(
        &mut self,
        mut timer: std::pin::Pin<&mut Sleep>,
        wish: &mut watch::Receiver<Wish>,
        mut tokens: Option<Subscription>,
    ) -> (Woke, Option<Subscription>) {
        let tick = self.node.settings.tick();
        let finishing = matches!(*wish.borrow(), Wish::Finish(_));
        let woke = {
            let new_token = async {
                match &mut tokens {
                    Some(tokens) => tokens.changed().await,
                    None => std::future::pending().await,
                }
            };
            let driven = poll_fn(|cx| {
                if let Poll::Ready(error) = self.link.poll(cx) {
                    return Poll::Ready(Woke::Ended(error));
                }
                if let Some(gone_in) = self.link.take_notice() {
                    return Poll::Ready(Woke::Notice(gone_in));
                }
                if let Some((reply, _)) = &self.auth
                    && let Poll::Ready(replies) = reply.poll(cx, 1)
                {
                    let answer = replies.into_iter().next().unwrap_or_else(|| Err(super::node::closed()));
                    return Poll::Ready(Woke::AuthAnswer(
                        answer.and_then(|frame| decode(&frame).map(|_| ())),
                    ));
                }
                if (self.link.is_draining() || finishing) && self.is_empty() {
                    return Poll::Ready(Woke::Drained);
                }
                if !self.close_up && self.link.is_busy() {
                    self.close_up = true;
                    self.link.watch();
                    self.silent_since = Instant::now();
                    timer.as_mut().reset(tokio::time::Instant::now() + tick);
                }
                timer.as_mut().poll(cx).map(|()| Woke::Timer)
            });
            tokio::select! {
                biased;
                woke = driven => woke,
                token = new_token => Woke::NewToken(token),
                changed = wish.changed() => {
                    if changed.is_err() { Woke::Drained } else { Woke::Wish }
                }
            }
        };
        (woke, tokens)
    }

    fn is_empty(&self) -> bool {
        self.link.progress().inflight == 0 && (self.link.is_draining() || self.node.outbox.lock().len() == 0)
    }

    fn drained(&self) -> End {
        match (&self.reauth, *self.node.wish.borrow()) {
            (Some(reauth), Wish::Live) => End::Lost(expired(reauth.current())),
            _ => End::Finished,
        }
    }

    /// How long until something must be looked at again.
    fn next_look(&self) -> Duration {
        let settings = &self.node.settings;
        let mut wait = if self.close_up || self.link.is_draining() {
            settings.tick()
        } else {
            settings.keep_alive.map_or(WALL_CLOCK_TICK, |after| {
                after.saturating_sub(self.silent_since.elapsed()).min(WALL_CLOCK_TICK)
            })
        };
        if let Some(reauth) = &self.reauth {
            if let Some(due) = reauth.due() {
                wait = wait.min(due.saturating_duration_since(Instant::now()));
            }
            let (now, wall) = (Instant::now(), SystemTime::now());
            let draining = self.link.is_draining();
            let end = if draining { reauth.remaining(now, wall) } else { reauth.usable(now, wall) };
            if !draining || !end.is_zero() {
                wait = wait.min(end);
            }
        }
        if let Some(at) = self.replace_at {
            wait = wait.min(at.saturating_duration_since(Instant::now()));
        }
        wait.max(Duration::from_millis(1))
    }

    /// Looks at every deadline. An error ends the connection.
    fn look(&mut self) -> Option<Error> {
        let (now, settings) = (Instant::now(), &self.node.settings);
        self.link.expire(now, &timed_out(settings.command_timeout).at(Arc::clone(&self.label)));
        if self.node.outbox.lock().len() > 0 {
            self.node.expire_waiting(now);
        }
        if let Wish::Finish(by) = *self.node.wish.borrow()
            && by <= now
        {
            return Some(super::node::closed());
        }
        if self.replace_at.is_some_and(|at| at <= now) {
            self.replace_at = None;
            self.replacement_wanted.send_replace(true);
        }
        // A guest that is idle, or kept from running, is relieved.
        let turns = self.link.guest_turns();
        if self.link.has_guest() && turns == self.guest_turns {
            self.link.end_guest();
        }
        self.guest_turns = turns;
        let progress = self.link.progress();
        if progress.received != self.seen {
            (self.seen, self.silent_since, self.pinged) = (progress.received, now, false);
        } else if progress.inflight == 0 {
            self.pinged = false;
            if self.close_up && self.link.unwatch() {
                self.close_up = false;
            }
            if settings.keep_alive.is_some_and(|after| self.silent_since.elapsed() >= after) {
                self.ping();
            }
        } else {
            let silent = self.silent_since.elapsed();
            if silent >= settings.command_timeout * 2 {
                return Some(Error::new(
                    ErrorCode::ConnectionLost,
                    format!(
                        "The server sent nothing for {} ms while commands were waiting.",
                        silent.as_millis()
                    ),
                    "The server or the network path is gone; keyless reconnects by itself.",
                ));
            }
            if silent >= settings.command_timeout && !self.pinged {
                self.ping();
            }
        }
        self.look_at_token()
    }

    /// A connection must not meet the end of its token: the server would cut it in mid-command.
    fn look_at_token(&mut self) -> Option<Error> {
        let reauth = self.reauth.as_ref()?;
        let (now, wall) = (Instant::now(), SystemTime::now());
        // Where the wall clock jumped there was no time to finish: what is under way gets a moment.
        if reauth.remaining(now, wall).is_zero() && self.link.is_draining() {
            return Some(expired(reauth.current()));
        }
        if reauth.usable(now, wall).is_zero() {
            self.link.drain();
        }
        if !self.link.is_draining() && reauth.wants_replacement(&self.node.settings, now, wall) {
            self.replacement_wanted.send_replace(true);
        }
        None
    }

    /// A request in line: its answer shows that the peer lives; its failure is nobody's error.
    fn ping(&mut self) {
        self.pinged = true;
        ping(&self.link, self.node.settings.command_timeout * 4);
    }

    fn send_auth(&mut self, token: &Token) {
        let (login, reply) = (Login::of(token), Arc::new(OneReply::default()));
        let mut batch = Batch::new();
        login.push_auth(&mut batch);
        self.link.submit_own(batch, reply.clone(), Instant::now() + self.node.settings.command_timeout);
        self.auth = Some((reply, login));
    }

    fn auth_answered(&mut self, answer: Result<(), Error>) {
        let (Some((_, login)), Some(reauth)) = (self.auth.take(), &mut self.reauth) else { return };
        let (node, wall) = (&self.node, SystemTime::now());
        let endpoint = Arc::clone(&self.label);
        let answer = answer.map_err(|error| reauth_refused(error, &login).at(Arc::clone(&endpoint)));
        match reauth.answered(&answer, &node.settings, Instant::now(), wall, fastrand::f64()) {
            Some(Outcome::Renewed(token)) => {
                node.counters.reauthentications.fetch_add(1, Ordering::Relaxed);
                node.events.emit(Event::ConnectionReauthenticated {
                    time: wall,
                    endpoint,
                    expires_at: token.expires_at,
                    generation: token.generation,
                });
            }
            Some(Outcome::Failed { attempt, next, reject }) => {
                node.counters.reauthentication_failures.fetch_add(1, Ordering::Relaxed);
                if let (Some(generation), SignIn::Token(source)) = (reject, &node.settings.sign_in) {
                    source.reject(generation);
                }
                if let Err(error) = answer {
                    node.events.emit(Event::ConnectionReauthenticationFailed {
                        time: wall,
                        endpoint,
                        attempt,
                        next_attempt: next,
                        error,
                    });
                }
            }
            None => {}
        }
    }
}

fn expired(token: &Token) -> Error {
    Error::new(
        ErrorCode::ConnectionLost,
        format!("The token of {} ran out before the connection could be signed in again.", token.user),
        "See the TokenRefreshFailed and ConnectionReauthenticationFailed events for the reason.",
    )
}
