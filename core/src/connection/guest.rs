//! A task on a caller's runtime that drives a connection for a while. Where one command after the other is
//! sent, the two hops to the I/O thread and back cost as much as all the rest; a guest saves them.
//!
//! Rules: a guest begins on an idle connection only. It drives for its own runtime alone: when another
//! thread or runtime wants the connection, the host takes over at once. A guest that does not get to run,
//! because its runtime is blocked or idle, is relieved at the host's next look.

use super::link::Link;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, RuntimeFlavor};

/// How long nobody may be a guest after one was relieved for somebody else's sake.
const PAUSE: Duration = Duration::from_millis(200);

/// What a link remembers of its guests.
#[derive(Debug)]
pub(crate) struct Guests {
    begun: Instant,
    /// No guest before this time, in milliseconds since `begun`.
    not_before: AtomicU64,
    /// The runtime of the guest, or of the last one.
    runtime: parking_lot::Mutex<Option<tokio::runtime::Id>>,
    /// A runtime was met that watches no sockets: its tasks cannot drive.
    useless: AtomicBool,
}

impl Guests {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            not_before: AtomicU64::new(0),
            runtime: parking_lot::Mutex::new(None),
            useless: AtomicBool::new(false),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn pause(&self) {
        self.not_before.store(self.now() + PAUSE.as_millis() as u64, Ordering::Relaxed);
    }

    fn are_welcome(&self) -> bool {
        !self.useless.load(Ordering::Relaxed) && self.now() >= self.not_before.load(Ordering::Relaxed)
    }
}

/// Called by whoever has just submitted to a connection whose driver sleeps. Lets the caller's runtime
/// drive if it may; relieves a guest that is in the way. `true`: nobody else needs to be woken.
pub(crate) fn begin_or_relieve(link: &Arc<Link>) -> bool {
    let guests = link.guests();
    let current = Handle::try_current().ok();
    if link.has_guest() {
        let mine = current.as_ref().is_some_and(|handle| Some(handle.id()) == *guests.runtime.lock());
        let several = current.is_some_and(|handle| {
            handle.runtime_flavor() != RuntimeFlavor::CurrentThread && link.is_waiting()
        });
        if mine && !several {
            return false;
        }
        guests.pause();
        link.end_guest();
        return true;
    }
    let Some(handle) = current.filter(|_| guests.are_welcome()) else { return false };
    if !link.begin_guest() {
        return false;
    }
    *guests.runtime.lock() = Some(handle.id());
    handle.spawn(drive(Turn(Arc::clone(link))));
    true
}

/// Gives the drive back however the guest's task ends: also when its runtime is shut down.
struct Turn(Arc<Link>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.end_guest();
    }
}

async fn drive(turn: Turn) {
    let link = &turn.0;
    // tokio offers no way to ask a runtime whether it watches sockets: it panics if it does not.
    match catch_unwind(AssertUnwindSafe(|| link.guest_socket())) {
        Ok(Ok(socket)) => poll_fn(|cx| link.poll_as_guest(&socket, cx)).await,
        Ok(Err(_)) => link.guests().pause(),
        Err(_) => link.guests().useless.store(true, Ordering::Relaxed),
    }
}
