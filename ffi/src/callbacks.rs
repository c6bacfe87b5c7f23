//! The thread on which callbacks of commands and subscriptions run: never the I/O thread, never under a lock.

use crate::boundary::{free, handle};
use crate::fork;
use keyless::{Error, ErrorCode, Result};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::mpsc::{Sender, channel};

type Job = Box<dyn FnOnce() + Send>;

/// The way to the thread, and the process it belongs to. No lock: one that the I/O thread held during a fork would stay
/// locked in the child.
static THREAD: AtomicPtr<(u32, Sender<Job>)> = AtomicPtr::new(null_mut());

fn thread() -> Option<&'static (u32, Sender<Job>)> {
    // SAFETY: NULL, or made by `start`, which never frees what it has put here.
    unsafe { THREAD.load(Ordering::Acquire).as_ref() }
}

thread_local! {
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the caller is a callback on that thread.
pub(crate) fn is_current_thread() -> bool {
    HERE.get()
}

/// Whether the caller may wait for callbacks on that thread to end. A handler of events may not: a callback may be waiting
/// for the handler.
pub(crate) fn may_be_waited_for() -> bool {
    !is_current_thread() && !keyless::event::is_handler_thread()
}

/// Starts the thread unless it runs. Fails with [`ErrorCode::Internal`] when the system gives none.
pub(crate) fn start() -> Result<()> {
    let process = fork::generation();
    let former = THREAD.load(Ordering::Acquire);
    if thread().is_some_and(|(owner, _)| *owner == process) {
        return Ok(());
    }
    let (send, receive) = channel::<Job>();
    std::thread::Builder::new()
        .name("keyless-calls".into())
        .spawn(move || {
            HERE.set(true);
            for job in receive {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a callback failed inside keyless; others go on");
                }
            }
        })
        .map_err(|error| {
            Error::new(
                ErrorCode::Internal,
                format!("The thread keyless-calls could not be started: {error}."),
                "Check the limits on threads of this process.",
            )
        })?;
    let own = handle((process, send));
    if THREAD.compare_exchange(former, own, Ordering::AcqRel, Ordering::Acquire).is_err() {
        // Another thread was first. The one that was just started ends with the only way to it.
        free(own);
    }
    // The parent's end of a channel whose thread does not exist here is left alone.
    Ok(())
}

/// Runs a job on the thread, which was started.
pub(crate) fn run(job: Job) {
    if let Some((_, thread)) = thread() {
        let _ = thread.send(job);
    }
}
