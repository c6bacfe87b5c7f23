//! The threads behind the handles: lazily started, one set per process, started anew in a forked child.

use crate::error::{Error, ErrorCode, Result};
use parking_lot::Mutex;
use std::future::pending;
use std::sync::mpsc::sync_channel;
use std::thread;
use tokio::runtime::{Builder, Handle};

/// The most I/O threads a process has, whatever its clients ask for.
pub(crate) const MAX_IO_THREADS: usize = 16;

/// Sockets and nothing else.
static IO: [Service; MAX_IO_THREADS] = [const { Service::new("keyless-io") }; MAX_IO_THREADS];
/// Token requests and credential callbacks.
static TOKEN: Service = Service::new("keyless-token");

/// The runtime of one of the threads `keyless-io`. Fails with [`ErrorCode::Internal`] when the system gives
/// no thread.
pub(crate) fn io(index: usize) -> Result<Handle> {
    IO[index % MAX_IO_THREADS].handle()
}

/// The runtime of the thread `keyless-token`. Fails with [`ErrorCode::Internal`] when the system gives no
/// thread.
pub(crate) fn token() -> Result<Handle> {
    TOKEN.handle()
}

/// A thread with a runtime of its own, which is started by the first use in a process and lives as long as
/// the process.
struct Service {
    name: &'static str,
    /// The process the thread belongs to and the way to it.
    running: Mutex<Option<(u32, Handle)>>,
}

impl Service {
    const fn new(name: &'static str) -> Self {
        Self { name, running: Mutex::new(None) }
    }

    /// A forked child has no such thread: its first call starts one.
    fn handle(&self) -> Result<Handle> {
        let process = std::process::id();
        let mut current = self.running.lock();
        if let Some((owner, handle)) = &*current
            && *owner == process
        {
            return Ok(handle.clone());
        }
        let handle = self.start()?;
        if let Some((_, parents)) = current.replace((process, handle.clone())) {
            // The parent's thread does not exist here; winding its runtime down would touch its descriptors.
            std::mem::forget(parents);
        }
        Ok(handle)
    }

    fn start(&self) -> Result<Handle> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorCode::Internal,
                format!("The thread {} could not be started: {error}.", self.name),
                "Check the limits on threads and open files of this process.",
            )
        };
        let (send, receive) = sync_channel(1);
        thread::Builder::new()
            .name(self.name.into())
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
        receive.recv().map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}
