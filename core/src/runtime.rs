//! The threads behind the handles: lazily started, one set per process, started anew in a forked child.

use crate::error::{Error, ErrorCode, Result};
use crate::per_process::PerProcess;
use std::sync::mpsc::sync_channel;
use std::thread;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

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
    running: PerProcess<Running>,
}

struct Running {
    handle: Handle,
    /// The thread ends when this is dropped, since another one was first.
    _stop: oneshot::Sender<()>,
}

impl Service {
    const fn new(name: &'static str) -> Self {
        Self { name, running: PerProcess::new() }
    }

    /// A forked child has no such thread: its first call starts one.
    fn handle(&self) -> Result<Handle> {
        self.running.get(|| self.start()).map(|running| running.handle.clone())
    }

    fn start(&self) -> Result<Running> {
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorCode::Internal,
                format!("The thread {} could not be started: {error}.", self.name),
                "Check the limits on threads and open files of this process.",
            )
        };
        let (send, receive) = sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(self.name.into())
            .spawn(move || match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => {
                    let _ = send.send(Ok(runtime.handle().clone()));
                    // Never used, but dropped perhaps.
                    let _ = runtime.block_on(stopped);
                }
                Err(error) => {
                    let _ = send.send(Err(error));
                }
            })
            .map_err(|error| failed(&error))?;
        let handle = receive.recv().map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        Ok(Running { handle, _stop: stop })
    }
}
