//! The life of an endpoint's connection: dial, sign in, keep signed in, watch, notice the end, dial
//! again, for ever. Runs as one task on the I/O thread.

use super::establish::{Fresh, Purpose, establish};
use super::monitor::{End, Monitor};
use super::node::{Node, State, Wish, closed, not_connected};
use super::one_reply::{catch_up, ping};
use crate::error::{Error, Result};
use crate::event::Event;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// How often waiting commands are looked at while there is no connection.
const WAITING_TICK: Duration = Duration::from_millis(20);

/// Keeps `node` connected until it is closed.
pub(crate) async fn supervise(node: Arc<Node>) {
    let reason = Supervisor { node: Arc::clone(&node), outage: None, dials: 0, ever: false }.run().await;
    node.outbox.lock().finish(&reason);
    node.set_active(None);
    node.fail_waiting(&reason);
    node.subscriptions.close(&reason);
    node.state.send_replace(State::Closed(reason));
}

struct Supervisor {
    node: Arc<Node>,
    /// Since when there is no connection, once that was told.
    outage: Option<Instant>,
    /// Dials since the last connection.
    dials: u32,
    /// Whether there ever was a connection.
    ever: bool,
}

type Run = Pin<Box<dyn Future<Output = End> + Send>>;

impl Supervisor {
    /// Says why it ended.
    async fn run(&mut self) -> Error {
        loop {
            match self.connect().await {
                Ok(fresh) => {
                    self.tell_map(&fresh);
                    let outage = self.connected(&fresh.label);
                    match self.hold(fresh, outage).await {
                        End::Lost(error) => self.lost(&error),
                        End::Finished => return closed(),
                    }
                }
                Err(reason) => return reason,
            }
        }
    }

    /// Dials until there is a connection. Fails only when there shall be none any more.
    async fn connect(&mut self) -> Result<Fresh> {
        loop {
            if self.dials > 0 || self.ever {
                let pause = self.backoff();
                self.while_waiting(tokio::time::sleep(pause)).await?;
            }
            self.dials += 1;
            let node = Arc::clone(&self.node);
            let target = node.target(self.dials - 1);
            let error = match self.while_waiting(establish(&node, &target, Purpose::Shared)).await? {
                Ok(fresh) => return Ok(fresh),
                Err(error) => error.at(Arc::clone(&target.label)),
            };
            if let Some(most) = self.node.settings.first_dials
                && !self.ever
                && (self.dials >= most || !error.is_retryable())
            {
                return Err(error);
            }
            if self.ever || self.node.settings.first_dials.is_none() {
                self.lost(&error);
            } else {
                // Whoever connects is still waiting for the outcome of all the attempts.
                tracing::info!(%error, dials = self.dials, most = self.node.settings.first_dials, "no connection yet");
            }
        }
    }

    /// Waits for `what` and meanwhile ends waiting commands whose time is up. Fails when the node closes.
    async fn while_waiting<T>(&self, what: impl Future<Output = T>) -> Result<T> {
        let mut what = pin!(what);
        let mut wish = self.node.wish.subscribe();
        if *wish.borrow() == Wish::Stop {
            return Err(closed());
        }
        loop {
            tokio::select! {
                biased;
                done = &mut what => return Ok(done),
                () = tokio::time::sleep(WAITING_TICK), if self.node.outbox.lock().len() > 0 => {
                    self.node.expire_waiting(Instant::now());
                }
                // A queue that was empty is looked at again soon enough: deadlines are longer than this.
                () = tokio::time::sleep(WAITING_TICK * 4), if self.node.outbox.lock().len() == 0 => {}
                _ = wish.changed() => {}
            }
            match *wish.borrow_and_update() {
                Wish::Stop => return Err(closed()),
                Wish::Finish(by) if by <= Instant::now() || self.node.outbox.lock().len() == 0 => {
                    return Err(closed());
                }
                Wish::Live | Wish::Finish(_) => {}
            }
        }
    }

    /// Full jitter, doubling; the first dial after a loss follows at once.
    fn backoff(&self) -> Duration {
        let settings = &self.node.settings;
        let step = settings.backoff_min.saturating_mul(1 << self.dials.min(16)).min(settings.backoff_max);
        let from = if self.dials == 0 { Duration::ZERO } else { settings.backoff_min.min(step) };
        from + step.saturating_sub(from).mul_f64(if self.dials == 0 {
            fastrand::f64() / 4.0
        } else {
            fastrand::f64()
        })
    }

    /// Says how long there was no connection, if there was one before.
    fn connected(&mut self, label: &Arc<str>) -> Option<Duration> {
        let node = &self.node;
        node.counters.connections.fetch_add(1, Ordering::Relaxed);
        node.outbox.lock().refuse(match *node.wish.borrow() {
            Wish::Live => None,
            _ => Some(closed()),
        });
        node.state.send_replace(State::Ready);
        let outage = self.outage.take().map(|since| since.elapsed());
        if let Some(outage) = outage {
            node.counters.reconnects.fetch_add(1, Ordering::Relaxed);
            node.events.emit(Event::ConnectionRestored {
                time: SystemTime::now(),
                endpoint: Arc::clone(label),
                outage,
                attempts: self.dials,
            });
        }
        let gap = outage.filter(|_| self.ever);
        self.ever = true;
        self.dials = 0;
        gap
    }

    fn lost(&mut self, error: &Error) {
        let node = &self.node;
        node.set_active(None);
        if !node.listener.is_apart() {
            node.subscriptions.lost();
        }
        if let Some(rerouter) = node.rerouter.get().and_then(std::sync::Weak::upgrade) {
            rerouter.suspect();
        }
        let endpoint: Arc<str> =
            error.endpoint().map_or_else(|| Arc::clone(node.settings.label()), Into::into);
        let error = error.clone().at(Arc::clone(&endpoint));
        node.state.send_replace(State::Lost(error.clone()));
        if node.settings.fail_fast {
            let refusal = not_connected(&error).at(Arc::clone(&endpoint));
            if *node.wish.borrow() == Wish::Live {
                node.outbox.lock().refuse(Some(refusal.clone()));
            }
            node.fail_waiting(&refusal);
        }
        if self.outage.is_none() {
            self.outage = Some(Instant::now());
            node.events.emit(Event::ConnectionLost { time: SystemTime::now(), endpoint, error });
        } else {
            tracing::info!(%endpoint, %error, dials = self.dials, "still no connection");
        }
    }

    /// Uses a connection until it ends, replacing it by a fresh one where its end is known in advance.
    async fn hold(&self, fresh: Fresh, outage: Option<Duration>) -> End {
        let label = Arc::clone(&fresh.label);
        let mut watch = self.adopt(fresh, outage);
        let mut replacement_wanted = watch.replacement_wanted();
        let mut run: Run = Box::pin(async move { watch.run().await });
        loop {
            tokio::select! {
                biased;
                end = &mut run => return end,
                () = wanted(&mut replacement_wanted) => {}
            }
            // The old connection goes on meanwhile; only when the fresh one is signed in are they exchanged.
            let node = Arc::clone(&self.node);
            let target = node.target_labelled(&label);
            tokio::select! {
                biased;
                end = &mut run => return end,
                outcome = establish(&node, &target, Purpose::Shared) => match outcome {
                    Ok(fresh) => {
                        let (begun, limit) = (Instant::now(), node.settings.command_timeout);
                        if fresh.link.is_resp3() {
                            node.join(&fresh.link);
                            // Until it knows of what came late.
                            tokio::select! {
                                biased;
                                end = &mut run => {
                                    node.leave();
                                    return end;
                                }
                                _ = catch_up(&fresh.link, limit) => {}
                            }
                        }
                        // Messages that were published before the fresh one listened stand before this answer.
                        let mut last = None;
                        if let Some(old) = self.node.active() {
                            last = Some(ping(&old, limit));
                            old.drain();
                            old.end_guest();
                        }
                        // What the old one has taken is answered before the fresh one takes anything: commands
                        // that were sent one after the other are executed in that order. Who has not been
                        // answered by then was told that the time is up.
                        let rest = tokio::time::timeout(limit, &mut run).await;
                        if rest.is_ok() && *node.wish.borrow() == Wish::Stop {
                            return End::Finished;
                        }
                        let complete = last.is_some_and(|pong| pong.is_answered());
                        catch_up(&fresh.link, limit).await;
                        self.tell_map(&fresh);
                        let mut watch = self.adopt(fresh, (!complete).then(|| begun.elapsed()));
                        self.node.counters.connections.fetch_add(1, Ordering::Relaxed);
                        replacement_wanted = watch.replacement_wanted();
                        let old = std::mem::replace(&mut run, Box::pin(async move { watch.run().await }));
                        if rest.is_err() {
                            tokio::spawn(old);
                        }
                        tracing::info!(endpoint = %label, "connection replaced before its token's end");
                    }
                    Err(error) => {
                        if !node.listener.is_apart() {
                            node.subscriptions.abandon();
                        }
                        tracing::warn!(endpoint = %label, %error, "no replacement for the connection yet");
                        let pause = node.settings.backoff_min;
                        tokio::select! {
                            biased;
                            end = &mut run => return end,
                            () = tokio::time::sleep(pause) => {}
                        }
                    }
                }
            }
        }
    }

    /// Before a connection is used: requests find their nodes from the first one on.
    fn tell_map(&self, fresh: &Fresh) {
        if let (Some(map), Some(discovery)) = (&fresh.map, self.node.discovery()) {
            let gap = self.ever.then(|| self.outage.map_or(Duration::ZERO, |since| since.elapsed()));
            discovery.found(&self.node, map, gap);
        }
    }

    /// Makes a connection the active one.
    fn adopt(&self, fresh: Fresh, outage: Option<Duration>) -> Monitor {
        let node = &self.node;
        if let Some(cache) = &node.cache {
            cache.follow(fresh.link.is_tracking().then(|| fresh.link.id()));
        }
        node.set_reached(&fresh.label);
        if fresh.link.is_resp3() {
            node.listener.rest();
            node.hear(&fresh, outage, || node.set_active(Some(Arc::clone(&fresh.link))));
        } else {
            node.set_active(Some(Arc::clone(&fresh.link)));
            node.listener.work(node, outage);
        }
        fresh.link.open();
        Monitor::new(Arc::clone(&self.node), fresh.link, fresh.label, fresh.token)
    }
}

/// Ends when a replacement is wanted, which may be never.
async fn wanted(replacement: &mut watch::Receiver<bool>) {
    if replacement.wait_for(|wanted| *wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}
