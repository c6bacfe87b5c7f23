//! One connection that one caller has for itself while its command waits, and the right to end that at once.

use super::slice::SHORTEST_LIFE;
use crate::connection::batch::Batch;
use crate::connection::decode::decode;
use crate::connection::establish::Fresh;
use crate::connection::handshake::{Login, driven, reauth_refused};
use crate::connection::link::{Link, timed_out};
use crate::connection::node::{Node, closed};
use crate::connection::one_reply::OneReply;
use crate::connection::reauth::Reauth;
use crate::connection::settings::SignIn;
use crate::error::Error;
use crate::event::Event;
use crate::token::Token;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

/// A connection of the pool. Whoever drops it closes it.
pub(super) struct Lane {
    pub(super) link: Arc<Link>,
    label: Arc<str>,
    reauth: Option<Reauth>,
    /// The process that dialled it: a forked child must not touch it.
    process: u32,
}

/// Why there is no answer.
pub(super) struct Lost {
    pub(super) error: Error,
    /// Whether the server may have got the request.
    pub(super) written: bool,
}

impl Lane {
    pub(super) fn new(fresh: Fresh) -> Self {
        Self {
            link: fresh.link,
            label: fresh.label,
            reauth: fresh.token.map(Reauth::new),
            process: std::process::id(),
        }
    }

    /// Whether this process dialled it.
    pub(super) fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// How long its token is good for use; `None` without one.
    pub(super) fn usable(&self) -> Option<Duration> {
        self.reauth.as_ref().map(|reauth| reauth.usable(Instant::now(), SystemTime::now()))
    }

    /// Sends commands in one piece and waits for their replies. After an error the connection is closed.
    pub(super) async fn ask(
        &self,
        batch: Batch,
        within: Duration,
        patience: Duration,
    ) -> Result<Vec<Bytes>, Lost> {
        let count = batch.len();
        let replies = Arc::new(OneReply::default());
        self.link.submit_own(batch, replies.clone(), Instant::now() + within + patience);
        let answers = match tokio::time::timeout(within + patience, driven(&self.link, &replies, count)).await
        {
            Ok(answers) => answers.and_then(|frames| frames.into_iter().collect()),
            Err(_) => Err(timed_out(within + patience)),
        };
        answers.map_err(|error| {
            let error = error.at(Arc::clone(&self.label));
            let written = !self.link.has_unsent();
            self.link.end(&error);
            Lost { error, written }
        })
    }

    /// Signs in with the newest token if there is a newer one. `false`: its token is about to end and there is no
    /// other way than a fresh connection. Nothing may be under way.
    pub(super) async fn renew(&mut self, node: &Node) -> bool {
        let (Some(reauth), SignIn::Token(source)) = (&self.reauth, &node.settings.sign_in) else {
            return true;
        };
        let generation = reauth.current().generation;
        if let Ok(token) = source.get(Duration::ZERO).await
            && token.generation > generation
            && !self.sign_in(node, token).await
        {
            return false;
        }
        let usable = self.usable().unwrap_or(Duration::MAX);
        if usable >= SHORTEST_LIFE {
            return true;
        }
        // A fresh connection would be given this very token as long as it is good.
        tokio::time::sleep(usable).await;
        false
    }

    /// `false`: the connection is gone. A refusal leaves it signed in as it was.
    async fn sign_in(&mut self, node: &Node, token: Token) -> bool {
        let login = Login::of(&token);
        let mut batch = Batch::new();
        login.push_auth(&mut batch);
        let answer = match self.ask(batch, Duration::ZERO, node.settings.command_timeout).await {
            Ok(frames) => frames.first().map_or_else(|| Err(closed()), |frame| decode(frame).map(drop)),
            Err(lost) => {
                tracing::debug!(endpoint = %self.label, error = %lost.error, "lost while signing in again");
                return false;
            }
        };
        let (time, endpoint) = (SystemTime::now(), Arc::clone(&self.label));
        match answer {
            Ok(()) => {
                node.counters.reauthentications.fetch_add(1, Ordering::Relaxed);
                node.events.emit(Event::ConnectionReauthenticated {
                    time,
                    endpoint,
                    expires_at: token.expires_at,
                    generation: token.generation,
                });
                self.reauth = Some(Reauth::new(token));
            }
            Err(error) => {
                node.counters.reauthentication_failures.fetch_add(1, Ordering::Relaxed);
                let error = reauth_refused(error, &login).at(Arc::clone(&endpoint));
                // It is tried again after the next slice, which is half of what is left at the most.
                let next_attempt = self.usable().unwrap_or_default() / 2;
                node.events.emit(Event::ConnectionReauthenticationFailed {
                    time,
                    endpoint,
                    attempt: 1,
                    next_attempt,
                    error,
                });
            }
        }
        true
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.is_ours() {
            self.link.end(&closed());
        } else {
            // The parent's runtime would be told, through a descriptor that both processes share.
            std::mem::forget(Arc::clone(&self.link));
        }
    }
}

/// What a caller holds while its command waits: dropping the caller's future closes the connection at once.
#[derive(Default)]
pub(super) struct Lease(Mutex<Stand>);

#[derive(Default)]
enum Stand {
    #[default]
    Idle,
    Waiting(Arc<Link>),
    Cancelled,
}

impl Lease {
    /// The command is about to be written. `false`: nobody waits for it any more.
    pub(super) fn begin(&self, link: &Arc<Link>) -> bool {
        let mut stand = self.0.lock();
        if matches!(*stand, Stand::Cancelled) {
            return false;
        }
        *stand = Stand::Waiting(Arc::clone(link));
        true
    }

    /// The answer is there.
    pub(super) fn end(&self) {
        let mut stand = self.0.lock();
        if let Stand::Waiting(_) = *stand {
            *stand = Stand::Idle;
        }
    }

    /// Whether the server may be waiting now.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(*self.0.lock(), Stand::Waiting(_))
    }

    /// Nobody waits any more: what is under way is cut off, so that the server gives nothing to nobody.
    pub(super) fn cancel(&self) {
        let stand = std::mem::replace(&mut *self.0.lock(), Stand::Cancelled);
        if let Stand::Waiting(link) = stand {
            link.end(&closed());
        }
    }
}
