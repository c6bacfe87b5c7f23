//! Waiting in a call: a small runtime per thread, on which the caller itself drives an idle connection. So a command
//! costs no hop to another thread and back.

use crate::fork;
use keyless::{Error, ErrorCode, Result};
use std::cell::RefCell;
use std::future::Future;
use tokio::runtime::{Builder, Runtime};

thread_local! {
    /// The process the runtime belongs to, and the runtime.
    static HERE: RefCell<Option<(u32, Runtime)>> = const { RefCell::new(None) };
}

/// Waits for `work` on this thread.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> Result<T> {
    let process = fork::generation();
    HERE.with(|here| {
        let Ok(mut here) = here.try_borrow_mut() else {
            // Somebody waits below on this thread's stack.
            return Ok(start()?.block_on(work));
        };
        if here.as_ref().is_none_or(|(owner, _)| *owner != process) {
            // What a forked child inherits still watches the parent's sockets.
            std::mem::forget(here.replace((process, start()?)));
        }
        match &*here {
            Some((_, runtime)) => Ok(runtime.block_on(work)),
            None => unreachable!("it was just made"),
        }
    })
}

fn start() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        Error::new(
            ErrorCode::Internal,
            format!("There is no way to wait on this thread: {error}."),
            "Check the limit on open files of this process.",
        )
    })
}
