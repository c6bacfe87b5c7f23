//! What a link remembers of its guests, the tasks on callers' runtimes that drive it for a while: who may
//! be the next one, and when. What they do is in `guest`.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Id;

/// How long nobody may be a guest after one was relieved for somebody else's sake.
const PAUSE: Duration = Duration::from_millis(200);

/// Who drives a link while no guest does.
pub(super) const HOST: u64 = 0;

/// What a link remembers of its guests.
#[derive(Debug)]
pub(crate) struct Guests {
    begun: Instant,
    /// No guest before this time, in milliseconds since `begun`.
    not_before: AtomicU64,
    /// The number of the last guest.
    last: AtomicU64,
    /// The runtime of the guest, or of the last one.
    pub(super) runtime: Mutex<Option<Id>>,
    /// The last read answered several callers.
    crowd: AtomicBool,
    /// The guest has just let others run first.
    stepped_back: AtomicBool,
    /// A runtime was met that watches no sockets: its tasks cannot drive.
    pub(super) useless: AtomicBool,
}

impl Guests {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            not_before: AtomicU64::new(0),
            last: AtomicU64::new(HOST),
            runtime: Mutex::new(None),
            crowd: AtomicBool::new(false),
            stepped_back: AtomicBool::new(false),
            useless: AtomicBool::new(false),
        }
    }

    fn after(&self, wait: Duration) -> u64 {
        u64::try_from((self.begun.elapsed() + wait).as_millis()).unwrap_or(u64::MAX)
    }

    /// A number for a new guest.
    pub(super) fn number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn pause(&self) {
        self.not_before.store(self.after(PAUSE), Ordering::Relaxed);
    }

    /// Notes how many callers were answered by one read.
    pub(super) fn woke(&self, callers: usize) {
        self.crowd.store(callers > 1, Ordering::Relaxed);
    }

    /// Whether the guest lets others run first: of several callers that were answered together, each is about
    /// to send its next command, and one write of all is cheaper than one for each. A runtime with several
    /// threads would run the guest right behind the first of them.
    pub(super) fn steps_back(&self) -> bool {
        self.crowd.load(Ordering::Relaxed) && !self.stepped_back.fetch_xor(true, Ordering::Relaxed)
    }

    pub(super) fn are_welcome(&self) -> bool {
        !self.useless.load(Ordering::Relaxed)
            && self.after(Duration::ZERO) >= self.not_before.load(Ordering::Relaxed)
    }
}
