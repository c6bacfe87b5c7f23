//! The threads behind the handles: lazily started, one set per process, started anew in a forked child.

/// Token requests, name resolution and credential callbacks.
mod token {
    use crate::error::{Error, ErrorCode, Result};
    use parking_lot::Mutex;
    use std::future::pending;
    use std::sync::mpsc::sync_channel;
    use std::thread;
    use tokio::runtime::{Builder, Handle};

    /// The process the thread belongs to and the way to it.
    static TOKEN: Mutex<Option<(u32, Handle)>> = Mutex::new(None);

    /// The runtime of the thread `keyless-token`, which is started by the first call of a process and lives as
    /// long as the process.
    ///
    /// A forked child has no such thread: its first call starts one. Fails with [`ErrorCode::Internal`] when the
    /// system gives no thread.
    pub(crate) fn token() -> Result<Handle> {
        let process = std::process::id();
        let mut current = TOKEN.lock();
        if let Some((owner, handle)) = &*current
            && *owner == process
        {
            return Ok(handle.clone());
        }
        let (send, receive) = sync_channel(1);
        thread::Builder::new()
            .name("keyless-token".into())
            .spawn(move || match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = send.send(Ok(runtime.handle().clone()));
                    runtime.block_on(pending::<()>());
                }
                Err(error) => {
                    let _ = send.send(Err(error));
                }
            })
            .map_err(|error| failed(&error))?;
        let handle = receive.recv().map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        if let Some((_, parents)) = current.replace((process, handle.clone())) {
            // The parent's thread does not exist here; winding its runtime down would touch its descriptors.
            std::mem::forget(parents);
        }
        Ok(handle)
    }

    fn failed(error: &dyn std::fmt::Display) -> Error {
        Error::new(
            ErrorCode::Internal,
            format!("The thread for token requests could not be started: {error}."),
            "Check the limits on threads and open files of this process.",
        )
    }
}

pub(crate) use token::token;
