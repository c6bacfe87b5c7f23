//! One endpoint as callers see it: its outbox, its state, its counters. Outlives connections. How
//! connections come and go is `supervisor`'s.

use super::batch::{Batch, CompletionSink};
use super::blocking::Pool;
use super::cache::{Keep, ReplyCache};
use super::cluster::Discovery;
use super::counters::Counters;
use super::decode::decode;
use super::establish::Fresh;
use super::guest;
use super::link::Link;
use super::listener::Listener;
use super::one_reply::OneReply;
use super::outbox::{Outbox, Times};
use super::redirect::Rerouter;
use super::settings::{Settings, Target};
use super::subscriptions::{Change, Listener as Heard, Subscriptions};
use crate::error::{Error, ErrorCode, Result};
use crate::event::{Event, EventHub};
use crate::pubsub::{Kind, Queue};
use bytes::Bytes;
use parking_lot::Mutex;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// "For ever" as a deadline can hold it.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 365);

/// Where an endpoint stands.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// The first connection is being made.
    Connecting,
    /// There is a signed-in connection.
    Ready,
    /// There is none; redialling goes on. Why the last one ended or could not be made.
    Lost(Error),
    /// For good.
    Closed(Error),
}

/// What the owner wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Stay connected.
    Live,
    /// Finish what is under way, by the given time, and end.
    Finish(Instant),
    /// End at once.
    Stop,
}

/// An endpoint.
pub(crate) struct Node {
    pub(crate) settings: Settings,
    pub(crate) outbox: Arc<Mutex<Outbox>>,
    /// The connection that takes from the outbox.
    active: Mutex<Option<Arc<Link>>>,
    /// Which of the endpoints that connection reaches.
    reached: Mutex<Option<Arc<str>>>,
    /// The connections of commands that wait.
    pub(super) blocking: Pool,
    pub(crate) subscriptions: Arc<Subscriptions>,
    /// What is kept of this endpoint's replies, if client-side caching is on.
    pub(crate) cache: Option<Arc<ReplyCache>>,
    /// Orders changes: in the order in which they are made the server is told of them.
    telling: Mutex<()>,
    /// The connection that will take the place of the one that carries subscriptions, once it is to be told of changes.
    joining: Mutex<Option<Arc<Link>>>,
    /// Where requests go that belong to another node.
    pub(crate) rerouter: Rerouter,
    /// Finds out whether the endpoint is a cluster; a node of a cluster has none.
    discovery: Option<Arc<Discovery>>,
    /// Where else this connection can be made: any node can tell the map and pass messages on.
    more_targets: Mutex<Vec<Target>>,
    /// Their connection, where the shared one cannot carry them.
    pub(super) listener: Listener,
    pub(crate) events: EventHub,
    pub(crate) counters: Arc<Counters>,
    pub(super) state: watch::Sender<State>,
    pub(super) wish: watch::Sender<Wish>,
}

impl Node {
    pub(crate) fn new(settings: Settings, events: EventHub) -> Self {
        let counters = Arc::<Counters>::default();
        Self {
            outbox: Arc::new(Mutex::new(Outbox::new(settings.limits))),
            active: Mutex::new(None),
            reached: Mutex::new(None),
            blocking: Pool::new(settings.blocking_connections),
            subscriptions: Arc::new(Subscriptions::new()),
            cache: reply_cache(&settings, &counters),
            telling: Mutex::default(),
            joining: Mutex::default(),
            rerouter: Rerouter::default(),
            discovery: None,
            more_targets: Mutex::default(),
            listener: Listener::new(),
            settings,
            events,
            counters,
            state: watch::Sender::new(State::Connecting),
            wish: watch::Sender::new(Wish::Live),
        }
    }

    /// The same node asks at each connection whether it is a cluster.
    pub(crate) fn with_discovery(mut self, discovery: Arc<Discovery>) -> Self {
        self.discovery = Some(discovery);
        self
    }

    /// The same node counts together with others.
    pub(crate) fn counting(mut self, counters: Arc<Counters>) -> Self {
        self.cache = reply_cache(&self.settings, &counters);
        self.counters = counters;
        self
    }

    pub(super) fn discovery(&self) -> Option<&Arc<Discovery>> {
        self.discovery.as_ref()
    }

    /// The host that its name for itself is.
    pub(super) fn host(&self) -> &str {
        &self.settings.targets[0].host
    }

    /// Sets where else this connection can be made.
    pub(super) fn set_more_targets(&self, targets: Vec<Target>) {
        *self.more_targets.lock() = targets;
    }

    /// Where the dial with this number goes.
    pub(super) fn target(&self, dial: u32) -> Target {
        let own = &self.settings.targets;
        let more = self.more_targets.lock();
        let index = dial as usize % (own.len() + more.len());
        own.get(index).or_else(|| more.get(index - own.len())).unwrap_or(&own[0]).clone()
    }

    /// Where a connection with this label leads.
    pub(super) fn target_labelled(&self, label: &str) -> Target {
        let all = self.settings.targets.iter().chain(&*self.more_targets.lock()).cloned().collect::<Vec<_>>();
        all.into_iter().find(|target| &*target.label == label).unwrap_or_else(|| self.target(0))
    }

    /// Hands commands over, all or nothing; the batch is empty afterwards. Never blocks.
    ///
    /// # Errors
    /// [`ErrorCode::NotConnected`], [`ErrorCode::BacklogFull`], [`ErrorCode::Closed`]: nothing was taken.
    pub(crate) fn submit(
        &self,
        batch: &mut Batch,
        first_tag: u64,
        sink: Arc<dyn CompletionSink>,
        timeout: Duration,
    ) -> Result<()> {
        self.submit_until(batch, first_tag, sink, times(timeout))
    }

    /// As [`Node::submit`], with the time at which the caller stops waiting.
    pub(crate) fn submit_until(
        &self,
        batch: &mut Batch,
        first_tag: u64,
        sink: Arc<dyn CompletionSink>,
        times: Times,
    ) -> Result<()> {
        let sink = match self.cache.as_ref().and_then(|cache| cache.expect_only(batch)) {
            Some(ticket) => Arc::new(Keep::new(ticket, sink)),
            None => sink,
        };
        // Let go without a lock if it is refused: dropping it may be the end of a client.
        let kept = Arc::clone(&sink);
        let (asleep, enough) = {
            let mut outbox = self.outbox.lock();
            if let Some(cache) = &self.cache {
                cache.forget_changed(batch);
            }
            outbox.submit(batch, sink, first_tag, times)?;
            (outbox.is_asleep(), outbox.is_enough())
        };
        drop(kept);
        if asleep
            && let Some(link) = self.active()
            && !guest::begin_or_relieve(&link)
            && (link.has_guest() || !link.try_write_here())
        {
            let waker = self.outbox.lock().wake();
            if let Some(waker) = waker {
                waker.wake();
            }
        } else if enough && let Some(link) = self.active() {
            link.write_for_guest();
        }
        Ok(())
    }

    /// The reply to a request if it is kept here.
    pub(crate) fn recall(&self, request: &[u8]) -> Option<Bytes> {
        self.cache.as_ref()?.recall(request)
    }

    /// Gives up replies that these requests, sent over another connection, may have made stale.
    pub(super) fn forget_changed(&self, requests: &Batch) {
        if let Some(cache) = &self.cache {
            cache.forget_changed(requests);
        }
    }

    /// Gives up all replies that are kept here.
    pub(super) fn forget_replies(&self) {
        if let Some(cache) = &self.cache {
            cache.forget_all();
        }
    }

    /// How many replies are kept here, and what they take in bytes.
    pub(crate) fn cache_size(&self) -> (usize, usize) {
        self.cache.as_ref().map(|cache| cache.size()).unwrap_or_default()
    }

    /// Subscribes and waits until the server has confirmed it.
    ///
    /// # Errors
    /// The server's refusal, or [`ErrorCode::Timeout`] after `command_timeout`: the subscription stays wanted.
    pub(crate) async fn subscribe(
        self: Arc<Self>,
        kind: Kind,
        names: Vec<Bytes>,
        queue: Arc<Queue>,
    ) -> Result<()> {
        if let State::Closed(error) = self.state() {
            return Err(error);
        }
        {
            let _order = self.telling.lock();
            // Too late: the nodes of the cluster have them.
            if kind == Kind::Shard && self.discovery.as_ref().is_some_and(|found| found.cluster().is_some()) {
                return Ok(());
            }
            self.tell(&self.subscriptions.add(kind, &names, &queue));
        }
        let limit = self.settings.command_timeout;
        match tokio::time::timeout(limit, self.subscriptions.confirmed(kind, &names)).await {
            Ok(Ok(())) => match self.state() {
                State::Closed(error) => Err(error),
                _ => Ok(()),
            },
            Ok(Err(error)) => {
                self.unsubscribe(kind, Some(&names), &queue);
                Err(error)
            }
            Err(_) => {
                let trouble = self.listener.trouble().filter(|_| self.listener.is_apart());
                let why = trouble.map_or_else(|| ".".to_owned(), |error| format!(": {}", error.message()));
                Err(Error::new(
                    ErrorCode::Timeout,
                    format!("The subscription was not confirmed within {} ms{why}", limit.as_millis()),
                    "It is made as soon as there is a connection; see last_error.",
                ))
            }
        }
    }

    /// Ends subscriptions; does not wait.
    pub(crate) fn unsubscribe(&self, kind: Kind, names: Option<&[Bytes]>, queue: &Arc<Queue>) {
        let _order = self.telling.lock();
        self.tell(&self.subscriptions.remove(kind, names, queue));
    }

    /// Gives up all shard channels, because their nodes are known from now on; says who listens to them.
    pub(super) fn give_up_shards(&self) -> Vec<Heard> {
        let _order = self.telling.lock();
        let (listeners, changes) = self.subscriptions.give_up(Kind::Shard);
        self.tell(&changes);
        listeners
    }

    /// Tells the server of changed subscriptions. Without a connection the next one is told everything.
    fn tell(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let carrier = if self.listener.is_apart() { self.listener.active() } else { self.active() };
        let joining = self.joining.lock().clone();
        for link in carrier.into_iter().chain(joining) {
            self.tell_link(&link, changes.to_vec());
        }
    }

    fn tell_link(&self, link: &Arc<Link>, changes: Vec<Change>) {
        let Ok(runtime) = crate::runtime::io(0) else { return };
        let limit = self.settings.command_timeout;
        for change in changes {
            let answer = Arc::new(OneReply::default());
            link.submit_announced(change.batch, answer.clone(), Instant::now() + limit);
            let subscriptions = Arc::clone(&self.subscriptions);
            runtime.spawn(async move {
                // A connection that has just ended answers nothing.
                let answered = tokio::time::timeout(limit * 2, poll_fn(|cx| answer.poll(cx, 1))).await;
                let first = answered.unwrap_or_default().into_iter().next();
                // Only the server's own refusal is final: after a loss the next connection is told everything.
                if let Some(Ok(frame)) = first
                    && let Err(error) = decode(&frame)
                {
                    subscriptions.refuse(change.kind, &change.names, &error);
                }
            });
        }
        link.wake_driver();
    }

    /// From now on a fresh connection is told of changed subscriptions, beside the one whose place it will take.
    pub(super) fn join(&self, link: &Arc<Link>) {
        let _order = self.telling.lock();
        self.tell_link(link, self.subscriptions.join());
        *self.joining.lock() = Some(Arc::clone(link));
    }

    /// The fresh connection will not be used after all.
    pub(super) fn leave(&self) {
        *self.joining.lock() = None;
    }

    /// From now on this connection carries the subscriptions, and its messages count. After a gap (`outage`) every
    /// listener is told of it. `activate` makes it the one that is told of changes.
    pub(super) fn hear(&self, fresh: &Fresh, outage: Option<Duration>, activate: impl FnOnce()) {
        let order = self.telling.lock();
        activate();
        *self.joining.lock() = None;
        // Nothing, if it has joined before.
        self.tell_link(&fresh.link, self.subscriptions.join());
        let subscriptions = self.subscriptions.len();
        let wakers = self.subscriptions.switch(fresh.link.id(), outage);
        drop(order);
        wakers.into_iter().for_each(Waker::wake);
        if let Some(outage) = outage.filter(|_| subscriptions > 0) {
            self.events.emit(Event::SubscriptionGap {
                time: SystemTime::now(),
                endpoint: Arc::clone(&fresh.label),
                outage,
                subscriptions,
            });
        }
    }

    /// The connection that takes from the outbox, if there is one.
    pub(crate) fn active(&self) -> Option<Arc<Link>> {
        self.active.lock().clone()
    }

    /// The connection that takes from the outbox from now on. It has yet to be driven.
    pub(super) fn set_active(&self, link: Option<Arc<Link>>) {
        let old = std::mem::replace(&mut *self.active.lock(), link);
        self.outbox.lock().wake();
        drop(old);
    }

    /// Which endpoint the active connection reaches.
    pub(super) fn set_reached(&self, label: &Arc<str>) {
        *self.reached.lock() = Some(Arc::clone(label));
    }

    /// Where connections beside the active one are made to: the endpoint that it reaches, or reached last.
    pub(super) fn reached_target(&self) -> Target {
        self.reached.lock().clone().map_or_else(|| self.target(0), |label| self.target_labelled(&label))
    }

    /// The current state.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until the first connection is there or has failed, or until `Closed`.
    pub(crate) async fn settled(&self) -> State {
        let mut state = self.state.subscribe();
        state
            .wait_for(|state| !matches!(state, State::Connecting))
            .await
            .map_or_else(|_| State::Closed(closed()), |state| state.clone())
    }

    /// Tells the supervisor what is wanted.
    pub(crate) fn wish(&self, wish: Wish) {
        if wish != Wish::Live {
            self.outbox.lock().refuse(Some(closed()));
        }
        self.wish.send_replace(wish);
    }

    /// Waits until the node has closed.
    pub(crate) async fn closed(&self) {
        let _ = self.state.subscribe().wait_for(|state| matches!(state, State::Closed(_))).await;
    }

    /// Ends waiting commands whose time is up, telling them why there is no connection if there is none.
    pub(super) fn expire_waiting(&self, now: Instant) {
        let error = match &*self.state.borrow() {
            State::Lost(cause) => unsent(self.settings.command_timeout, Some(cause)),
            _ => unsent(self.settings.command_timeout, None),
        };
        let failures = self.outbox.lock().remove(Some(now), &error.at(Arc::clone(self.settings.label())));
        self.counters.tell(failures);
    }

    /// Ends all waiting commands.
    pub(super) fn fail_waiting(&self, error: &Error) {
        let failures = self.outbox.lock().remove(None, error);
        self.counters.tell(failures);
    }
}

/// Times of requests that are handed over now.
pub(crate) fn times(timeout: Duration) -> Times {
    let submitted = Instant::now();
    Times { submitted, deadline: submitted.checked_add(timeout).unwrap_or_else(|| submitted + LONGEST_WAIT) }
}

fn reply_cache(settings: &Settings, counters: &Counters) -> Option<Arc<ReplyCache>> {
    settings.cache.map(|limits| Arc::new(ReplyCache::new(limits, Arc::clone(&counters.cache))))
}

/// The error of a command that waited for a connection in vain. It was never sent.
pub(super) fn unsent(waited: Duration, cause: Option<&Error>) -> Error {
    let waited = waited.as_millis();
    match cause {
        // What nobody can heal by waiting is the answer itself; an outage is a time-out with its cause.
        Some(cause) if !cause.is_retryable() => cause.clone().executed(false),
        Some(cause) => Error::new(
            ErrorCode::Timeout,
            format!("Not sent within {waited} ms, because there is no connection: {}", cause.message()),
            cause.advice().to_owned(),
        ),
        None => Error::new(
            ErrorCode::Timeout,
            format!("Not sent within {waited} ms."),
            "The server takes commands too slowly, or the connection is still being made.",
        ),
    }
}

/// The error of everything that comes after `close`.
pub(crate) fn closed() -> Error {
    Error::new(ErrorCode::Closed, "The client is closed.", "Create a new client.")
}

/// The error of commands under the `fail_fast` policy while there is no connection.
pub(super) fn not_connected(cause: &Error) -> Error {
    Error::new(
        ErrorCode::NotConnected,
        format!("There is no connection now: {}", cause.message()),
        format!(
            "{} Or try again shortly; with backlog=queue commands wait for the connection.",
            cause.advice().trim_end()
        )
        .trim_start()
        .to_owned(),
    )
}
