//! One live connection: takes requests from the outbox, writes them, reads replies, hands them to those
//! who wait. Whoever holds `io` drives; the I/O thread (the host) does so by default, a task on a caller's
//! runtime (a guest, see `guest`) for a while. Decides nothing about sign-in or reconnecting: that is
//! `supervisor`'s and `reauth`'s.

use super::batch::{Batch, CompletionSink};
use super::cache::ReplyCache;
use super::counters::Counters;
use super::frame::{Scanner, lift_pushes};
use super::guests::{Guests, HOST};
use super::inflight::{Inflight, Whose};
use super::order::Order;
use super::outbox::{Block, Outbox, Run};
use super::push;
use super::redirect::{Redirected, Rerouter};
use super::subscriptions::{LinkId, Subscriptions};
use super::transport::{Received, Transport};
use crate::error::{Error, ErrorCode, Result};
use bytes::BytesMut;
use parking_lot::Mutex;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How much the buffer for replies grows by; replies that fit are slices of one allocation.
const REPLY_BYTES: usize = 64 << 10;
/// After replies of more than this the buffer begins anew.
const LARGE_REPLY_BYTES: usize = 4 << 20;

/// Numbers the connections of the process.
static NEXT_LINK: AtomicU64 = AtomicU64::new(1);

/// So begins the push by which a node ends a subscription to a shard channel, its slot having moved.
const SHARD_MOVED: &[u8] = b">3\r\n$12\r\nsunsubscribe";

/// How many reads are done before others on the same thread get their turn.
const MOST_TURNS: usize = 4;

/// A connection that is signed in, or about to be.
pub(crate) struct Link {
    id: LinkId,
    resp3: AtomicBool,
    /// Speaks RESP2 and carries subscriptions alone: arrays are messages.
    listens: AtomicBool,
    /// The server tells of changes of what was read on it.
    tracking: AtomicBool,
    /// There are requests of keyless' own to be written.
    own_waits: AtomicBool,
    subscriptions: Arc<Subscriptions>,
    cache: Option<Arc<ReplyCache>>,
    /// Takes requests that belong to another node.
    rerouter: Rerouter,
    /// The server's host, which a redirection without a host means.
    peer: Box<str>,
    counters: Arc<Counters>,
    pub(super) io: Mutex<Io>,
    /// The socket as the host's runtime sees it: only its readiness is used. None while a guest drives, so
    /// that the host is not woken for nothing.
    reactor: Mutex<Option<TcpStream>>,
    pub(super) outbox: Arc<Mutex<Outbox>>,
    /// Who drives: the host (0), or the guest with this number. Changes under the outbox's lock, as does who sleeps
    /// there.
    pub(super) guest: AtomicU64,
    pub(super) guests: Guests,
    /// How often the guest got to run: a guest that does not is relieved.
    pub(super) guest_turns: AtomicU64,
    /// What the guest met and the host must deal with.
    pub(super) failure: Mutex<Option<Error>>,
    /// Wakes the host, whoever drives.
    pub(super) host: Mutex<Option<Waker>>,
    /// Takes nothing from the outbox (any more): not signed in yet, or about to be replaced.
    closed_for_new: AtomicBool,
    /// The I/O thread looks after deadlines at short intervals now. Without it nobody else may write,
    /// because a request that is never answered would then never time out.
    pub(super) watched: AtomicBool,
    /// The server has said that it will be gone so soon.
    notice: Mutex<Option<Duration>>,
    /// Counts reads that brought something, so that a watcher sees whether the peer is alive.
    received: AtomicU64,
}

pub(super) struct Io {
    pub(super) transport: Transport,
    scanner: Scanner,
    /// Decrypted bytes that are not a whole frame yet.
    replies: BytesMut,
    pub(super) inflight: Inflight,
    /// keyless' own requests, which go before those of the outbox and never to another connection.
    own: Vec<Block>,
    emptied: Vec<Block>,
    /// Answered runs, whose sinks are let go without any lock: dropping one may be the end of a client.
    done: Vec<Run>,
    ends: Vec<usize>,
    /// Pushes among the frames of one read: before which reply they came, and where they are.
    pushes: Vec<(usize, usize, usize)>,
    /// Error replies among the frames of one read: the how manieth reply, and where it is.
    refusals: Vec<(usize, usize, usize)>,
    /// When the server last sent anything.
    pub(super) heard: Instant,
    wakers: Vec<Waker>,
    /// Requests that belong to another node.
    redirected: Vec<Redirected>,
    /// The last write left bytes behind: the socket must become writable first.
    pub(super) blocked: bool,
}

/// What a watcher wants to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// Requests taken and not answered.
    pub(crate) inflight: usize,
    /// Reads that brought something so far.
    pub(crate) received: u64,
    /// When the server last sent anything, or the connection was made.
    pub(crate) heard: Instant,
}

impl Link {
    /// Wraps a transport whose TLS handshake is done. Must be called inside the I/O thread's runtime.
    ///
    /// The link takes nothing from the outbox until [`Link::open`].
    pub(crate) fn new(
        transport: Transport,
        outbox: Arc<Mutex<Outbox>>,
        subscriptions: Arc<Subscriptions>,
        rerouter: Rerouter,
        peer: &str,
        counters: Arc<Counters>,
        max_reply_bytes: usize,
    ) -> io::Result<Self> {
        let reactor = Mutex::new(Some(TcpStream::from_std(transport.socket().try_clone()?)?));
        let io = Io {
            transport,
            scanner: Scanner::new(max_reply_bytes),
            replies: BytesMut::with_capacity(REPLY_BYTES),
            inflight: Inflight::default(),
            own: Vec::new(),
            emptied: Vec::new(),
            done: Vec::new(),
            ends: Vec::new(),
            pushes: Vec::new(),
            refusals: Vec::new(),
            heard: Instant::now(),
            wakers: Vec::new(),
            redirected: Vec::new(),
            blocked: false,
        };
        Ok(Self {
            id: NEXT_LINK.fetch_add(1, Ordering::Relaxed),
            resp3: AtomicBool::new(false),
            listens: AtomicBool::new(false),
            tracking: AtomicBool::new(false),
            own_waits: AtomicBool::new(false),
            subscriptions,
            cache: None,
            rerouter,
            peer: peer.into(),
            counters,
            io: Mutex::new(io),
            reactor,
            outbox,
            guest: AtomicU64::new(HOST),
            guests: Guests::new(),
            guest_turns: AtomicU64::new(0),
            failure: Mutex::new(None),
            host: Mutex::new(None),
            closed_for_new: AtomicBool::new(true),
            watched: AtomicBool::new(false),
            notice: Mutex::new(None),
            received: AtomicU64::new(0),
        })
    }

    /// With replies kept on this side, of whose changes this connection's server may tell.
    pub(crate) fn with_cache(mut self, cache: Option<Arc<ReplyCache>>) -> Self {
        self.cache = cache;
        self
    }

    /// From now on requests are taken from the outbox.
    pub(crate) fn open(&self) {
        self.closed_for_new.store(false, Ordering::Release);
    }

    /// From now on no request is taken from the outbox; what was taken is still answered.
    pub(crate) fn drain(&self) {
        self.closed_for_new.store(true, Ordering::Release);
        if self.has_guest() {
            self.end_guest();
        }
    }

    /// Queues requests of keyless itself before everything in the outbox. The next `poll` writes them;
    /// their bytes are wiped once they are answered.
    pub(crate) fn submit_own(&self, batch: Batch, sink: Arc<dyn CompletionSink>, deadline: Instant) {
        self.push_own(batch, sink, deadline, false);
    }

    /// Queues a subscription, which pushes confirm; its one reply is that to the `PING` behind it, after an
    /// error if the server refuses it.
    pub(crate) fn submit_announced(&self, batch: Batch, sink: Arc<dyn CompletionSink>, deadline: Instant) {
        self.push_own(batch, sink, deadline, true);
    }

    fn push_own(&self, batch: Batch, sink: Arc<dyn CompletionSink>, deadline: Instant, announced: bool) {
        let run = Run {
            sink: Some(sink),
            first_tag: 0,
            first: 0,
            submitted: None,
            deadline,
            atomic: false,
            pinned: true,
            announced,
            order: None,
        };
        let mut io = self.io.lock();
        io.own.push(Block { bytes: batch.bytes, ends: batch.ends, runs: vec![run] });
        self.own_waits.store(true, Ordering::Release);
    }

    /// Makes whoever drives the link come round.
    pub(crate) fn wake_driver(&self) {
        let sleeper = self.outbox.lock().wake();
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// How soon the server will be gone, once it has said so.
    pub(crate) fn take_notice(&self) -> Option<Duration> {
        self.notice.lock().take()
    }

    /// Which connection of its client this is.
    pub(crate) fn id(&self) -> LinkId {
        self.id
    }

    /// Whether the server speaks RESP3 on it.
    pub(crate) fn is_resp3(&self) -> bool {
        self.resp3.load(Ordering::Acquire)
    }

    /// The server speaks RESP3 on it.
    pub(crate) fn set_resp3(&self) {
        self.resp3.store(true, Ordering::Release);
    }

    /// From now on it carries subscriptions alone, in RESP2.
    pub(crate) fn listen(&self) {
        self.listens.store(true, Ordering::Release);
    }

    /// The replies kept on this side, if caching is on.
    pub(super) fn cache(&self) -> Option<&Arc<ReplyCache>> {
        self.cache.as_ref()
    }

    /// Whether the server tells of changes of what was read on it.
    pub(crate) fn is_tracking(&self) -> bool {
        self.tracking.load(Ordering::Acquire)
    }

    /// The server tells of changes of what was read on it.
    pub(crate) fn set_tracking(&self) {
        self.tracking.store(true, Ordering::Release);
    }

    /// Ends the time of close watching, unless somebody waits. From then on nobody but the I/O thread writes.
    pub(crate) fn unwatch(&self) -> bool {
        let io = self.io.lock();
        if self.has_guest() || io.inflight.len() > 0 || self.outbox.lock().len() > 0 {
            return false;
        }
        self.watched.store(false, Ordering::Release);
        true
    }

    /// From now on the I/O thread looks after deadlines at short intervals.
    pub(crate) fn watch(&self) {
        self.watched.store(true, Ordering::Release);
    }

    /// Whether no request is taken from the outbox.
    pub(crate) fn is_draining(&self) -> bool {
        self.closed_for_new.load(Ordering::Acquire)
    }

    /// Whether a part of what was handed over has not left this process yet.
    pub(crate) fn has_unsent(&self) -> bool {
        let io = self.io.lock();
        !io.own.is_empty() || !io.inflight.unsent().is_empty()
    }

    /// How far things are.
    pub(crate) fn progress(&self) -> Progress {
        let io = self.io.lock();
        Progress {
            inflight: io.inflight.len() + io.own.iter().map(|block| block.ends.len()).sum::<usize>(),
            received: self.received.load(Ordering::Relaxed),
            heard: io.heard,
        }
    }

    /// Whether anybody waits for a reply or to be written.
    pub(crate) fn is_busy(&self) -> bool {
        self.io.lock().inflight.len() > 0 || self.outbox.lock().len() > 0
    }

    /// Tells requests under way whose time is up.
    pub(crate) fn expire(&self, now: Instant, error: &Error) {
        let failures = self.io.lock().inflight.expire(now, error);
        self.counters.tell(failures);
    }

    /// Writes from the calling thread if the connection is idle and nobody else drives it: that saves
    /// waking the I/O thread. Whatever cannot be done here, the I/O thread does.
    ///
    /// `false`: the I/O thread must be woken.
    pub(crate) fn try_write_here(&self) -> bool {
        if !self.watched.load(Ordering::Acquire) {
            return false;
        }
        let Some(mut io) = self.io.try_lock() else { return false };
        if io.blocked || io.inflight.len() > 0 || !self.watched.load(Ordering::Acquire) {
            return false;
        }
        // An error is left for the I/O thread, which meets it again and ends the link.
        matches!(self.flush(&mut io), Ok(())) && !io.blocked
    }

    /// Drives the connection as far as it goes without waiting. Ready when the connection has ended.
    ///
    /// Must be called on the I/O thread. While a guest drives, only keyless' own requests are written here.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Error> {
        // Before anything is looked at: whoever ends a guest from now on wakes us.
        match &mut *self.host.lock() {
            Some(host) => host.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        let mut reactor = self.reactor.lock();
        loop {
            let failure = self.failure.lock().take();
            if let Some(error) = failure {
                return Poll::Ready(error);
            }
            if self.has_guest() {
                *reactor = None;
                return self.write_own();
            }
            let socket = match &mut *reactor {
                Some(socket) => socket,
                none => {
                    let socket = self.io.lock().transport.socket().try_clone();
                    match socket.and_then(TcpStream::from_std) {
                        Ok(socket) => none.insert(socket),
                        Err(error) => return Poll::Ready(connection_ended(&error)),
                    }
                }
            };
            let driven = self.drive(socket, cx, HOST);
            // A guest may have begun meanwhile: then nothing more is looked at here.
            if driven.is_ready() || !self.has_guest() {
                return driven;
            }
        }
    }

    /// Writes keyless' own requests while a guest does everything else.
    fn write_own(&self) -> Poll<Error> {
        let mut io = self.io.lock();
        if io.own.is_empty() || io.blocked {
            return Poll::Pending;
        }
        if let Err(error) = self.flush(&mut io) {
            return Poll::Ready(connection_ended(&error));
        }
        let blocked = io.blocked;
        drop(io);
        if blocked {
            self.wake_driver();
        }
        Poll::Pending
    }

    /// Drives the connection through `socket`'s readiness, as host or as the guest with this number.
    pub(super) fn drive(&self, socket: &TcpStream, cx: &mut Context<'_>, driver: u64) -> Poll<Error> {
        for turn in 0.. {
            if turn == MOST_TURNS {
                // Let those who were answered run while their replies are still in the processor's cache.
                cx.waker().wake_by_ref();
                break;
            }
            let mut io = self.io.lock();
            let step = self.step(&mut io, socket, cx);
            if !io.wakers.is_empty()
                || !io.redirected.is_empty()
                || io.emptied.iter().any(|block| !block.runs.is_empty())
            {
                let redirected = std::mem::take(&mut io.redirected);
                let Io { emptied, done, inflight, wakers, .. } = &mut *io;
                for block in emptied {
                    done.append(&mut block.runs);
                }
                let outstanding = inflight.len() + wakers.len();
                let (mut wakers, mut done) = (std::mem::take(&mut io.wakers), std::mem::take(&mut io.done));
                drop(io);
                if driver != HOST {
                    self.has_answered(wakers.len(), outstanding);
                }
                self.reroute(redirected);
                wakers.drain(..).for_each(Waker::wake);
                // Not before: a sink may be all that keeps what its waker wakes.
                done.clear();
                io = self.io.lock();
                if io.wakers.is_empty() {
                    io.wakers = wakers;
                }
                if io.done.is_empty() {
                    io.done = done;
                }
            }
            match step {
                Err(error) => return Poll::Ready(error),
                Ok(true) => {}
                Ok(false) => {
                    let can_write = !io.blocked;
                    drop(io);
                    let mut outbox = self.outbox.lock();
                    // Looked at under this lock, since whoever queues such a request looks for a sleeper here.
                    let own = can_write && self.own_waits.load(Ordering::Acquire);
                    if self.guest.load(Ordering::Acquire) != driver {
                        return Poll::Pending;
                    }
                    let open = !self.closed_for_new.load(Ordering::Acquire);
                    if own || (can_write && open && outbox.len() > 0) {
                        continue;
                    }
                    if open {
                        outbox.sleep(cx.waker());
                    }
                    break;
                }
            }
        }
        Poll::Pending
    }

    /// One write and one read; `true` when either got anywhere.
    fn step(&self, io: &mut Io, socket: &TcpStream, cx: &mut Context<'_>) -> Result<bool> {
        let mut progress = false;
        if !io.blocked {
            self.flush(io).map_err(|error| connection_ended(&error))?;
        }
        if io.blocked && socket.poll_write_ready(cx).is_ready() {
            // Only an attempt that the socket refused may clear the runtime's memory of "writable".
            let written = socket.try_io(Interest::WRITABLE, || {
                self.flush(io)?;
                if io.blocked { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            match written {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(connection_ended(&error)),
                _ => progress = true,
            }
        }
        if socket.poll_read_ready(cx).is_ready() {
            let mut outcome = None;
            let read = socket.try_io(Interest::READABLE, || match io.transport.receive(&mut io.replies) {
                Ok(received) => {
                    outcome = Some(received);
                    // An emptied socket announces new bytes by itself: no need to ask it once more.
                    if received == Received::Some { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
                }
                Err(error) => Err(error),
            });
            match (outcome, read) {
                (Some(received), _) => {
                    self.received.fetch_add(1, Ordering::Relaxed);
                    self.hand_out(io)?;
                    if received == Received::End {
                        return Err(connection_ended(&ErrorKind::UnexpectedEof.into()));
                    }
                    progress = true;
                }
                (None, Err(error)) if error.kind() != ErrorKind::WouldBlock => {
                    return Err(connection_ended(&error));
                }
                // Not readable after all: the next round asks the runtime to wake us when it is.
                (None, _) => progress = true,
            }
        }
        Ok(progress)
    }

    /// Writes all there is to write, until the socket takes no more.
    pub(super) fn flush(&self, io: &mut Io) -> io::Result<()> {
        io.blocked = true;
        if !io.transport.flush()? {
            return Ok(());
        }
        loop {
            if io.inflight.unsent().is_empty() {
                if io.own.is_empty() {
                    self.own_waits.store(false, Ordering::Release);
                    if self.closed_for_new.load(Ordering::Acquire) {
                        break;
                    }
                    let Some(block) = self.outbox.lock().take(&mut io.emptied) else { break };
                    io.inflight.push(block, false);
                } else {
                    let block = io.own.remove(0);
                    io.inflight.push(block, true);
                }
            }
            let written = io.transport.send(io.inflight.unsent())?;
            if written == 0 {
                return Ok(());
            }
            io.inflight.sent(written);
        }
        io.blocked = !io.transport.flush()?;
        Ok(())
    }

    /// Hands the whole frames that were read to those who wait for them.
    fn hand_out(&self, io: &mut Io) -> Result<()> {
        // One look at the clock per read, however many replies it brought.
        io.heard = Instant::now();
        let Io {
            scanner, replies, inflight, emptied, ends, pushes, refusals, wakers, redirected, heard, ..
        } = io;
        ends.clear();
        pushes.clear();
        let listens = self.listens.load(Ordering::Acquire);
        refusals.clear();
        let mut start = 0;
        let mut verdict = Ok(());
        while start < replies.len() {
            match scanner.scan(&replies[start..]) {
                Ok(Some(frame)) if frame.holds_pushes => {
                    // They are found again, in front of it.
                    lift_pushes(&mut replies[start..start + frame.end]);
                }
                Ok(Some(frame)) => {
                    let end = start + frame.end;
                    if frame.push || (listens && is_message(&replies[start..end])) {
                        pushes.push((ends.len(), start, end));
                    } else {
                        if matches!(replies[start], b'-' | b'!') {
                            refusals.push((ends.len(), start, end));
                        }
                        ends.push(end);
                    }
                    start = end;
                }
                Ok(None) => break,
                Err(error) => {
                    verdict = Err(error);
                    break;
                }
            }
        }
        if start > 0 {
            let block = replies.split_to(start).freeze();
            if block.len() > LARGE_REPLY_BYTES {
                // One huge value must not pin its memory for ever: what is left would share it.
                let rest =
                    std::mem::replace(replies, BytesMut::with_capacity(REPLY_BYTES.max(replies.len())));
                replies.extend_from_slice(&rest);
            }
            let mut announced = 0;
            for &(number, start, end) in refusals.iter() {
                match inflight.whose(number - announced) {
                    Whose::Callers if self.is_redirection(&block[start..end]) => {}
                    Whose::Callers => self.counters.error_reply(&block[start..end]),
                    Whose::Announced => announced += 1,
                    Whose::Nobodys => {}
                }
            }
            let mut redirected = self.rerouter.get().is_some().then_some(redirected);
            let (mut from, mut begin) = (0, 0);
            for &(before, push_start, push_end) in pushes.iter() {
                let ends = &ends[from..before];
                if before > from
                    && !inflight.deliver(&block, begin, ends, wakers, emptied, redirected.as_deref_mut())
                {
                    return Err(out_of_step());
                }
                (from, begin) = (before, push_end);
                let frame = &block[push_start..push_end];
                if frame.starts_with(SHARD_MOVED)
                    && let Some(rerouter) = self.rerouter.get().and_then(Weak::upgrade)
                {
                    rerouter.suspect();
                }
                match (push::kind(frame), &self.cache) {
                    (b"invalidate", Some(cache)) => cache.invalidate(self.id, frame),
                    (b"MOVING", _) => {
                        *self.notice.lock() = push::moving(frame);
                        // The host decides what to do, whoever drives.
                        wakers.extend(self.host.lock().clone());
                    }
                    _ => self.subscriptions.push(self.id, &block.slice_ref(frame), wakers),
                }
            }
            if !inflight.deliver(&block, begin, &ends[from..], wakers, emptied, redirected) {
                return Err(out_of_step());
            }
            self.counters.answered(*heard, &mut inflight.answered);
        }
        // Room for the next read, or for the rest of a long string: as much again as has arrived.
        let missing = scanner.needed().saturating_sub(replies.len());
        replies.reserve(missing.min(replies.len().max(REPLY_BYTES)));
        verdict
    }

    /// Gives requests away that belong to another node. Called without locks.
    fn reroute(&self, redirected: Vec<Redirected>) {
        if redirected.is_empty() {
            return;
        }
        if let Some(cache) = &self.cache {
            // Another server will answer, and this one does not tell of changes there.
            for request in &redirected {
                cache.void(&request.bytes);
            }
        }
        match self.rerouter.get().and_then(Weak::upgrade) {
            Some(rerouter) => rerouter.reroute(&self.peer, redirected),
            None => self
                .counters
                .tell(redirected.into_iter().map(|request| request.fail(super::node::closed())).collect()),
        }
    }

    /// Whether a reply sends its request elsewhere, so that its caller never hears of it.
    fn is_redirection(&self, frame: &[u8]) -> bool {
        self.rerouter.get().is_some() && Order::read(frame).is_some()
    }

    /// Ends the connection. What can be sent again on the next one goes back to the outbox; the others
    /// are told `error`.
    pub(crate) fn end(&self, error: &Error) {
        if let Some(cache) = &self.cache {
            cache.leave(self.id);
        }
        self.drain();
        let (inflight, wakers, redirected) = {
            let mut io = self.io.lock();
            io.transport.close();
            let own = std::mem::take(&mut io.own);
            let mut inflight = std::mem::take(&mut io.inflight);
            for block in own {
                inflight.push(block, true);
            }
            (inflight, std::mem::take(&mut io.wakers), std::mem::take(&mut io.redirected))
        };
        self.reroute(redirected);
        let (again, mut failures) = inflight.abandon(error);
        let sleeper = {
            let mut outbox = self.outbox.lock();
            failures.extend(outbox.put_back(again));
            outbox.wake()
        };
        self.counters.tell(failures);
        wakers.into_iter().chain(sleeper).for_each(Waker::wake);
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// Whether a reply of a RESP2 connection that listens is a message or a confirmation, which RESP3 would push. The only
/// other array there is the answer to a `PING`.
fn is_message(frame: &[u8]) -> bool {
    frame.first() == Some(&b'*') && !frame.starts_with(b"*2\r\n$4\r\npong\r\n")
}

pub(super) fn connection_ended(error: &io::Error) -> Error {
    let what = match error.kind() {
        ErrorKind::UnexpectedEof => "The server closed the connection.".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "The connection was reset.".to_owned(),
        ErrorKind::TimedOut => {
            "The network path to the server is gone: sent data was not acknowledged.".to_owned()
        }
        _ => format!("The connection failed: {error}."),
    };
    Error::new(ErrorCode::ConnectionLost, what, "keyless reconnects by itself.")
}

fn out_of_step() -> Error {
    Error::new(
        ErrorCode::Protocol,
        "The server sent a reply that answers no request.",
        "This points at a proxy that alters the stream.",
    )
}

/// The error of a request that was not answered in time.
pub(crate) fn timed_out(after: Duration) -> Error {
    Error::new(
        ErrorCode::Timeout,
        format!("No answer came within {} ms.", after.as_millis()),
        "Look for slow commands (SLOWLOG) and an overloaded cache or network; raise command_timeout if this is expected.",
    )
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
