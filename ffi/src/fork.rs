//! Whether this process is the one a handle was made in. A forked child has no threads of keyless and shares the
//! parent's sockets: what it uses is made anew there.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many threads are where no fork may happen; the highest bit is set while a fork waits or happens.
static BUSY: AtomicU32 = AtomicU32::new(0);
const FORKING: u32 = 1 << 31;

#[cfg(unix)]
extern "C" fn before() {
    while BUSY.fetch_or(FORKING, Ordering::SeqCst) & FORKING != 0 {
        // Another thread forks.
        std::thread::yield_now();
    }
    while BUSY.load(Ordering::SeqCst) != FORKING {
        std::thread::yield_now();
    }
}

#[cfg(unix)]
extern "C" fn in_parent() {
    BUSY.store(0, Ordering::SeqCst);
}

#[cfg(unix)]
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::SeqCst);
    BUSY.store(0, Ordering::SeqCst);
}

/// Runs short `work`, during which the process is not forked: for what takes a lock that a child would find locked for
/// ever. It must not call the application.
pub(crate) fn without<T>(work: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            BUSY.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let enter = |busy| if busy & FORKING == 0 { Some(busy + 1) } else { None };
    while BUSY.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter).is_err() {
        std::thread::yield_now();
    }
    let _leave = Leave;
    work()
}

/// How many forks lie between the process that first used keyless and this one.
pub(crate) fn generation() -> u32 {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handlers only wait for and change atomics, which is allowed after a fork; the library is never
        // unloaded.
        unsafe {
            libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child));
        }
    });
    FORKS.load(Ordering::SeqCst)
}
