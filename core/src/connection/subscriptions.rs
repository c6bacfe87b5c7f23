//! Who listens to what: every subscription of a client, the queues its messages go to, and how far the
//! server has confirmed it. Outlives connections. Knows nothing of sockets.

use super::batch::Batch;
use super::command::slot;
use super::overlap::{Name, Overlap, name};
use crate::error::{Error, Result};
use crate::pubsub::{Kind, Message, Queue};
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;
use tokio::sync::watch;

/// How many names go into one command.
const NAMES_PER_COMMAND: usize = 500;

/// Says which connection a push came from.
pub(crate) type LinkId = u64;

/// The subscriptions of one client.
pub(crate) struct Subscriptions {
    state: Mutex<State>,
    /// Counts changes, confirmations and refusals, for those who wait for theirs.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    names: HashMap<Name, Entry>,
    /// The connection whose messages count.
    current: LinkId,
    /// The connection that will take its place, while both are subscribed.
    next: Option<Next>,
    /// What was added or removed after the next connection was told everything.
    late: Vec<Name>,
    /// Who may subscribe: also they are told of the end who listen to nothing.
    subscribers: Vec<Weak<Queue>>,
    /// Why nothing comes any more.
    closed: Option<Error>,
}

struct Next {
    link: LinkId,
    overlap: Overlap,
    /// It is told of every change as the current one is.
    joined: bool,
}

struct Entry {
    queues: Vec<Arc<Queue>>,
    /// By the current connection.
    confirmed: bool,
    /// By the next one.
    confirmed_by_next: bool,
    refused: Option<Error>,
}

/// A name, and the queues of those who listen to it.
pub(crate) type Listener = (Bytes, Vec<Arc<Queue>>);

/// A change that the server must be told of.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) batch: Batch,
    pub(crate) kind: Kind,
    pub(crate) names: Vec<Bytes>,
}

impl Subscriptions {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0) }
    }

    /// Remembers a queue, which is closed when the client is.
    pub(crate) fn introduce(&self, queue: &Arc<Queue>) {
        let closed = {
            let mut state = self.state.lock();
            let subscribers = &mut state.subscribers;
            if subscribers.len() == subscribers.capacity() {
                subscribers.retain(|queue| queue.strong_count() > 0);
            }
            subscribers.push(Arc::downgrade(queue));
            state.closed.clone()
        };
        if let Some(error) = closed {
            queue.close(error);
        }
    }

    /// Adds a listener and says what must be sent for it: one command per `NAMES_PER_COMMAND` new names.
    pub(crate) fn add(&self, kind: Kind, names: &[Bytes], queue: &Arc<Queue>) -> Vec<Change> {
        let mut state = self.state.lock();
        let mut new = Vec::new();
        for name in names {
            let entry = state.names.entry((kind, name.clone())).or_insert_with(|| {
                new.push(name.clone());
                Entry { queues: Vec::new(), confirmed: false, confirmed_by_next: false, refused: None }
            });
            if entry.refused.take().is_some() {
                new.push(name.clone());
            }
            if !entry.queues.iter().any(|other| Arc::ptr_eq(other, queue)) {
                entry.queues.push(Arc::clone(queue));
            }
        }
        state.come_late(kind, &new);
        drop(state);
        self.changes.send_modify(|count| *count += 1);
        changes(kind.subscribe(), kind, &new)
    }

    /// What a fresh connection must be told beside what [`Subscriptions::prepare`] gave. From now on it is to be told of every change
    /// as the current one is. Saying a thing twice does no harm.
    pub(crate) fn join(&self) -> Vec<Change> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let late = std::mem::take(&mut state.late);
        if let Some(next) = &mut state.next {
            next.joined = true;
            for name in &late {
                next.overlap.begin_anew(name);
            }
        }
        let of = |kind: Kind, wanted: bool| -> Vec<Bytes> {
            let late = late.iter().filter(|name| name.0 == kind && state.names.contains_key(name) == wanted);
            late.map(|(_, name)| name.clone()).collect()
        };
        let told = |kind: Kind| {
            let mut told = changes(kind.unsubscribe(), kind, &of(kind, false));
            told.extend(changes(kind.subscribe(), kind, &of(kind, true)));
            told
        };
        Kind::ALL.into_iter().flat_map(told).collect()
    }

    /// Removes a listener (from all names of the kind when `names` is `None`) and says what must be sent.
    pub(crate) fn remove(&self, kind: Kind, names: Option<&[Bytes]>, queue: &Arc<Queue>) -> Vec<Change> {
        let mut state = self.state.lock();
        let mut unused = Vec::new();
        state.names.retain(|(of, name), entry| {
            if *of == kind && names.is_none_or(|names| names.contains(name)) {
                entry.queues.retain(|other| !Arc::ptr_eq(other, queue));
                if entry.queues.is_empty() {
                    unused.push(name.clone());
                    return false;
                }
            }
            true
        });
        state.come_late(kind, &unused);
        drop(state);
        self.changes.send_modify(|count| *count += 1);
        changes(kind.unsubscribe(), kind, &unused)
    }

    /// Gives up all names of a kind; says who listened to them and what must be sent. Nobody waits for them any more.
    pub(crate) fn give_up(&self, kind: Kind) -> (Vec<Listener>, Vec<Change>) {
        let mut state = self.state.lock();
        let given_up = state.names.extract_if(|(of, _), _| *of == kind);
        let listeners: Vec<_> = given_up.map(|((_, name), entry)| (name, entry.queues)).collect();
        state.late.retain(|(of, _)| *of != kind);
        drop(state);
        self.changes.send_modify(|count| *count += 1);
        let names: Vec<_> = listeners.iter().map(|(name, _)| name.clone()).collect();
        let changes = changes(kind.unsubscribe(), kind, &names);
        (listeners, changes)
    }

    /// How many names are listened to.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().names.len()
    }

    /// Waits until nobody listens to anything, or until somebody does.
    pub(crate) async fn until_empty(&self, empty: bool) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            if (self.len() == 0) == empty {
                return;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// The server refused these names: their listeners are told, and nobody waits for them any more.
    pub(crate) fn refuse(&self, kind: Kind, names: &[Bytes], error: &Error) {
        let mut state = self.state.lock();
        for name in names {
            if let Some(entry) = state.names.get_mut(&(kind, name.clone())) {
                entry.refused = Some(error.clone());
            }
        }
        drop(state);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits until the server has confirmed all names.
    ///
    /// # Errors
    /// Its refusal of any of them.
    pub(crate) async fn confirmed(&self, kind: Kind, names: &[Bytes]) -> Result<()> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            {
                let state = self.state.lock();
                let entries = || names.iter().filter_map(|name| state.names.get(&(kind, name.clone())));
                if let Some(error) = entries().find_map(|entry| entry.refused.clone()) {
                    return Err(error);
                }
                // While both connections are told both must know: either may be the one that counts in a moment.
                let both = state.next.as_ref().is_some_and(|next| next.joined);
                if entries().all(|entry| entry.confirmed && (entry.confirmed_by_next || !both)) {
                    return Ok(());
                }
            }
            if changes.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// The connection that is about to take the place of the current one begins to subscribe. Its messages
    /// wait until [`Subscriptions::switch`]. Gives what it must be told.
    pub(crate) fn prepare(&self, link: LinkId) -> Vec<Change> {
        let mut state = self.state.lock();
        state.next = Some(Next { link, overlap: Overlap::default(), joined: false });
        state.late.clear();
        state.names.values_mut().for_each(|entry| entry.confirmed_by_next = false);
        state.all()
    }

    /// From now on this connection's messages count. After a gap (`outage`) every listener is told of it. Gives whom
    /// to wake.
    #[must_use]
    pub(crate) fn switch(&self, link: LinkId, outage: Option<Duration>) -> Vec<Waker> {
        let wakers = self.state.lock().switch(link, outage);
        self.changes.send_modify(|count| *count += 1);
        wakers
    }

    /// There will be no successor after all.
    pub(crate) fn abandon(&self) {
        self.state.lock().next = None;
        self.changes.send_modify(|count| *count += 1);
    }

    /// The connection is gone: what it had confirmed must be confirmed anew.
    pub(crate) fn lost(&self) {
        let mut state = self.state.lock();
        state.next = None;
        state.names.values_mut().for_each(|entry| entry.confirmed = false);
    }

    /// A push from a connection.
    pub(crate) fn push(&self, link: LinkId, frame: &Bytes, wakers: &mut Vec<Waker>) {
        let Some(push) = Push::read(frame) else {
            tracing::debug!(bytes = frame.len(), "a push that is no message");
            return;
        };
        match push {
            Push::Confirmed(kind, name) => {
                let mut state = self.state.lock();
                let next = state.next.as_ref().is_some_and(|next| next.link == link);
                let current = state.current == link;
                if let Some(entry) = state.names.get_mut(&(kind, name)) {
                    entry.confirmed |= current;
                    entry.confirmed_by_next |= next;
                    entry.refused = None;
                }
                drop(state);
                self.changes.send_modify(|count| *count += 1);
            }
            Push::Removed => {}
            Push::Message(message) => {
                let mut state = self.state.lock();
                let state = &mut *state;
                if let Some(next) = &mut state.next
                    && next.link == link
                {
                    next.overlap.hold(message);
                    return;
                }
                if link != state.current {
                    return;
                }
                if let Some(next) = &mut state.next {
                    next.overlap.note(&message);
                }
                state.pass_on(&message, wakers);
            }
        }
    }

    /// Ends every queue: the client is closed.
    pub(crate) fn close(&self, error: &Error) {
        let (entries, subscribers) = {
            let mut state = self.state.lock();
            state.closed = Some(error.clone());
            (std::mem::take(&mut state.names), std::mem::take(&mut state.subscribers))
        };
        let listening = entries.into_values().flat_map(|entry| entry.queues);
        for queue in listening.chain(subscribers.iter().filter_map(Weak::upgrade)) {
            queue.close(error.clone());
        }
        self.changes.send_modify(|count| *count += 1);
    }
}

impl State {
    /// Everything that is listened to.
    fn all(&self) -> Vec<Change> {
        let of = |kind: Kind| {
            let mut names: Vec<Bytes> =
                self.names.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect();
            names.sort_unstable();
            changes(kind.subscribe(), kind, &names)
        };
        Kind::ALL.into_iter().flat_map(of).collect()
    }

    fn switch(&mut self, link: LinkId, outage: Option<Duration>) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if let Some(outage) = outage {
            let mut told: Vec<&Arc<Queue>> = Vec::new();
            for queue in self.names.values().flat_map(|entry| &entry.queues) {
                if !told.iter().any(|other| Arc::ptr_eq(other, queue)) {
                    wakers.extend(queue.gap(outage));
                    told.push(queue);
                }
            }
        }
        let next = self.next.take().filter(|next| next.link == link);
        self.current = link;
        for entry in self.names.values_mut() {
            entry.confirmed = entry.confirmed_by_next;
        }
        for message in next.map_or_else(Vec::new, |next| next.overlap.switch()) {
            self.pass_on(&message, &mut wakers);
        }
        wakers
    }

    /// Remembers what the next connection is told later.
    fn come_late(&mut self, kind: Kind, names: &[Bytes]) {
        if self.next.as_ref().is_some_and(|next| !next.joined) {
            self.late.extend(names.iter().map(|name| (kind, name.clone())));
        }
    }

    fn pass_on(&self, message: &Message, wakers: &mut Vec<Waker>) {
        if let Some(entry) = self.names.get(&name(message)) {
            for queue in &entry.queues {
                wakers.extend(queue.put(message.clone()));
            }
        }
    }
}

fn changes(command: &str, kind: Kind, names: &[Bytes]) -> Vec<Change> {
    let mut names = names.to_vec();
    // Clusters refuse a command whose shard channels are in several slots.
    let slot = |name: &Bytes| if kind == Kind::Shard { slot(name) } else { 0 };
    names.sort_by_cached_key(slot);
    names
        .chunk_by(|one, other| slot(one) == slot(other))
        .flat_map(|names| names.chunks(NAMES_PER_COMMAND))
        .map(|names| {
            let mut batch = Batch::new();
            let args: Vec<&[u8]> =
                std::iter::once(command.as_bytes()).chain(names.iter().map(AsRef::as_ref)).collect();
            // A subscription is answered by pushes, or by one error. The PING behind it always has a reply, so
            // that requests and replies stay in step; see `Run::announced`.
            batch.push_own(&args);
            batch.push_own(&["PING"]);
            batch.ends.remove(0);
            Change { batch, kind, names: names.to_vec() }
        })
        .collect()
}

enum Push {
    Confirmed(Kind, Bytes),
    Removed,
    Message(Message),
}

impl Push {
    fn read(frame: &Bytes) -> Option<Self> {
        let mut parts = parts(frame)?.into_iter();
        let what = parts.next()?;
        Some(match &what[..] {
            b"message" => Self::message(Kind::Channel, None, parts.next()?, parts.next()?),
            b"smessage" => Self::message(Kind::Shard, None, parts.next()?, parts.next()?),
            b"pmessage" => {
                let pattern = parts.next()?;
                Self::message(Kind::Pattern, Some(pattern), parts.next()?, parts.next()?)
            }
            b"subscribe" => Self::Confirmed(Kind::Channel, parts.next()?),
            b"psubscribe" => Self::Confirmed(Kind::Pattern, parts.next()?),
            b"ssubscribe" => Self::Confirmed(Kind::Shard, parts.next()?),
            b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" => Self::Removed,
            _ => return None,
        })
    }

    fn message(kind: Kind, pattern: Option<Bytes>, channel: Bytes, payload: Bytes) -> Self {
        Self::Message(Message { kind, pattern, channel, payload })
    }
}

/// The strings of a flat push, sharing its memory; `None` for any other push.
fn parts(frame: &Bytes) -> Option<Vec<Bytes>> {
    let mut at = memchr::memchr(b'\n', frame)? + 1;
    let mut parts = Vec::with_capacity(4);
    while at < frame.len() {
        let line = at + memchr::memchr(b'\n', &frame[at..])? + 1;
        match frame[at] {
            b'$' => {
                let length: usize = std::str::from_utf8(&frame[at + 1..line - 2]).ok()?.parse().ok()?;
                parts.push(frame.slice(line..line + length));
                at = line + length + 2;
            }
            b':' | b'+' | b'_' => {
                parts.push(frame.slice(at + 1..line - 2));
                at = line;
            }
            _ => return None,
        }
    }
    Some(parts)
}
