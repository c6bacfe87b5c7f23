//! A task on a caller's runtime that drives a connection for a while. Where one command after the other is
//! sent, the two hops to the I/O thread and back cost as much as all the rest; a guest saves them. Where many
//! callers wait, it saves half of the processor's time, if it lets them all submit before it writes.
//!
//! Rules: a guest begins on an idle connection only. It drives for its own runtime alone: when another
//! thread or runtime wants the connection, the host takes over at once. A guest that does not get to run,
//! because its runtime is blocked or idle, is relieved at the host's next look. A thread that waits in a call
//! (`blocking`) is such a runtime too.

use super::guests::{Guests, HOST};
use super::link::Link;
use crate::blocking;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// From so many outstanding commands on, the first half of the next ones is written before the rest is made:
/// server and callers then work at the same time.
const MANY: usize = 16;

/// A guest that has heard of the server within this time is taken to be at work.
const RECENTLY: Duration = Duration::from_millis(20);

impl Link {
    /// Drives the connection on the caller's runtime, as the guest with this number. Ready when its time is over.
    fn poll_as_guest(&self, number: u64, socket: &TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_driven_by(number) {
            return Poll::Ready(());
        }
        self.guest_turns.fetch_add(1, Ordering::Relaxed);
        if self.guests.steps_back() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.drive(socket, cx, number) {
            Poll::Pending if self.is_driven_by(number) => Poll::Pending,
            Poll::Pending => Poll::Ready(()),
            Poll::Ready(error) => {
                *self.failure.lock() = Some(error);
                Poll::Ready(())
            }
        }
    }

    /// Who may be a guest.
    pub(crate) fn guests(&self) -> &Guests {
        &self.guests
    }

    /// Whether a guest drives.
    pub(crate) fn has_guest(&self) -> bool {
        self.guest.load(Ordering::Acquire) != HOST
    }

    fn is_driven_by(&self, number: u64) -> bool {
        self.guest.load(Ordering::Acquire) == number
    }

    /// Whether the guest's runtime is at work with the connection, rather than done with it: two that are would
    /// take it from each other in turn.
    fn is_at_work(&self) -> bool {
        self.io.try_lock().is_none_or(|io| io.inflight.len() > 0 || io.heard.elapsed() < RECENTLY)
    }

    /// How often the guest got to run.
    pub(crate) fn guest_turns(&self) -> u64 {
        self.guest_turns.load(Ordering::Relaxed)
    }

    /// The socket once more, for the runtime of a guest, which must be the current one.
    pub(crate) fn guest_socket(&self) -> io::Result<TcpStream> {
        TcpStream::from_std(self.io.lock().transport.socket().try_clone()?)
    }

    /// Notes how many callers one read of the guest answered, and how many were waiting before it.
    pub(super) fn has_answered(&self, callers: usize, outstanding: usize) {
        self.guests.woke(callers);
        let enough = if outstanding < MANY { usize::MAX } else { outstanding / 2 };
        self.outbox.lock().set_enough(enough);
    }

    /// Writes what has gathered for a guest that has stepped back, so that the server begins with a first
    /// part while the callers make the rest.
    pub(crate) fn write_for_guest(&self) {
        if !self.has_guest() {
            return;
        }
        let Some(mut io) = self.io.try_lock() else { return };
        if io.blocked || !self.watched.load(Ordering::Acquire) {
            return;
        }
        // An error is met again by the driver. What is left of a full socket is the driver's to write.
        if self.flush(&mut io).is_err() || io.blocked {
            drop(io);
            self.wake_driver();
        }
    }

    /// Gives the drive to a guest, if the connection is idle, watched, and driven by the host.
    ///
    /// Whoever gets a number runs [`Link::poll_as_guest`] with it until its [`Turn`] is over.
    fn begin_guest(&self) -> Option<u64> {
        if !self.watched.load(Ordering::Acquire) {
            return None;
        }
        let io = self.io.try_lock()?;
        if io.blocked || io.inflight.len() > 0 || !self.watched.load(Ordering::Acquire) {
            return None;
        }
        let mut outbox = self.outbox.lock();
        if self.has_guest() {
            return None;
        }
        let number = self.guests.number();
        self.guest.store(number, Ordering::Release);
        let host = outbox.wake();
        drop(outbox);
        drop(io);
        // The host comes round once, to stop looking at the socket.
        if let Some(host) = host {
            host.wake();
        }
        Some(number)
    }

    /// Takes the drive back from whatever guest there is and wakes the host, which goes on with it.
    pub(crate) fn end_guest(&self) {
        self.take_back(|_| true);
    }

    fn take_back(&self, which: impl FnOnce(u64) -> bool) {
        let sleeper = {
            let mut outbox = self.outbox.lock();
            if !which(self.guest.load(Ordering::Acquire)) {
                return;
            }
            self.guest.store(HOST, Ordering::Release);
            outbox.set_enough(usize::MAX);
            outbox.wake()
        };
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
        let host = self.host.lock().clone();
        if let Some(host) = host {
            host.wake();
        }
    }
}

/// Called by whoever has just submitted to a connection whose driver sleeps. Lets the caller's runtime
/// drive if it may; relieves a guest that is in the way. `true`: nobody else needs to be woken.
pub(crate) fn begin_or_relieve(link: &Arc<Link>) -> bool {
    let guests = link.guests();
    let current = Handle::try_current().ok();
    if link.has_guest() {
        let mine = current.as_ref().is_some_and(|handle| Some(handle.id()) == *guests.runtime.lock());
        if mine {
            return false;
        }
        if link.is_at_work() {
            guests.pause();
        }
        link.end_guest();
        return true;
    }
    let Some(handle) = current.filter(|_| guests.are_welcome()) else { return false };
    let Some(number) = link.begin_guest() else { return false };
    *guests.runtime.lock() = Some(handle.id());
    let turn = Turn { link: Arc::clone(link), number };
    if let Err(work) = blocking::adopt(drive(turn)) {
        handle.spawn(work);
    }
    true
}

/// Gives the drive back however the guest's task ends: also when its runtime is shut down.
struct Turn {
    link: Arc<Link>,
    number: u64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.link.take_back(|driver| driver == self.number);
    }
}

async fn drive(turn: Turn) {
    let (link, number) = (&turn.link, turn.number);
    // tokio offers no way to ask a runtime whether it watches sockets: it panics if it does not.
    match catch_unwind(AssertUnwindSafe(|| link.guest_socket())) {
        Ok(Ok(socket)) => poll_fn(|cx| link.poll_as_guest(number, &socket, cx)).await,
        Ok(Err(_)) => link.guests().pause(),
        Err(_) => link.guests().useless.store(true, Ordering::Relaxed),
    }
}
