//! Whether this process is the one a handle was made in. A forked child has no threads of keyless and shares the
//! parent's sockets: what it uses is made anew there.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

static FORKS: AtomicU32 = AtomicU32::new(0);

#[cfg(unix)]
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::SeqCst);
}

/// How many forks lie between the process that first used keyless and this one.
pub(crate) fn generation() -> u32 {
    static WATCHED: Once = Once::new();
    WATCHED.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handler only adds to an atomic, which is allowed after a fork; the library is never unloaded.
        unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        }
    });
    FORKS.load(Ordering::SeqCst)
}
