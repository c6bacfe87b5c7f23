//! Client-side caching: replies that are kept on this side for as long as the server promises to tell of
//! changes (`CLIENT TRACKING`, RESP3). One per node, as each tells of its own keys; it follows one connection
//! at a time and is emptied when that ends. Knows nothing of sockets.
//!
//! Why no reply is kept that has become stale: a request that is to be kept has an entry without a reply from
//! before it is written. On the one connection, what the server tells of a change comes behind each reply that
//! the change is not in, and an invalidation removes entries, those without a reply too. So a reply whose entry
//! is still there when it arrives is newer than all that was told; and once it is there, the next change
//! removes it. For its own changes the server tells after it has answered them: those remove entries when they
//! are queued, under the lock of the queue, so that every read is either before them, and removed, or behind.

use super::batch::{Batch, CompletionSink, Replies};
use super::command::{self, Command};
use super::push::{Invalidated, invalidated};
use super::subscriptions::LinkId;
use crate::error::Error;
use bytes::Bytes;
use lru::LruCache;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

/// What an entry costs beside the bytes of request, key and reply: an estimate of nodes, counters and tables.
const ENTRY_BYTES: usize = 320;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheLimits {
    pub(crate) bytes: usize,
    pub(crate) max_age: Duration,
}

/// Figures of client-side caching since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Reads that were answered here.
    pub hits: u64,
    /// Reads that could have been answered here and had to be sent.
    pub misses: u64,
    /// Keys that the server, or a command of this client, said have changed, and of which something was kept.
    pub invalidations: u64,
    /// Replies given up for want of room.
    pub evictions: u64,
    /// Replies that are kept now.
    pub entries: usize,
    /// What they take, in bytes.
    pub bytes: usize,
}

impl std::ops::AddAssign for CacheStats {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.invalidations += other.invalidations;
        self.evictions += other.evictions;
        self.entries += other.entries;
        self.bytes += other.bytes;
    }
}

type Request = Arc<[u8]>;

enum Content {
    /// The request is under way, by the ticket of this number.
    Awaited(u64),
    Kept {
        reply: Bytes,
        since: Instant,
    },
}

struct Entry {
    content: Content,
    /// Where the key is in the request.
    key: Range<usize>,
}

impl Entry {
    fn bytes(&self, request: &[u8]) -> usize {
        let reply = if let Content::Kept { reply, .. } = &self.content { reply.len() } else { 0 };
        request.len() + self.key.len() + reply + ENTRY_BYTES
    }
}

struct State {
    /// The connection whose server tells of changes.
    follows: Option<LinkId>,
    entries: LruCache<Request, Entry>,
    by_key: HashMap<Box<[u8]>, HashSet<Request>>,
    next_ticket: u64,
    stats: CacheStats,
}

/// The replies that are kept for one node.
pub(crate) struct ReplyCache {
    limits: CacheLimits,
    state: Mutex<State>,
    warned: AtomicBool,
}

/// The right to keep the reply of one request.
pub(crate) struct Ticket {
    cache: Arc<ReplyCache>,
    request: Request,
    number: u64,
}

impl ReplyCache {
    pub(crate) fn new(limits: CacheLimits) -> Self {
        let state = State {
            follows: None,
            entries: LruCache::unbounded(),
            by_key: HashMap::new(),
            next_ticket: 0,
            stats: CacheStats::default(),
        };
        Self { limits, state: Mutex::new(state), warned: AtomicBool::new(false) }
    }

    /// From now on this connection's server tells of changes; `None`: nobody does.
    pub(crate) fn follow(&self, link: Option<LinkId>) {
        let mut state = self.state.lock();
        state.clear();
        state.follows = link;
    }

    /// A connection ends: what its server has promised is void.
    pub(crate) fn leave(&self, link: LinkId) {
        let mut state = self.state.lock();
        if state.follows == Some(link) {
            state.clear();
            state.follows = None;
        }
    }

    /// Says once why nothing is cached.
    pub(crate) fn warn(&self, why: &dyn std::fmt::Display) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("nothing is cached on this side: {why}");
        }
    }

    /// The reply to a request, if it is kept here.
    pub(crate) fn recall(&self, request: &[u8]) -> Option<Bytes> {
        let mut state = self.state.lock();
        match &state.entries.get(request)?.content {
            Content::Kept { reply, since } if since.elapsed() < self.limits.max_age => {
                let reply = reply.clone();
                state.stats.hits += 1;
                Some(reply)
            }
            Content::Kept { .. } => {
                state.remove(request);
                None
            }
            Content::Awaited(_) => None,
        }
    }

    /// The right to keep the reply of the only request of a batch that is about to be queued; `None` if it is
    /// not to be kept, or another one's is.
    pub(crate) fn expect_only(self: &Arc<Self>, batch: &Batch) -> Option<Ticket> {
        if batch.len() == 1 && !batch.atomic { self.expect(&batch.bytes) } else { None }
    }

    fn expect(self: &Arc<Self>, request: &[u8]) -> Option<Ticket> {
        let key = cacheable(request)?;
        let mut state = self.state.lock();
        state.follows?;
        state.stats.misses += 1;
        if state.entries.contains(request) {
            return None;
        }
        state.next_ticket += 1;
        let number = state.next_ticket;
        let request: Request = request.into();
        state.put(&request, Entry { content: Content::Awaited(number), key });
        let evicted = state.shrink(self.limits.bytes);
        drop(state);
        drop(evicted);
        Some(Ticket { cache: Arc::clone(self), request, number })
    }

    /// Requests were not executed and go elsewhere: their replies are not to be kept here.
    pub(crate) fn void(&self, requests: &[u8]) {
        let mut state = self.state.lock();
        if matches!(state.entries.peek(requests), Some(Entry { content: Content::Awaited(_), .. })) {
            state.remove(requests);
        }
    }

    /// Everything may have changed.
    pub(crate) fn forget_all(&self) {
        self.state.lock().forget_all();
    }

    /// A push of the kind `invalidate` from a connection.
    pub(crate) fn invalidate(&self, link: LinkId, push: &[u8]) {
        let mut state = self.state.lock();
        if state.follows != Some(link) {
            return;
        }
        match invalidated(push) {
            Some(Invalidated::Keys(keys)) => keys.into_iter().for_each(|key| state.forget(key)),
            // What cannot be read may have been about anything.
            Some(Invalidated::Everything) | None => state.forget_all(),
        }
    }

    /// Commands of this client are about to be queued: what they may change is not to be kept, nor are replies
    /// to what was queued before them. Called under the lock of the queue; for commands on a connection of their
    /// own, between their reply and whoever waits for it.
    pub(crate) fn forget_changed(&self, batch: &Batch) {
        let mut state = self.state.lock();
        if state.entries.is_empty() {
            return;
        }
        let mut start = 0;
        for &end in &batch.ends {
            state.forget_changed(&batch.bytes[start..end]);
            start = end;
        }
    }

    pub(crate) fn stats(&self) -> CacheStats {
        self.state.lock().stats
    }
}

impl State {
    fn clear(&mut self) {
        self.entries.clear();
        self.by_key.clear();
        (self.stats.entries, self.stats.bytes) = (0, 0);
    }

    fn put(&mut self, request: &Request, entry: Entry) {
        self.by_key.entry(request[entry.key.clone()].into()).or_default().insert(Arc::clone(request));
        self.stats.bytes += entry.bytes(request);
        self.entries.put(Arc::clone(request), entry);
    }

    /// Takes an entry out of the figures.
    fn uncount(&mut self, request: &[u8], entry: &Entry) {
        self.stats.bytes -= entry.bytes(request);
        self.stats.entries -= usize::from(matches!(entry.content, Content::Kept { .. }));
    }

    /// Takes an entry out of the index.
    fn unlink(&mut self, request: &[u8], entry: &Entry) {
        self.uncount(request, entry);
        let key = &request[entry.key.clone()];
        if let Some(requests) = self.by_key.get_mut(key) {
            requests.remove(request);
            if requests.is_empty() {
                self.by_key.remove(key);
            }
        }
    }

    fn remove(&mut self, request: &[u8]) {
        if let Some(entry) = self.entries.pop(request) {
            self.unlink(request, &entry);
        }
    }

    /// A key has changed.
    fn forget(&mut self, key: &[u8]) {
        let Some(requests) = self.by_key.remove(key) else { return };
        self.stats.invalidations += 1;
        for request in requests {
            if let Some(entry) = self.entries.pop(&request) {
                self.uncount(&request, &entry);
            }
        }
    }

    /// Everything may have changed.
    fn forget_all(&mut self) {
        self.stats.invalidations += self.by_key.len() as u64;
        self.clear();
    }

    /// What a command of this client may change.
    fn forget_changed(&mut self, request: &[u8]) {
        match Command::of(request) {
            Some(command) if command.is_readonly() => {}
            Some(command) if command.is_write() && !command.has_keys() => self.forget_all(),
            Some(command) if command.is_write() => {
                command::keys(request).for_each(|key| self.forget(&request[key.payload]));
            }
            Some(command) if !command.has_keys() => {}
            // Scripts, and commands that the table does not know: every argument may be a key.
            _ => command::Args::new(request).skip(1).for_each(|arg| self.forget(&request[arg.payload])),
        }
    }

    /// Gives up what was not asked for the longest time; the entries are dropped by the caller.
    fn shrink(&mut self, limit: usize) -> Vec<(Request, Entry)> {
        let mut evicted = Vec::new();
        while self.stats.bytes > limit
            && let Some((request, entry)) = self.entries.pop_lru()
        {
            self.unlink(&request, &entry);
            self.stats.evictions += u64::from(matches!(entry.content, Content::Kept { .. }));
            evicted.push((request, entry));
        }
        evicted
    }
}

impl Ticket {
    /// Keeps the reply, unless it may have become stale meanwhile.
    fn keep(self, reply: &[u8]) {
        // An error is no state of a key.
        if matches!(reply.first(), Some(b'-' | b'!') | None) {
            return;
        }
        // A slice of what was read would keep all of that in memory.
        let reply = Bytes::copy_from_slice(reply);
        let limit = self.cache.limits.bytes;
        let mut state = self.cache.state.lock();
        let state = &mut *state;
        let Some(entry) = state.entries.get_mut(&self.request) else { return };
        if !matches!(entry.content, Content::Awaited(number) if number == self.number)
            || entry.bytes(&self.request) + reply.len() > limit / 4
        {
            // What is left is removed when the ticket is dropped.
            return;
        }
        state.stats.bytes += reply.len();
        state.stats.entries += 1;
        entry.content = Content::Kept { reply, since: Instant::now() };
        state.shrink(limit);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.cache.state.lock();
        let entry = state.entries.peek(&self.request);
        if entry
            .is_some_and(|entry| matches!(entry.content, Content::Awaited(number) if number == self.number))
        {
            state.remove(&self.request);
        }
    }
}

/// The key of a request whose reply may be kept: it only reads, reads this one key, and its reply depends on
/// nothing else.
fn cacheable(request: &[u8]) -> Option<Range<usize>> {
    // SORT_RO may read what its BY and GET patterns name.
    let command = Command::of(request)?;
    let depends_on_key = command.is_readonly() && !command.is_volatile() && !command.is("SORT_RO");
    if !depends_on_key || !command.first_is_key() {
        return None;
    }
    command::Args::new(request).nth(1).map(|key| key.payload)
}

/// Hands a reply on and keeps it.
pub(crate) struct Keep {
    ticket: Mutex<Option<Ticket>>,
    sink: Arc<dyn CompletionSink>,
}

impl Keep {
    pub(crate) fn new(ticket: Ticket, sink: Arc<dyn CompletionSink>) -> Self {
        Self { ticket: Mutex::new(Some(ticket)), sink }
    }
}

impl CompletionSink for Keep {
    fn complete(&self, first_tag: u64, replies: Replies<'_>) -> Option<Waker> {
        let ticket = self.ticket.lock().take();
        if let (Some(ticket), Some(reply)) = (ticket, replies.iter().next()) {
            ticket.keep(reply);
        }
        self.sink.complete(first_tag, replies)
    }

    fn fail(&self, first_tag: u64, count: usize, error: &Error) -> Option<Waker> {
        let ticket = self.ticket.lock().take();
        drop(ticket);
        self.sink.fail(first_tag, count, error)
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
