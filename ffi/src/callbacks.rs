//! The thread on which callbacks of commands and subscriptions run: never the I/O thread, never under a lock.

use crate::fork;
use keyless::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};

type Job = Box<dyn FnOnce() + Send>;

/// The way to the thread, and the process it belongs to.
static THREAD: Mutex<Option<(u32, Sender<Job>)>> = Mutex::new(None);

thread_local! {
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the caller is a callback on that thread.
pub(crate) fn is_current_thread() -> bool {
    HERE.get()
}

/// Starts the thread unless it runs. Fails with [`ErrorCode::Internal`] when the system gives none.
pub(crate) fn start() -> Result<()> {
    let process = fork::generation();
    let mut thread = THREAD.lock();
    if thread.as_ref().is_some_and(|(owner, _)| *owner == process) {
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
    // The parent's end of a channel whose thread does not exist here is left alone.
    std::mem::forget(thread.replace((process, send)));
    Ok(())
}

/// Runs a job on the thread, which was started.
pub(crate) fn run(job: Job) {
    if let Some((_, thread)) = &*THREAD.lock() {
        let _ = thread.send(job);
    }
}
